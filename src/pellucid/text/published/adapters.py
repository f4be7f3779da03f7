"""The pieces of a published tokenizer, made from those of its SentencePiece model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pellucid.text.published.language_codes import LANGUAGES
from pellucid.text.published.sentencepiece import CONTROL, NORMAL, Piece, SentencePiece

SCORE_PENALTY = 100.0  # subtracted from the log-probability of a piece that must not be chosen


class Adapted(NamedTuple):
    """The model of a tokenizer, and its special tokens without a role."""

    model: SentencePiece
    extra: Sequence[str] = ()
    left_strips: Sequence[str] = ()
    """Special tokens that take the spaces before them, if the files do not say otherwise."""


def adapt_to_t5(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Append the sentinels of T5; the last one has the lowest id."""
    extra = tuple(f"<extra_id_{i}>" for i in reversed(range(config.get("extra_ids", 100))))
    return Adapted(replace(model, pieces=(*model.pieces, *_control_pieces(extra))), extra)


def adapt_to_albert(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Lower the scores of pieces such as "9,": in ALBERT a comma after a digit is its own piece."""
    pieces = [
        Piece(text, score - SCORE_PENALTY, NORMAL)
        if text[-1:] == "," and text[-2:-1].isdigit()
        else Piece(text, score, kind)
        for text, score, kind in model.pieces
    ]
    return Adapted(replace(model, pieces=tuple(pieces)))


def adapt_to_mbart(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Append the languages of mBART to the pieces of fairseq."""
    return _adapt_to_fairseq(model, LANGUAGES["MBartTokenizer"])


def adapt_to_mbart50(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Append the languages of mBART-50 to the pieces of fairseq."""
    return _adapt_to_fairseq(model, LANGUAGES["MBart50Tokenizer"])


def adapt_to_nllb(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Append the languages of NLLB to the pieces of fairseq."""
    return _adapt_to_fairseq(model, LANGUAGES["NllbTokenizer"])


def adapt_to_xlm_roberta(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Give the pieces the ids of fairseq, and append the mask."""
    return _adapt_to_fairseq(model)


def adapt_to_camembert(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Put five tokens before the pieces, of which the first is replaced; append the mask.

    The names of two of them are in the model too, with ids of their own.
    """
    unused = ("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED")
    first = (unused[0], "<pad>", unused[1], "<unk>", unused[2])
    pieces = (*_control_pieces(first), *model.pieces[1:], *_control_pieces(["<mask>"]))
    adapted = replace(model, pieces=pieces, unk_id=first.index("<unk>"))
    return Adapted(adapted, unused, left_strips=("<mask>",))


def adapt_to_pegasus(model: SentencePiece, config: Mapping[str, Any]) -> Adapted:
    """Put `offset` tokens before the pieces of PEGASUS, of which the first two are replaced.

    The tokens of its pretraining come after padding and end: two masks, then those not used.
    """
    offset = config.get("offset", 103)
    masks = (config.get("mask_token_sent", "<mask_1>"), config.get("mask_token", "<mask_2>"))
    unused = tuple(f"<unk_{i}>" for i in range(2, offset))
    first = ("<pad>", "</s>", *masks, *unused)
    pieces = (*_control_pieces(first), *model.pieces[2:])
    adapted = replace(model, pieces=pieces, unk_id=model.unk_id + len(first) - 2)
    return Adapted(adapted, (masks[0], *unused))


ADAPTERS: Mapping[str, Callable[[SentencePiece, Mapping[str, Any]], Adapted]] = {
    "T5Tokenizer": adapt_to_t5,
    "AlbertTokenizer": adapt_to_albert,
    "MBartTokenizer": adapt_to_mbart,
    "MBart50Tokenizer": adapt_to_mbart50,
    "NllbTokenizer": adapt_to_nllb,
    "XLMRobertaTokenizer": adapt_to_xlm_roberta,
    "CamembertTokenizer": adapt_to_camembert,
    "PegasusTokenizer": adapt_to_pegasus,
}
"""Tokenizer class -> (model, tokenizer_config.json) -> its pieces."""


def _adapt_to_fairseq(model: SentencePiece, languages: Sequence[str] = ()) -> Adapted:
    """Replace the first three pieces by fairseq's four; append languages and the mask."""
    first, last = ("<s>", "<pad>", "</s>", "<unk>"), (*languages, "<mask>")
    pieces = (*_control_pieces(first), *model.pieces[3:], *_control_pieces(last))
    return Adapted(replace(model, pieces=pieces, unk_id=first.index("<unk>")), languages)


def _control_pieces(tokens: Sequence[str]) -> list[Piece]:
    return [Piece(token, 0.0, CONTROL) for token in tokens]
