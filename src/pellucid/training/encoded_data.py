"""Checks and messages about encoded data, before the first update."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.data.batching import Order
from pellucid.data.store import ExampleStore
from pellucid.errors import ConfigError
from pellucid.training.corpus import Corpus, LabelCounts
from pellucid.training.epochs import count_updates, describe_batch

MOST_LABELS = 20
"""Labels of a column whose counts are shown."""


def check_fits(config: RunConfig, train: ExampleStore, validation: ExampleStore) -> None:
    """Raises: ConfigError naming an example that is too long for the model or for a batch."""
    batch = config.training.max_tokens or sys.maxsize
    positions = config.model.max_positions or sys.maxsize
    whole_batch = f"training.max_tokens={batch} allows for a whole batch. Raise it"
    model = f"the model's {positions} positions. Use a larger model.max_length"
    for store, bound, what in (
        (train, batch, whole_batch),
        (train, positions, model),
        (validation, positions, model),
    ):
        longest = store.lengths.max(axis=1)
        worst = int(longest.argmax())
        if longest[worst] > bound:
            raise ConfigError(
                f"{store.origin(worst)} has {longest[worst]} tokens on its longer side, special"
                f" tokens included, more than {what}, or lower data.max_length so that it is left"
                " out or cut."
            )


def describe_data(
    config: RunConfig, corpus: Corpus, train: ExampleStore, lengths: np.ndarray, order: Order
) -> Iterator[str]:
    """Yield messages: labels, cut texts, duplicates, and the numbers of examples and updates.

    lengths: (N, sides) of the examples of an epoch.
    """
    yield from _describe_labels(corpus.training.labels)
    yield from _describe_problems(config, corpus, train)
    yield _summarize(config.model, train, count_updates(config.training, lengths, order))


def _describe_labels(counts: LabelCounts) -> Iterator[str]:
    for name, labels in counts.items():
        shown = [f"{label} {n:,}" for label, n in labels.most_common(MOST_LABELS)]
        if len(labels) > MOST_LABELS:
            shown.append(f"and {len(labels) - MOST_LABELS:,} more")
        if shown:  # an optional column may be absent
            yield f"{name}: {', '.join(shown)}"


def _describe_problems(config: RunConfig, corpus: Corpus, train: ExampleStore) -> Iterator[str]:
    n, duplicates = corpus.training.records, corpus.training.duplicates
    if train.n_cut and all(column.kind != "document" for column in corpus.columns):
        most, positions = config.data.max_length, config.model.max_positions
        bound = f"{positions} positions of the model" if 0 < positions < most else "data.max_length"
        yield f"{train.n_cut:,} of {n:,} training texts are longer than {bound} and are cut"
    for label, origin in list(corpus.unlearned.items())[:MOST_LABELS]:
        yield f"no training example has the label {label} of {origin}, so that it cannot be learned"
    if corpus.training.moved:
        yield (
            f"{corpus.training.moved:,} of {n:,} training examples have an answer that is not where"
            " the file says; its nearest occurrence is used"
        )
    if corpus.n_removed:
        yield (
            f"{corpus.n_removed:,} training examples share a text with held-out examples and are"
            " left out"
        )
    if duplicates:
        yield (
            f"{duplicates:,} of {n:,} training examples are also in the validation data, so its"
            " scores will be too good. Remove them from one of the two."
        )


def _summarize(model: Any, train: ExampleStore, c: TrainingConfig) -> str:
    layers = f"{model.n_encoder_layers}+{model.n_decoder_layers} layers"
    left_out = "".join(f", {n:,} {reason}" for reason, n in train.left_out.items())
    return (
        f"{len(train):,} examples{left_out}; {layers}, d_model {model.d_model};"
        f" {c.max_updates:,} updates of {describe_batch(c)}"
    )
