"""Masked texts to words: the likeliest tokens for each mask token."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import Inputs, choose_head, logits
from pellucid.nn.padding import MAX_LOGITS, batches, pad_batch
from pellucid.text.guard import clean_text


class Filled(NamedTuple):
    """One word for a gap."""

    token: str
    """Its text, with a space before it if the token begins a word."""
    probability: float


def fill(bundle: Bundle, texts: Sequence[str], top: int = 5) -> list[list[list[Filled]]]:
    """Return the `top` most probable tokens for each gap of each text, best first.

    A gap is the mask token as the tokenizer spells it, e.g. "[MASK]" or "<mask>". Ids without a
    piece fill no gap. Raises: UsageError if the model fills no gaps, a text has none or has more
    tokens than it reads, or top < 1.
    """
    if not isinstance(top, int) or top < 1:
        raise UsageError(f"top={top!r:.60}: ask for 1 word or more.")
    head = choose_head(bundle, "mlm")
    _mask(bundle)  # a tokenizer without one is an error before there is any text
    rows = [_row(bundle, text) for text in texts]
    tokenizer = bundle.tokenizers.source
    mask, pad = tokenizer.id("mask"), tokenizer.roles.get("pad", 0)
    words = torch.tensor(sorted(tokenizer.pieces_by_id))  # (W,) ids
    results: list[list[list[Filled]]] = [[] for _ in rows]
    max_tokens = MAX_LOGITS // bundle.model_config.vocab_size
    for batch in batches([len(row) for row in rows], max_tokens=max_tokens):
        ids, keep = pad_batch([rows[i] for i in batch], pad, torch.device("cpu"))  # (B, T)
        positions = (ids == mask).nonzero()  # (G, 2), row by row
        output = logits(bundle, Inputs(ids, keep), head)  # (B, T, V)
        gaps = output[*positions.to(output.device).unbind(1)].softmax(-1).cpu()  # (G, V)
        for row, probabilities in zip(positions[:, 0].tolist(), gaps[:, words], strict=True):
            values, places = probabilities.topk(min(top, len(words)))
            pieces = tokenizer.display(words[places].tolist())
            filled = [Filled(piece, p) for piece, p in zip(pieces, values.tolist(), strict=True)]
            results[batch[row]].append(filled)
    return results


def filled_in(bundle: Bundle, text: str, words: Sequence[str]) -> str:
    """Return the text with a word in place of each gap; words as in `Filled.token`.

    A piece that begins a word keeps the space before the gap; others join what is before them.
    Where the mask token keeps the space before it, the space is the text's, and stays.
    Raises: UsageError if there are fewer or more words than gaps.
    """
    filled, *after = clean_text(text).split(_mask(bundle))
    if len(words) != len(after):
        raise UsageError(
            f"{len(words)} words for {len(after)} gaps in {text[:60]!r}. Give one for each."
        )
    tokenizer = bundle.tokenizers.source
    # The pieces of these kinds hold no spaces, so a text's spaces are not read.
    stays = not tokenizer.read_strips("mask").before and tokenizer.kind not in ("wordpiece", "word")
    for word, part in zip(words, after, strict=True):
        if stays:
            filled += (word if filled else word.lstrip()) + part
        else:
            filled = (filled if word.startswith(" ") else filled.rstrip()) + word.lstrip() + part
    return filled


def _mask(bundle: Bundle) -> str:
    tokenizer = bundle.tokenizers.source
    tokenizer.id("mask")  # the error names the tokens that there are
    return tokenizer.tokens["mask"]


def _row(bundle: Bundle, text: str) -> list[int]:
    """Return the ids of a text with its gaps and special tokens."""
    tokenizer, c, name = bundle.tokenizers.source, bundle.model_config, _mask(bundle)
    strips = tokenizer.read_strips("mask")
    *before, last = clean_text(text).split(name)
    if not before:
        raise UsageError(f"there is no gap in {text[:60]!r}. Write {name} where one is.")
    ids: list[int] = []
    for i, part in enumerate((*before, last)):
        if i:
            ids.append(tokenizer.id("mask"))
            part = part.lstrip() if strips.after else part
        if i < len(before) and strips.before:
            part = part.rstrip()
        ids += tokenizer.encode(part).ids
    ids = tokenizer.add_special_tokens(ids).ids
    if 0 < c.max_positions < len(ids):
        raise UsageError(
            f"{text[:60]!r} ... has {len(ids)} tokens, but this model reads {c.max_positions}."
            " Shorten it."
        )
    return ids
