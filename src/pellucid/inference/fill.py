"""Gaps to words: what a model that reads both ways finds likely where a token is hidden."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import Inputs, choose, logits
from pellucid.nn.padding import MAX_LOGITS, batches, pad_batch
from pellucid.text.guard import guarded


class Filled(NamedTuple):
    """One word for a gap."""

    token: str
    """Its text; a space stands before what begins a word."""
    probability: float


def fill(directory: Bundle, texts: Sequence[str], top: int = 5) -> list[list[list[Filled]]]:
    """For each gap of each text, the `top` likeliest tokens, best first.

    A gap is the mask token as the tokenizer spells it, e.g. "[MASK]" or "<mask>".
    Raises: UsageError if the model fills no gaps, a text has none, or is longer than it reads, or
    if no word is asked for.
    """
    if top < 1:
        raise UsageError(f"top={top}: ask for 1 word or more.")
    head = choose(directory, "mlm")
    rows = [_row(directory, text) for text in texts]
    _mask(directory)  # a tokenizer without one is known before there is any text
    tokenizer = directory.tokenizers.source
    mask, pad = tokenizer.id("mask"), tokenizer.roles.get("pad", 0)
    results: list[list[list[Filled]]] = [[] for _ in rows]
    max_tokens = MAX_LOGITS // directory.model_config.vocab_size
    for chosen in batches([len(row) for row in rows], max_tokens=max_tokens):
        ids, keep = pad_batch([rows[i] for i in chosen], pad, torch.device("cpu"))  # (B, T)
        places = (ids == mask).nonzero()  # (G, 2), row by row
        found = logits(directory, Inputs(ids, keep), head)  # (B, T, V)
        gaps = found[*places.to(found.device).unbind(1)].softmax(-1).cpu()  # (G, V)
        for row, gap in zip(places[:, 0].tolist(), gaps, strict=True):
            results[chosen[row]].append(_best(directory, gap, top))
    return results


def filled_in(directory: Bundle, text: str, words: Sequence[str]) -> str:
    """The text with a word in place of each gap; words as `Filled.token` has them.

    What begins a word stands where the gap did, other pieces right against what is before them.
    Raises: UsageError if there are fewer or more words than gaps.
    """
    found, *after = guarded(text).split(_mask(directory))
    if len(words) != len(after):
        raise UsageError(
            f"{len(words)} words for {len(after)} gaps in {text[:60]!r}. Give one for each."
        )
    for word, part in zip(words, after, strict=True):
        found = (found if word.startswith(" ") else found.rstrip()) + word.lstrip() + part
    return found


def _mask(directory: Bundle) -> str:
    tokenizer = directory.tokenizers.source
    tokenizer.id("mask")  # says which tokens there are, if that is not one
    return tokenizer.tokens["mask"]


def _row(directory: Bundle, text: str) -> list[int]:
    """Ids of a text with its gaps, among special tokens."""
    tokenizer, c, name = directory.tokenizers.source, directory.model_config, _mask(directory)
    *before, last = guarded(text).split(name)
    if not before:
        raise UsageError(f"there is no gap in {text[:60]!r}. Write {name} where one is.")
    ids: list[int] = []
    for part in before:  # the space before a gap belongs to the word that fills it
        ids += [*tokenizer.encode(part.rstrip()).ids, tokenizer.id("mask")]
    ids = tokenizer.with_specials([*ids, *tokenizer.encode(last).ids]).ids
    if 0 < c.most_tokens < len(ids):
        raise UsageError(
            f"{text[:60]!r} ... has {len(ids)} tokens, but this model reads {c.most_tokens}."
            " Cut it."
        )
    return ids


def _best(directory: Bundle, probabilities: torch.Tensor, top: int) -> list[Filled]:
    # A model may have more rows than there are words, to be of a round width.
    known = probabilities[: directory.tokenizers.source.vocab_size]
    values, ids = known.topk(min(top, len(known)))
    pieces = directory.tokenizers.source.display(ids.tolist())
    return [Filled(p, v) for p, v in zip(pieces, values.tolist(), strict=True)]
