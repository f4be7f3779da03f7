"""Build the `tokenizers` pipelines of published tokenizers from their vocabulary files."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library

from pellucid.text.published.file_tokenizer import to_library_piece

Merges = Sequence[tuple[str, str]]


def build_wordpiece(vocab: Mapping[str, int], config: Mapping[str, Any], unk: str) -> Library:
    """Build BERT's pipeline: split at spaces, punctuation and Chinese characters."""
    library = Library(models.WordPiece(dict(vocab), unk_token=unk))
    library.normalizer = build_bert_normalizer(config)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return library


def build_bert_normalizer(config: Mapping[str, Any]) -> normalizers.BertNormalizer:
    """Build BERT's normalizer; it lower-cases by default."""
    return normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
        strip_accents=config.get("strip_accents"),  # None: strip if lower-casing
        lowercase=config.get("do_lower_case", True),
    )


def build_word_level(vocab: Mapping[str, int], config: Mapping[str, Any], unk: str) -> Library:
    """Build Transformer-XL's pipeline: split at spaces only, as WikiText is already tokenized."""
    library = Library(models.WordLevel(dict(vocab), unk_token=unk))
    if config.get("lower_case", False):
        library.normalizer = normalizers.Lowercase()
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return library


def build_byte_bpe(vocab: Mapping[str, int], merges: Merges, config: Mapping[str, Any]) -> Library:
    """Build GPT-2's pipeline: byte-level BPE, in which a word includes the space before it."""
    library = Library(models.BPE(dict(vocab), list(merges)))
    library.pre_tokenizer = build_byte_level(config)
    library.decoder = decoders.ByteLevel()
    return library


def build_byte_level(config: Mapping[str, Any]) -> pre_tokenizers.ByteLevel:
    """Build the pre-tokenizer of GPT-2, which splits a text into words."""
    return pre_tokenizers.ByteLevel(add_prefix_space=config.get("add_prefix_space", False))


def build_gpt_bpe(vocab: Mapping[str, int], merges: Merges, unk: str) -> Library:
    """Build GPT's pipeline: lower-case, split into words as BERT, mark word ends by `</w>`."""
    library = Library(
        models.BPE(dict(vocab), list(merges), unk_token=unk, end_of_word_suffix="</w>")
    )
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.BPEDecoder(suffix="</w>")
    return library


def build_ctrl_bpe(vocab: Mapping[str, int], merges: Merges, unk: str) -> Library:
    """Build CTRL's pipeline: split at spaces; a newline stays with the word before it.

    The library's ids are not CTRL's: its BPE also needs the intermediate pieces of merges, which
    may be missing from the vocabulary. The caller looks pieces up in the vocabulary.
    """
    pieces = dict.fromkeys([unk, *(to_library_piece(piece) for piece in vocab)])
    for left, right in merges:
        pieces.update(dict.fromkeys((left, right, left + right)))
    piece_ids = {piece: i for i, piece in enumerate(pieces)}
    library = Library(models.BPE(piece_ids, list(merges), unk_token=unk, end_of_word_suffix="</w>"))
    library.pre_tokenizer = pre_tokenizers.Split(Regex(r"\S+\n?"), "removed", invert=True)
    return library


def build_albert_normalizer(config: Mapping[str, Any]) -> normalizers.Normalizer:
    """Build the normalizer that ALBERT applies before SentencePiece's."""
    parts: list[normalizers.Normalizer] = [
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Replace("``", '"'),
        normalizers.Replace("''", '"'),
    ]
    if not config.get("keep_accents", False):
        parts += [normalizers.NFKD(), normalizers.StripAccents()]
    if config.get("do_lower_case", True):
        parts.append(normalizers.Lowercase())
    return normalizers.Sequence(parts)
