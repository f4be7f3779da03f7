"""The pipelines of published tokenizers, built from their vocabulary files."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library

from pellucid.text.published.sentencepiece import SentencePiece

Merges = Sequence[tuple[str, str]]

# Unigram would find a special token that a text spells, for it stands in its vocabulary. Its score
# is made the lowest; and where the text is of unknown characters, which are worth still less, its
# spelling is cut after the first of them, which no piece can cross.
SPELLED = r"<(?=(?:/?s|pad|unk|mask|extra_id_[0-9]+)>)|\[(?=(?:CLS|SEP|MASK)\])"
SELDOM = 100.0  # below the rarest piece: other pieces that text is not cut into

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
MBART_UNK = 3


def wordpiece(vocab: Mapping[str, int], config: Mapping[str, Any], unk: str) -> Library:
    """BERT's: cleaned, lower-cased unless told otherwise, cut at spaces, signs and Chinese."""
    made = Library(models.WordPiece(dict(vocab), unk_token=unk))
    made.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
        strip_accents=config.get("strip_accents"),  # none: as lower-casing
        lowercase=config.get("do_lower_case", True),
    )
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return made


def words(vocab: Mapping[str, int], config: Mapping[str, Any], unk: str) -> Library:
    """Transformer-XL's: the words between spaces, as WikiText has its texts cut already."""
    made = Library(models.WordLevel(dict(vocab), unk_token=unk))
    if config.get("lower_case", False):
        made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def byte_bpe(vocab: Mapping[str, int], merges: Merges, config: Mapping[str, Any]) -> Library:
    """GPT-2's: any text, byte by byte, with the space before a word as part of it."""
    made = Library(models.BPE(dict(vocab), list(merges)))
    first = config.get("add_prefix_space", False)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=first)
    made.decoder = decoders.ByteLevel()
    return made


def word_bpe(vocab: Mapping[str, int], merges: Merges, unk: str) -> Library:
    """The first GPT's: lower-cased, cut as BERT's words, `</w>` at a word's end."""
    made = Library(models.BPE(dict(vocab), list(merges), unk_token=unk, end_of_word_suffix="</w>"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    return made


def cut_bpe(vocab: Mapping[str, int], merges: Merges, unk: str) -> Library:
    """CTRL's: cut at spaces, a line's end staying with its word; numbered by the caller.

    Merges may make pieces that the vocabulary lacks, on the way to others that it has.
    """
    pieces = dict.fromkeys([unk, *(_inner(piece) for piece in vocab)])
    for left, right in merges:
        pieces.update(dict.fromkeys((left, right, left + right)))
    numbered = {piece: i for i, piece in enumerate(pieces)}
    made = Library(models.BPE(numbered, list(merges), unk_token=unk, end_of_word_suffix="</w>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"\S+\n?"), "removed", invert=True)
    return made


def outer(piece: str) -> str:
    """The name in the vocabulary of a piece of `cut_bpe`: `th@@`, but `the` at a word's end."""
    return piece.removesuffix("</w>") if piece.endswith("</w>") else piece + "@@"


def _inner(piece: str) -> str:
    return piece.removesuffix("@@") if piece.endswith("@@") else piece + "</w>"


def unigram(
    model: SentencePiece,
    vocab: Sequence[tuple[str, float]],
    unk_id: int,
    before: Sequence[normalizers.Normalizer] = (),
) -> Library:
    """A .model's pipeline over a vocabulary: ids are its places. `before`: what is done first."""
    made = Library(models.Unigram(list(vocab), unk_id, model.byte_fallback))
    parts = list(before)
    if model.charsmap:
        parts.append(normalizers.Precompiled(model.charsmap))
    parts += [normalizers.Replace(Regex(" +"), " "), normalizers.Replace(Regex("^ | $"), "")]
    made.normalizer = normalizers.Sequence(parts)
    first = "always" if model.dummy_prefix else "never"
    across = any("▁" in piece.text[1:] for piece in model.pieces)
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=first, split=not across)
    spaces = decoders.Metaspace(prepend_scheme=first)
    if model.byte_fallback:
        made.decoder = decoders.Sequence([decoders.ByteFallback(), spaces])
    else:
        made.decoder = spaces
    return made


def unspelled(library: Library) -> Library:
    """The same, but that no special token comes from a text's spelling, where one could."""
    if not isinstance(library.model, models.Unigram):
        return library
    added = library.get_added_tokens_decoder().values()
    special = {token.content for token in added if token.special}
    if special:
        told = json.loads(library.model.__getstate__())
        lowest = min(score for _, score in told["vocab"]) - SELDOM
        vocab = [(text, lowest if text in special else score) for text, score in told["vocab"]]
        library.model = models.Unigram(vocab, told["unk_id"], told.get("byte_fallback", False))
    cut = pre_tokenizers.Split(Regex(SPELLED), "merged_with_previous")
    steps = [library.pre_tokenizer] if library.pre_tokenizer else []
    library.pre_tokenizer = pre_tokenizers.Sequence([*steps, cut])
    return library


def scores(model: SentencePiece) -> list[tuple[str, float]]:
    """Its pieces with their scores, the lowest for those that text is not cut into."""
    lowest = min(piece.score for piece in model.pieces) - SELDOM
    return [(p.text, p.score if p.cuts else lowest) for p in model.pieces]


def sentinels(count: int) -> tuple[str, ...]:
    """T5's names of gaps, in the order of their ids."""
    return tuple(f"<extra_id_{i}>" for i in reversed(range(count)))


def t5_pieces(pieces: Sequence[tuple[str, float]], extra: Sequence[str]) -> list[tuple[str, float]]:
    """T5's: the pieces, then its sentinels."""
    lowest = min(score for _, score in pieces)
    return [*pieces, *((text, lowest) for text in extra)]


def albert_pieces(pieces: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """ALBERT's: a comma after a digit stands alone, so pieces like "9," are to be avoided."""
    return [
        (text, score - SELDOM if text[-1:] == "," and text[-2:-1].isdigit() else score)
        for text, score in pieces
    ]


def mbart_pieces(
    pieces: Sequence[tuple[str, float]], languages: Sequence[str]
) -> list[tuple[str, float]]:
    """mBART's: fairseq's own first four in place of the model's three; languages, then the mask."""
    lowest = min(score for _, score in pieces)
    first, last = ("<s>", "<pad>", "</s>", "<unk>"), (*languages, "<mask>")
    return [*((t, lowest) for t in first), *pieces[3:], *((t, lowest) for t in last)]


def albert_cleaning(config: Mapping[str, Any]) -> list[normalizers.Normalizer]:
    """What ALBERT does to a text before SentencePiece's own normalisation."""
    parts: list[normalizers.Normalizer] = [
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Replace("``", '"'),
        normalizers.Replace("''", '"'),
    ]
    if not config.get("keep_accents", False):
        parts += [normalizers.NFKD(), normalizers.StripAccents()]
    if config.get("do_lower_case", True):
        parts.append(normalizers.Lowercase())
    return parts
