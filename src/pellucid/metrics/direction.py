"""Which way a score improves, by its name: the trainer keeps the best model by it."""

from collections.abc import Mapping
from typing import Literal

from pellucid.errors import ConfigError

Direction = Literal["higher", "lower"]

DIRECTIONS: Mapping[str, Direction] = {
    "loss": "lower",
    "perplexity": "lower",
    "ter": "lower",
    "error_rate": "lower",
    "bleu": "higher",
    "chrf": "higher",
    "rouge1": "higher",
    "rouge2": "higher",
    "rougeL": "higher",
    "accuracy": "higher",
    "token_accuracy": "higher",
    "precision": "higher",
    "recall": "higher",
    "f1": "higher",
    "macro_f1": "higher",
    "exact_match": "higher",
    "matthews": "higher",
    "pearson": "higher",
    "spearman": "higher",
}
"""A task adds its metrics here when it adds them to `metrics/`."""


def direction(name: str) -> Direction:
    """Return whether a higher or a lower value of this metric is better.

    Raises: ConfigError if the metric is unknown: guessing could keep the worst checkpoint.
    """
    if name not in DIRECTIONS:
        raise ConfigError(
            f"{name[:60]!r} is no metric with a known direction, so the best checkpoint cannot be"
            f" chosen by it. Known: {', '.join(DIRECTIONS)}."
        )
    return DIRECTIONS[name]


def is_better(name: str, value: float, best: float | None) -> bool:
    """Return whether `value` is strictly better than the best so far; None: nothing so far.

    NaN is never better.  Raises: ConfigError as `direction`.
    """
    higher = direction(name) == "higher"
    if value != value:  # NaN
        return False
    return best is None or (value > best if higher else value < best)
