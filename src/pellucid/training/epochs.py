"""The number of updates of a run, once its training data is encoded."""

from dataclasses import replace
from math import ceil

import numpy as np

from pellucid.config.training import TrainingConfig
from pellucid.data.batching import Batches, Order

MIN_INTERVAL = 25
"""Minimum number of updates between two validations, unless set in the config."""


def make_batches(lengths: np.ndarray, c: TrainingConfig, order: Order) -> Batches:
    """Return the endless sequence of micro-batches of examples with these lengths."""
    return Batches(lengths, c.max_tokens, c.seed, order, c.batch_examples)


def count_updates(c: TrainingConfig, lengths: np.ndarray, order: Order) -> TrainingConfig:
    """Return the settings with numbers of updates in place of `epochs` and intervals of 0.

    lengths: (N, sides) of the training examples.
    Raises: ConfigError if the warm-up is longer than the training.
    """
    per_epoch = make_batches(lengths, c, order).n_batches / c.accumulate
    updates = c.max_updates or ceil(round(c.epochs * per_epoch, 6))
    every = c.validate_every or max(MIN_INTERVAL, round(per_epoch / 2))
    return replace(
        c,
        max_updates=updates,
        epochs=0.0,
        validate_every=every,
        checkpoint_every=c.checkpoint_every or every,
    )


def describe_batch(c: TrainingConfig) -> str:
    """Return the size of the batch of an update, in words."""
    if c.batch_examples:
        return f"{c.batch_examples * c.accumulate:,} examples"
    return f"at most {c.max_tokens * c.accumulate:,} tokens"
