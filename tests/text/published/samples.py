"""Directories as publishers of models write them, with small vocabularies learned here."""

import io
import json
from collections import Counter
from functools import cache
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from pellucid import garden
from text.mixed import mixed_lines

FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@cache
def corpus() -> list[str]:
    """Garden sentences of three languages, and lines of mixed scripts that no test asks about."""
    expected = [line for pair in garden.pairs(800, "en", "de") for line in pair]
    expected += [chinese for _, chinese in garden.pairs(400, "en", "zh")]
    return expected + mixed_lines(600, seed=1)


def configure(directory: Path, **config) -> Path:
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


def wordpiece(directory: Path, **config) -> Path:
    pieces = _wordpiece(config.get("do_lower_case") is not False)
    (directory / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces))
    return configure(directory, **config)


@cache
def _wordpiece(lower: bool) -> list[str]:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=lower)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=900, special_tokens=BERT, limit_alphabet=300, show_progress=False
    )
    made.train_from_iterator(corpus(), trainer)
    vocab = made.get_vocab()
    return sorted(vocab, key=vocab.__getitem__)


def byte_bpe(directory: Path, special: list[str], **config) -> Path:
    _byte_bpe(tuple(special)).model.save(str(directory))
    return configure(directory, **config)


@cache
def _byte_bpe(special: tuple[str, ...]) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(corpus(), trainer)
    return made


def word_bpe(directory: Path, **config) -> Path:
    made = _word_bpe(lower=True)
    made.model.save(str(directory))
    return configure(directory, **config)


def cut_bpe(directory: Path, **config) -> Path:
    """As subword-nmt writes it: only pieces that are some word's last cut are in vocab.json."""
    made = _word_bpe(lower=False)
    made.model.save(str(directory))
    counts = Counter()
    for line in corpus():
        for piece in made.encode(line).tokens:
            counts[piece[:-4] if piece.endswith("</w>") else piece + "@@"] += 1
    kept = [piece for piece, count in counts.items() if count > 1 and piece != "<unk>@@"]
    vocab = {piece: i for i, piece in enumerate([*sorted(kept), "<unk>", "Wikipedia"])}
    (directory / "vocab.json").write_text(json.dumps(vocab))
    return configure(directory, **config)


@cache
def _word_bpe(lower: bool) -> Tokenizer:
    """BERT's words in lower case, or whatever stands between spaces."""
    made = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    if lower:
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=["<unk>"],
        end_of_word_suffix="</w>",
        limit_alphabet=300,
        show_progress=False,
    )
    made.train_from_iterator(corpus(), trainer)
    return made


@cache
def spm(lines: tuple[str, ...] = (), **settings) -> bytes:
    """A SentencePiece model of the corpus, or of these lines."""
    model = io.BytesIO()
    # Its trainer takes no NUL in a line.
    texts = (line for line in lines or corpus() if line.strip() and "\x00" not in line)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=texts,
        model_writer=model,
        vocab_size=settings.pop("vocab_size", 1000),
        minloglevel=2,
        **settings,
    )
    return model.getvalue()


def t5(directory: Path, **config) -> Path:
    (directory / "spiece.model").write_bytes(spm(pad_id=0, eos_id=1, unk_id=2, bos_id=-1))
    return configure(directory, **{"tokenizer_class": "T5Tokenizer", **config})


def albert(directory: Path, **config) -> Path:
    model = spm(
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols="[CLS],[SEP],[MASK]",
        user_defined_symbols='(,),£,"1999,"',  # the last to be avoided
    )
    (directory / "spiece.model").write_bytes(model)
    return configure(directory, **{"tokenizer_class": "AlbertTokenizer", **config})


def mbart(directory: Path, **config) -> Path:
    (directory / "sentencepiece.bpe.model").write_bytes(spm(character_coverage=0.99))
    return configure(directory, **{"tokenizer_class": "MBartTokenizer", **config})


def nllb(directory: Path, **config) -> Path:
    model = spm(character_coverage=0.99, model_type="bpe")
    (directory / "sentencepiece.bpe.model").write_bytes(model)
    return configure(directory, **{"tokenizer_class": "NllbTokenizer", **config})


def m2m(directory: Path, **config) -> Path:
    """Every fiftieth piece is not in the vocabulary, as some are not in the published one."""
    nllb(directory, **{"tokenizer_class": "M2M100Tokenizer", **config})
    model = (directory / "sentencepiece.bpe.model").read_bytes()
    read = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [read.id_to_piece(i) for i in range(3, len(read)) if i % 50]
    names = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
    (directory / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    return directory


def xlm_roberta(directory: Path, **config) -> Path:
    return mbart(directory, **{"tokenizer_class": "XLMRobertaTokenizer", **config})


def camembert(directory: Path, **config) -> Path:
    return mbart(directory, **{"tokenizer_class": "CamembertTokenizer", **config})


def pegasus(directory: Path, **config) -> Path:
    (directory / "spiece.model").write_bytes(spm(pad_id=0, eos_id=1, unk_id=2, bos_id=-1))
    return configure(directory, **{"tokenizer_class": "PegasusTokenizer", **config})


def marian(directory: Path, **config) -> Path:
    english, chinese = zip(*garden.pairs(600, "en", "zh"), strict=True)
    sides = spm(english, vocab_size=300), spm((*chinese, *mixed_lines(300, 2)), vocab_size=800)
    pieces = set()
    for name, model in zip(("source.spm", "target.spm"), sides, strict=True):
        (directory / name).write_bytes(model)
        read = sentencepiece.SentencePieceProcessor(model_proto=model)
        pieces |= {read.id_to_piece(i) for i in range(3, len(read)) if i % 50}
    names = ["</s>", "<unk>", *sorted(pieces), ">>deu<<", ">>cmn_Hans<<", "<pad>"]
    (directory / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    return configure(directory, **{"tokenizer_class": "MarianTokenizer", **config})
