"""Tokenizers as published models' directories have them: opened from whichever files are there."""

import json
from pathlib import Path

import tokenizers
from tokenizers import decoders, models

from pellucid.errors import DataError, UsageError, VerificationError
from pellucid.text.pair import Tokenizers
from pellucid.text.published import layouts
from pellucid.text.published.classes import Settings, read_settings
from pellucid.text.published.renumbered import Addressed, Numbering, Renumbered
from pellucid.text.published.sentencepiece import read_sentencepiece
from pellucid.text.published.specials import finished, special
from pellucid.text.published.vocabulary import read_lines, read_merges, read_vocab
from pellucid.text.template import Template
from pellucid.text.tokenizer import Tokenizer, library_errors, read_library

MODELS = ("spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "spm.model")
"""What SentencePiece's one file is called."""


def open_tokenizers(directory: Path) -> Tokenizers:
    """The tokenizers of a published model, or of ours; one object on both sides if joint.

    Raises: DataError if files are missing; VerificationError naming the file that is wrong.
    """
    directory = Path(directory)
    if (directory / "tokenizer.json").exists():
        joint = open_tokenizer(directory)
        return Tokenizers(joint, joint)
    if (directory / "source_tokenizer.json").exists():
        return Tokenizers.load(directory)
    if (directory / "source.spm").exists():
        return _sides(read_settings(directory, "MarianTokenizer"))
    joint = open_tokenizer(directory)
    return Tokenizers(joint, joint)


def open_tokenizer(directory: Path) -> Tokenizer:
    """The one tokenizer of a published model, or of ours.

    Raises: as `open_tokenizers`; UsageError if there are two, a source's and a target's.
    """
    directory = Path(directory)
    there = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    if "tokenizer.json" in there:
        return _whole(read_settings(directory))
    if "vocab.txt" in there:
        settings = read_settings(directory, "BertTokenizer")
        is_words = settings.name == "TransfoXLTokenizer"
        return _words(settings) if is_words else _wordpiece(settings)
    if {"vocab.json", "merges.txt"} <= there:
        return _bpe(read_settings(directory))
    if {"source.spm", "source_tokenizer.json"} & there:
        raise UsageError(f"{directory} has a tokenizer for each side: use open_tokenizers.")
    for name in MODELS:
        if name in there:
            return _unigram(read_settings(directory), directory / name)
    half = ": merges.txt is missing beside vocab.json" if "vocab.json" in there else ""
    raise DataError(
        f"{directory} holds no tokenizer{half}. Looked for: tokenizer.json; vocab.txt; vocab.json"
        f" with merges.txt; source.spm; {', '.join(MODELS)}."
    )


def in_language(tokenizer: Tokenizer, code: str) -> Tokenizer:
    """The same tokenizer, its texts marked as those of another language.

    Raises: UsageError at an unknown code, or if texts carry no language.
    """
    told = json.loads(tokenizer.to_json())
    processor = told.get("post_processor") or {}
    marks = processor.get("special_tokens", {})
    current = sorted(tokenizer.extra.keys() & marks.keys())
    if len(current) != 1 or code not in tokenizer.extra:
        known = ", ".join(list(tokenizer.extra)[:60]) if current else "none"
        raise UsageError(f"texts cannot be marked as {code[:40]!r} here. Known: {known}.")
    del marks[current[0]]
    marks[code] = {"id": code, "ids": [tokenizer.extra[code]], "tokens": [code]}
    for slot in (*processor["single"], *processor["pair"]):
        if slot.get("SpecialToken", {}).get("id") == current[0]:
            slot["SpecialToken"]["id"] = code
    library = tokenizers.Tokenizer.from_str(json.dumps(told))
    return Tokenizer(library, tokenizer.tokens, tokenizer.kind)


def _whole(settings: Settings) -> Tokenizer:
    path = settings.directory / "tokenizer.json"
    if isinstance(settings.config.get("kind"), str):
        return Tokenizer.load(settings.directory)  # ours
    library = read_library(path)
    with library_errors(path):
        return finished(layouts.unspelled(library), settings, _kind(library), path)


def _kind(library: tokenizers.Tokenizer) -> str:
    model = library.model
    if isinstance(model, models.BPE):
        if isinstance(library.decoder, decoders.ByteLevel):
            return "byte-bpe"
        return "bpe" if model.end_of_word_suffix == "</w>" else ""
    if isinstance(model, models.Unigram):
        return "unigram"
    return "wordpiece" if isinstance(model, models.WordPiece) else ""


def _wordpiece(settings: Settings) -> Tokenizer:
    path = settings.directory / "vocab.txt"
    vocab = read_lines(path)
    settings.check(vocab, path, "unk")
    with library_errors(path):
        library = layouts.wordpiece(vocab, settings.config, settings.tokens["unk"])
    return special(library, settings, "wordpiece", path)


def _words(settings: Settings) -> Tokenizer:
    path = settings.directory / "vocab.txt"
    # A count may stand behind a word.
    vocab = {line.split(maxsplit=1)[0]: i for line, i in read_lines(path).items()}
    settings.check(vocab, path, "unk")
    with library_errors(path):
        library = layouts.words(vocab, settings.config, settings.tokens["unk"])
    return special(library, settings, "word", path)


def _bpe(settings: Settings) -> Tokenizer:
    path = settings.directory / "vocab.json"
    vocab, merges = read_vocab(path), read_merges(settings.directory / "merges.txt")
    byte_level = settings.name in ("GPT2Tokenizer", "RobertaTokenizer")
    settings.check(vocab, path, *(() if byte_level else ("unk",)))
    with library_errors(path):
        if byte_level:
            library = layouts.byte_bpe(vocab, merges, settings.config)
            return special(library, settings, "byte-bpe", path)
        if settings.name == "OpenAIGPTTokenizer":
            library = layouts.word_bpe(vocab, merges, settings.tokens["unk"])
            return special(library, settings, "bpe", path)
        if settings.name != "CTRLTokenizer":
            raise _unnamed(settings, "GPT2, Roberta, Bart, OpenAIGPT or CTRL")
        library = layouts.cut_bpe(vocab, merges, settings.tokens["unk"])
    numbering = Numbering(
        vocab=vocab,
        named=layouts.outer,
        joined=lambda pieces: " ".join(pieces).replace("@@ ", ""),
        template=Template.ending(()),
        files=_files(settings, "vocab.json", "merges.txt"),
    )
    return Renumbered(library, settings.roles(vocab), "cut-bpe", numbering)


def _unigram(settings: Settings, path: Path) -> Tokenizer:
    model = read_sentencepiece(path)
    pieces, unk_id, before, extra = layouts.scores(model), model.unk_id, (), ()
    if settings.name == "T5Tokenizer":
        extra = layouts.sentinels(settings.config.get("extra_ids", 100))
        pieces = layouts.t5_pieces(pieces, extra)
    elif settings.name == "AlbertTokenizer":
        pieces = layouts.albert_pieces(pieces)
        before = layouts.albert_cleaning(settings.config)
    elif settings.name in layouts.LANGUAGES:
        extra = layouts.LANGUAGES[settings.name]
        pieces, unk_id = layouts.mbart_pieces(pieces, extra), layouts.MBART_UNK
    else:
        raise _unnamed(settings, "T5, Albert, MBart or MBart50")
    with library_errors(path):
        library = layouts.unspelled(layouts.unigram(model, pieces, unk_id, before))
        library.encode("a \U0010fffe")  # a damaged table of normalisation shows here
    settings.check(library.get_vocab(), path)
    return special(library, settings, "unigram", path, extra)


def _sides(settings: Settings) -> Tokenizers:
    """Marian's: a .model for each side, ids from vocab.json."""
    separate = settings.config.get("separate_vocabs", False)
    names = ("vocab.json", "target_vocab.json" if separate else "vocab.json")
    files = _files(settings, "source.spm", "target.spm", *names)

    def side(path: Path, vocab_path: Path) -> Tokenizer:
        vocab, model = read_vocab(vocab_path), read_sentencepiece(path)
        settings.check(vocab, vocab_path, "unk")
        with library_errors(path):
            library = layouts.unigram(model, layouts.scores(model), model.unk_id)
            library.encode("a \U0010fffe")
        numbering = Numbering(
            vocab=vocab,
            named=str,
            joined=decoders.Metaspace().decode,
            template=Template.ending([vocab[settings.tokens["eos"]]]),
            files=files,
        )
        kind = "unigram"
        return Addressed(layouts.unspelled(library), settings.roles(vocab), kind, numbering)

    source, target = (
        side(settings.directory / spm, settings.directory / name)
        for spm, name in zip(("source.spm", "target.spm"), names, strict=True)
    )
    return Tokenizers(source, target)


def _files(settings: Settings, *names: str) -> dict[str, bytes]:
    """The files of these names, and the settings' own, as they are."""
    wanted = (*names, "tokenizer_config.json", "special_tokens_map.json")
    paths = [settings.directory / name for name in dict.fromkeys(wanted)]
    missing = [path for path in paths if path.name in names and not path.is_file()]
    if missing:
        raise DataError(f"{missing[0]} is missing, or not a file. Get the directory anew.")
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def _unnamed(settings: Settings, known: str) -> VerificationError:
    return VerificationError(
        f"{settings.directory} does not say which class its tokenizer is of. Write"
        f' "tokenizer_class" into its tokenizer_config.json: {known}, each followed by "Tokenizer".'
    )
