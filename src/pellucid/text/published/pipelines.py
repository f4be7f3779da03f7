"""Build the `tokenizers` pipelines of published tokenizers from their vocabulary files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library

from pellucid.text.published.file_tokenizer import to_library_piece
from pellucid.text.published.sentencepiece import CONTROL, NORMAL, Piece, SentencePiece

Merges = Sequence[tuple[str, str]]

SCORE_PENALTY = 100.0  # subtracted from the log-probability of a piece that must not be chosen

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


def build_sentinels(count: int) -> tuple[str, ...]:
    """Return T5's sentinel tokens in the order of their ids: the last one comes first."""
    return tuple(f"<extra_id_{i}>" for i in reversed(range(count)))


def adapt_to_t5(model: SentencePiece, extra: Sequence[str]) -> SentencePiece:
    """Append the sentinels of T5 to the pieces."""
    return replace(model, pieces=(*model.pieces, *_control_pieces(extra)))


def adapt_to_albert(model: SentencePiece) -> SentencePiece:
    """Lower the scores of pieces such as "9,": in ALBERT a comma after a digit is its own piece."""
    pieces = [
        Piece(text, score - SCORE_PENALTY, NORMAL)
        if text[-1:] == "," and text[-2:-1].isdigit()
        else Piece(text, score, kind)
        for text, score, kind in model.pieces
    ]
    return replace(model, pieces=tuple(pieces))


def adapt_to_mbart(model: SentencePiece, languages: Sequence[str]) -> SentencePiece:
    """Replace the first three pieces by fairseq's four; append the languages and the mask."""
    first, last = ("<s>", "<pad>", "</s>", "<unk>"), (*languages, "<mask>")
    pieces = (*_control_pieces(first), *model.pieces[3:], *_control_pieces(last))
    return replace(model, pieces=pieces, unk_id=first.index("<unk>"))


def _control_pieces(tokens: Sequence[str]) -> list[Piece]:
    return [Piece(token, 0.0, CONTROL) for token in tokens]


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
