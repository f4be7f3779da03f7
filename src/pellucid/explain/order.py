"""What the order of the tokens changes in an encoder, with and without its position vectors."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain, groupby

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
SHOWN = 4
"""Number of tokens that an error names."""
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
    is_one = rows.source is not None and len(rows.source.texts) == 1
    return is_one and has_position_vectors(bundle) and _changes(rows, turn_around(rows))


def has_position_vectors(bundle: Bundle) -> bool:
    """Return whether an encoder adds position vectors to those of its tokens."""
    positions = getattr(bundle.model_config, "positions", "none")
    has_tap = bundle.model.encoder is not None and TAP in taps(bundle.model)
    return has_tap and positions not in NO_VECTORS


def turn_around(rows: Rows) -> tuple[int, ...]:
    """Return the numbers of a text's tokens in the order of the text backwards.

    Tokens that spell one character together stay in their order; special tokens in their place.
    """
    tokens = rows.source.tokens if rows.source is not None else ()
    text = [(i, token) for i, token in enumerate(tokens) if not token.special]
    groups = [list(group) for _, group in groupby(text, lambda each: (each[1].start, each[1].end))]
    backwards = (i for group in reversed(groups) for i, _ in group)
    return tuple(i if token.special else next(backwards) for i, token in enumerate(tokens))


def find_order(rows: Rows, other: Rows) -> tuple[int, ...]:
    """Return the numbers of a text's tokens in the order of another text.

    Equal tokens keep their order. Raises: UsageError naming the tokens that only one text has.
    """
    assert rows.source is not None
    assert other.source is not None
    left = defaultdict[int, list[int]](list)  # the numbers of each id's tokens, the first one last
    for i, token in reversed(list(enumerate(rows.source.tokens))):
        left[token.id].append(i)
    order, unknown = list[int](), list[Token]()
    for token in other.source.tokens:
        if left[token.id]:
            order.append(left[token.id].pop())
        else:
            unknown.append(token)
    unused = [rows.source.tokens[i] for i in sorted(chain(*left.values()))]
    for name, tokens in (("first", unused), ("second", unknown)):
        if tokens:
            raise UsageError(
                f"the texts have different tokens. Only the {name} has {_list(tokens)}. Give the"
                " same words in another order."
            )
    return tuple(order)


def _list(tokens: Sequence[Token]) -> str:
    """Return the first few tokens, readable."""
    names = [repr((token.display or token.piece).strip()) for token in tokens[:SHOWN]]
    return ", ".join(names) + ", ..." * (len(tokens) > SHOWN)


def _changes(rows: Rows, order: Sequence[int]) -> bool:
    """Return whether the ids are others in an order."""
    ids = rows.inputs.ids[0].tolist()
    return ids != [ids[i] for i in order]


def measure_order(
    bundle: Bundle, rows: Rows, order: Sequence[int], *, has_positions: bool
) -> OrderEffect:
    """Compare the encoder's states of a text with those of the same tokens in another order.

    order: the tokens of the other text, as numbers of those of the first.
    has_positions=False: all position vectors are 0; attention and feed-forward treat all positions
    alike, so the states then are the same.
    Raises: UsageError if the model adds no position vectors, or the order changes nothing.
    """
    if not has_position_vectors(bundle):
        raise UsageError("this model has no encoder that adds position vectors.")
    if not _changes(rows, order):
        raise UsageError("both texts are the same tokens in the same order. Change the order.")
    other = replace(rows, inputs=rows.inputs._replace(ids=rows.inputs.ids[:, list(order)]))
    off = edit(bundle.model, TAP, lambda _, x: torch.zeros_like(x))
    with nullcontext() if has_positions else off:
        first, second = (trace_rows(bundle, each, SPEC) for each in (rows, other))
    return _compare(first, second, tuple(order))


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
