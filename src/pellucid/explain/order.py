"""What the order of the tokens changes in an encoder, with and without its position vectors."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch

from pellucid.errors import UsageError
from pellucid.explain.rows import Rows
from pellucid.explain.tokens import Token
from pellucid.explain.trace import Trace, TraceSpec, trace_rows
from pellucid.formats.bundle import Bundle
from pellucid.taps import edit, taps

TAP = "encoder.embedding.position_vectors"
NO_VECTORS = ("buckets", "none")
SPEC = TraceSpec(parts=("embeddings", "residuals"))


@dataclass(frozen=True)
class OrderEffect:
    """How the states of each token differ in a text and in the same text backwards."""

    order: tuple[int, ...]
    """The tokens of the other text, as numbers of those of the first."""
    names: tuple[str, ...]
    """The states that are compared: after the embedding and after each layer."""
    distances: np.ndarray
    """1 - cosine of the states of each token in both texts, (L + 1, S)."""
    largest: float
    """The largest difference of any number of these states."""


def can_reorder(bundle: Bundle, rows: Rows) -> bool:
    """Return whether an encoder adds position vectors, and reads a text with a direction."""
    if bundle.model.encoder is None or rows.source is None or len(rows.source.texts) > 1:
        return False
    has_vectors = (
        TAP in taps(bundle.model)
        and getattr(bundle.model_config, "positions", "none") not in NO_VECTORS
    )
    ids = [token.id for token in rows.source.tokens]
    return has_vectors and ids != [ids[i] for i in _turn_around(rows.source.tokens)]


def measure_order(bundle: Bundle, rows: Rows, *, has_positions: bool) -> OrderEffect:
    """Compare the encoder's states of a text with those of the same tokens backwards.

    Special tokens stay where they are. has_positions=False: all position vectors are 0; attention
    and feed-forward treat all positions alike, so the states then are the same.
    Raises: UsageError unless `can_reorder`.
    """
    if not can_reorder(bundle, rows) or rows.source is None or rows.inputs.ids is None:
        raise UsageError("this model adds no position vectors to a text that can be turned around.")
    order = _turn_around(rows.source.tokens)
    other = replace(rows, inputs=rows.inputs._replace(ids=rows.inputs.ids[:, list(order)]))
    off = edit(bundle.model, TAP, lambda _, x: torch.zeros_like(x))
    with nullcontext() if has_positions else off:
        first, second = (trace_rows(bundle, each, SPEC) for each in (rows, other))
    return _compare(first, second, order)


def _turn_around(tokens: Sequence[Token]) -> tuple[int, ...]:
    """Return the numbers of the tokens of the text backwards.

    Tokens that spell one character together stay in their order; special tokens in their place.
    """
    text = [(i, token) for i, token in enumerate(tokens) if not token.special]
    groups = [list(group) for _, group in groupby(text, lambda each: (each[1].start, each[1].end))]
    backwards = (i for group in reversed(groups) for i, _ in group)
    return tuple(i if token.special else next(backwards) for i, token in enumerate(tokens))


def _compare(first: Trace, second: Trace, order: tuple[int, ...]) -> OrderEffect:
    end = ".feed_forward.output"
    names = [name for name in first.arrays if name.startswith("encoder.") and name.endswith(end)]
    names.insert(0, "encoder.embedding.output")
    x = np.stack([first[name][list(order)] for name in names]).astype(np.float64)  # (L + 1, S, D)
    y = np.stack([second[name] for name in names]).astype(np.float64)
    cosines = (x * y).sum(-1) / (np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1))
    distances = np.empty_like(cosines)
    distances[:, list(order)] = 1.0 - cosines
    return OrderEffect(order, tuple(names), distances, float(np.abs(x - y).max()))
