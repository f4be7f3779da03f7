"""Open the tokenizers of any model directory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pellucid.errors import DataError, UsageError, VerificationError
from pellucid.json_files import dump_json
from pellucid.text.library import library_errors
from pellucid.text.pair import Tokenizers
from pellucid.text.published import pipelines
from pellucid.text.published.adapters import ADAPTERS
from pellucid.text.published.added_tokens import (
    build_processor,
    check_id,
    read_added_tokens,
    with_special_tokens,
)
from pellucid.text.published.file_tokenizer import CTRLTokenizer, TokenizerFiles
from pellucid.text.published.language_codes import LANGUAGES_BY_SETTING
from pellucid.text.published.sentencepiece import SentencePiece, read_sentencepiece
from pellucid.text.published.sentencepiece_tokenizer import (
    MarianTokenizer,
    SentencePieceTokenizer,
    VocabularyTokenizer,
)
from pellucid.text.published.settings import Settings, read_settings
from pellucid.text.published.tokenizer_json import open_json
from pellucid.text.published.vocabulary_files import read_lines, read_merges, read_vocab
from pellucid.text.template import read_template
from pellucid.text.tokenizer import Strips, Tokenizer

MODELS = ("spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "spm.model")
"""File names of a SentencePiece model."""


def open_tokenizers(directory: Path) -> Tokenizers:
    """Open the tokenizers of any model directory.

    Raises: DataError if files are missing; VerificationError naming the file that is wrong.
    """
    directory = Path(directory)
    has_json = (directory / "tokenizer.json").exists()
    if (directory / "source_tokenizer.json").exists() and not has_json:
        return Tokenizers.load(directory)
    if (directory / "source.spm").exists():
        settings = read_settings(directory, "MarianTokenizer", has_json=has_json)
        if settings.class_name == "MarianTokenizer" or not has_json:
            return _open_marian(settings)
    joint = open_tokenizer(directory)
    return Tokenizers(joint, joint)


def open_tokenizer(directory: Path) -> Tokenizer:
    """Open the joint tokenizer of any model directory.

    Raises: as `open_tokenizers`; UsageError if source and target have separate tokenizers.
    """
    directory = Path(directory)
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    if "tokenizer.json" in names:
        settings = read_settings(directory, has_json=True)
        # transformers reads CTRL's own files, whatever else is there
        if settings.class_name != "CTRLTokenizer" or "vocab.json" not in names:
            return open_json(settings)
    if "vocab.txt" in names:
        settings = read_settings(directory, "BertTokenizer")
        is_word_level = settings.class_name == "TransfoXLTokenizer"
        return _open_word_level(settings) if is_word_level else _open_wordpiece(settings)
    if {"vocab.json", "merges.txt"} <= names:
        return _open_bpe(read_settings(directory))
    if {"source.spm", "source_tokenizer.json"} & names:
        raise UsageError(f"{directory} has a tokenizer for each side: use open_tokenizers.")
    for name in MODELS:
        if name in names:
            settings = read_settings(directory)
            is_m2m = settings.class_name == "M2M100Tokenizer"
            return (_open_m2m if is_m2m else _open_unigram)(settings, directory / name)
    half = ": merges.txt is missing, vocab.json is there" if "vocab.json" in names else ""
    raise DataError(
        f"{directory} holds no tokenizer{half}. Looked for: tokenizer.json; vocab.txt; vocab.json"
        f" with merges.txt; source.spm; {', '.join(MODELS)}."
    )


def _open_wordpiece(settings: Settings) -> Tokenizer:
    path = settings.directory / "vocab.txt"
    vocab = read_lines(path)
    _check_class(settings, path, "BertTokenizer")
    settings.check_tokens(vocab, path, "unk")
    with library_errors(path):
        library = pipelines.build_wordpiece(vocab, settings.config, settings.tokens["unk"])
    return with_special_tokens(library, settings, "wordpiece", path)


def _open_word_level(settings: Settings) -> Tokenizer:
    path = settings.directory / "vocab.txt"
    # A count may follow a word.
    lines = read_lines(path).items()
    vocab = {words[0]: i for line, i in lines if (words := line.split(maxsplit=1))}
    settings.check_tokens(vocab, path, "unk")
    with library_errors(path):
        library = pipelines.build_word_level(vocab, settings.config, settings.tokens["unk"])
    return with_special_tokens(library, settings, "word", path)


def _open_bpe(settings: Settings) -> Tokenizer:
    path = settings.directory / "vocab.json"
    vocab, merges = read_vocab(path), read_merges(settings.directory / "merges.txt")
    _check_class(
        settings, path, "GPT2Tokenizer", "RobertaTokenizer", "OpenAIGPTTokenizer", "CTRLTokenizer"
    )
    is_byte_level = settings.class_name in ("GPT2Tokenizer", "RobertaTokenizer")
    settings.check_tokens(vocab, path, *(() if is_byte_level else ("unk",)))
    with library_errors(path):
        if is_byte_level:
            library = pipelines.build_byte_bpe(vocab, merges, settings.config)
            return with_special_tokens(library, settings, "byte-bpe", path)
        if settings.class_name == "OpenAIGPTTokenizer":
            library = pipelines.build_gpt_bpe(vocab, merges, settings.tokens["unk"])
            return with_special_tokens(library, settings, "bpe", path)
        library = pipelines.build_ctrl_bpe(vocab, merges, settings.tokens["unk"])
    return CTRLTokenizer(library, _read_files(settings, vocab, ("vocab.json", "merges.txt")))


def _open_unigram(settings: Settings, path: Path) -> Tokenizer:
    _check_class(settings, path, *ADAPTERS)
    original = read_sentencepiece(path)
    model, extra, left_strips = ADAPTERS[settings.class_name](original, settings.config)
    is_albert = settings.class_name == "AlbertTokenizer"
    cleaning = pipelines.build_albert_normalizer(settings.config) if is_albert else None
    vocab = {piece.text: i for i, piece in enumerate(model.pieces)}
    settings.check_tokens(vocab, path, "unk")
    files = _read_files(settings, vocab, (path.name,), extra)
    files = replace(files, strips=_find_strips(settings, original, left_strips))
    with library_errors(path):
        return SentencePieceTokenizer(model, files, cleaning)


def _open_m2m(settings: Settings, path: Path) -> Tokenizer:
    """Open M2M-100's: ids are in vocab.json, those of languages come after them."""
    vocab_path, model = settings.directory / "vocab.json", read_sentencepiece(path)
    vocab = read_vocab(vocab_path)
    settings.check_tokens(vocab, vocab_path, "unk")
    name = settings.config.get("language_codes", "m2m100")
    if name not in LANGUAGES_BY_SETTING:
        raise VerificationError(
            f"{settings.directory / 'tokenizer_config.json'}: language_codes={name[:40]!r} is not"
            f" supported here. Known: {', '.join(LANGUAGES_BY_SETTING)}."
        )
    languages = [f"__{code}__" for code in LANGUAGES_BY_SETTING[name]]
    ids = {**vocab, **{token: len(vocab) + i for i, token in enumerate(languages)}}
    files = _read_files(settings, ids, (path.name, vocab_path.name), languages)
    with library_errors(path):
        return VocabularyTokenizer(model, files)


