"""The pipelines of published tokenizers, built from their vocabulary files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library

from pellucid.text.published.file_tokenizer import inner
from pellucid.text.published.sentencepiece import CONTROL, NORMAL, Piece, SentencePiece

Merges = Sequence[tuple[str, str]]

AVOIDED = 100.0  # subtracted from the score of a piece that texts should not have

_MBART = (
    "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT"
    " lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN"
)
_MBART50 = (
    " af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF"
    " pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI"
)
LANGUAGES = {
    "MBartTokenizer": tuple(_MBART.split(" ")),
    "MBart50Tokenizer": tuple((_MBART + _MBART50).split(" ")),
}


def build_wordpiece(vocab: Mapping[str, int], config: Mapping[str, Any], unk: str) -> Library:
    """BERT's: splits at spaces, punctuation and Chinese characters."""
    library = Library(models.WordPiece(dict(vocab), unk_token=unk))
    library.normalizer = bert_normalizer(config)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return library


def bert_normalizer(config: Mapping[str, Any]) -> normalizers.BertNormalizer:
    """BERT's cleaning, lower-cased by default."""
    return normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
        strip_accents=config.get("strip_accents"),  # None: as lower-casing
        lowercase=config.get("do_lower_case", True),
    )


def build_words(vocab: Mapping[str, int], config: Mapping[str, Any], unk: str) -> Library:
    """Transformer-XL's: the words between spaces; WikiText is already tokenized."""
    library = Library(models.WordLevel(dict(vocab), unk_token=unk))
    if config.get("lower_case", False):
        library.normalizer = normalizers.Lowercase()
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return library


def build_byte_bpe(vocab: Mapping[str, int], merges: Merges, config: Mapping[str, Any]) -> Library:
    """GPT-2's: any text, byte by byte, with the space before a word as part of it."""
    library = Library(models.BPE(dict(vocab), list(merges)))
    library.pre_tokenizer = byte_level(config)
    library.decoder = decoders.ByteLevel()
    return library


def byte_level(config: Mapping[str, Any]) -> pre_tokenizers.ByteLevel:
    """GPT-2's way to split a text into words."""
    return pre_tokenizers.ByteLevel(add_prefix_space=config.get("add_prefix_space", False))


def build_word_bpe(vocab: Mapping[str, int], merges: Merges, unk: str) -> Library:
    """The first GPT's: lower-cased, BERT's words, `</w>` at the end of a word."""
    library = Library(
        models.BPE(dict(vocab), list(merges), unk_token=unk, end_of_word_suffix="</w>")
    )
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.BPEDecoder(suffix="</w>")
    return library


def build_cut_bpe(vocab: Mapping[str, int], merges: Merges, unk: str) -> Library:
    """CTRL's: splits at spaces, a newline stays with its word; the caller numbers the pieces.

    Intermediate pieces of merges may be absent from the vocabulary.
    """
    pieces = dict.fromkeys([unk, *(inner(piece) for piece in vocab)])
    for left, right in merges:
        pieces.update(dict.fromkeys((left, right, left + right)))
    numbered = {piece: i for i, piece in enumerate(pieces)}
    library = Library(models.BPE(numbered, list(merges), unk_token=unk, end_of_word_suffix="</w>"))
    library.pre_tokenizer = pre_tokenizers.Split(Regex(r"\S+\n?"), "removed", invert=True)
    return library


def sentinels(count: int) -> tuple[str, ...]:
    """T5's tokens for gaps, in the order of their ids."""
    return tuple(f"<extra_id_{i}>" for i in reversed(range(count)))


def t5_model(model: SentencePiece, extra: Sequence[str]) -> SentencePiece:
    """T5's: the pieces, then its sentinels."""
    return replace(model, pieces=(*model.pieces, *_control(extra)))


def albert_model(model: SentencePiece) -> SentencePiece:
    """ALBERT's: a comma after a digit is a separate piece, so there are no pieces like "9,"."""
    pieces = [
        Piece(text, score - AVOIDED, NORMAL)
        if text[-1:] == "," and text[-2:-1].isdigit()
        else Piece(text, score, kind)
        for text, score, kind in model.pieces
    ]
    return replace(model, pieces=tuple(pieces))


def mbart_model(model: SentencePiece, languages: Sequence[str]) -> SentencePiece:
    """mBART's: fairseq's first four in place of the model's three; languages, then the mask."""
    first, last = ("<s>", "<pad>", "</s>", "<unk>"), (*languages, "<mask>")
    pieces = (*_control(first), *model.pieces[3:], *_control(last))
    return replace(model, pieces=pieces, unk_id=first.index("<unk>"))


def _control(tokens: Sequence[str]) -> list[Piece]:
    return [Piece(token, 0.0, CONTROL) for token in tokens]


def albert_cleaning(config: Mapping[str, Any]) -> normalizers.Normalizer:
    """What ALBERT does to a text before SentencePiece normalises it."""
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