def _find_strips(
    settings: Settings, model: SentencePiece, left_strips: Sequence[str]
) -> dict[str, Strips]:
    """Return on which sides special tokens remove spaces; flags of the model's own do not count."""
    texts = {piece.text for piece in model.pieces}
    strips = dict.fromkeys(left_strips, Strips(before=True, after=False))
    for token, flags in settings.flags.items():
        strips[token] = Strips(flags["lstrip"], flags["rstrip"])
    return {token: sides for token, sides in strips.items() if token not in texts}


def _open_marian(settings: Settings) -> Tokenizers:
    """Open source.spm and target.spm, whose ids are in one vocab.json or in one for each side."""
    separate = settings.config.get("separate_vocabs", False)
    names = ("vocab.json", "target_vocab.json" if separate else "vocab.json")
    file_names = ("source.spm", "target.spm", *dict.fromkeys(names))

    def open_side(spm: str, vocab_name: str) -> Tokenizer:
        path, vocab_path = settings.directory / spm, settings.directory / vocab_name
        vocab, model = read_vocab(vocab_path), read_sentencepiece(path)
        settings.check_tokens(vocab, vocab_path, "unk")
        files = _read_files(settings, vocab, file_names)
        with library_errors(path):
            return MarianTokenizer(model, files)

    return Tokenizers(open_side("source.spm", names[0]), open_side("target.spm", names[1]))


def _read_files(
    settings: Settings, vocab: Mapping[str, int], names: Sequence[str], extra: Sequence[str] = ()
) -> TokenizerFiles:
    """Read the files of these names and the settings files.

    Raises: DataError if one is missing; VerificationError if words were added to the vocabulary.
    """
    all_ids, extra = dict(vocab), list(extra)
    for token in read_added_tokens(settings):
        if not token.special:
            raise VerificationError(
                f"{settings.directory}: the word {token.content[:40]!r} was added to a"
                f" {settings.class_name}, which is not supported here. Save the tokenizer as a"
                " tokenizer.json with `transformers`."
            )
        check_id(settings, token, all_ids.setdefault(token.content, max(all_ids.values()) + 1))
        extra.append(token.content)
    for content in settings.extra_tokens:
        all_ids.setdefault(content, max(all_ids.values()) + 1)
        extra.append(content)
    roles = settings.roles(all_ids)
    processor = build_processor(settings, all_ids)
    settings_files = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
    paths = [settings.directory / name for name in (*names, *settings_files)]
    missing = [path for path in paths if path.name in names and not path.is_file()]
    if missing:
        raise DataError(f"{missing[0]} is missing, or not a file. Download the directory again.")
    contents = {path.name: path.read_bytes() for path in paths if path.is_file()}
    if "tokenizer_class" not in settings.config:
        named = {**settings.config, "tokenizer_class": settings.class_name}
        contents["tokenizer_config.json"] = dump_json(named)
    return TokenizerFiles(
        vocab=all_ids,
        roles=roles,
        extra=[token for token in dict.fromkeys(extra) if token not in roles.values()],
        template=read_template(processor),
        contents=contents,
    )


def _check_class(settings: Settings, path: Path, *known: str) -> None:
    if settings.class_name not in known:
        kind = f"is a {settings.class_name}" if settings.class_name else "names no class"
        raise VerificationError(
            f"{path}: the tokenizer {kind}, but such a file needs one of {', '.join(known)}. Write"
            ' it as "tokenizer_class" into tokenizer_config.json.'
        )
