"""Learning rates as functions of the update, counted from 1."""

import math

from pellucid.config.training import TrainingConfig


def noam(step: int, d_model: int, warmup: int) -> float:
    """Return the learning rate: linear warm-up for `warmup` updates, then decay as step ** -0.5.

    Raises: ValueError if step < 1.  Source: Vaswani et al. 2017, eq. 3.
    """
    _count_from_one(step)
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def inverse_sqrt(step: int, warmup: int) -> float:
    """Fraction of the peak: linear to 1 at `warmup`, then sqrt(warmup / step)."""
    _count_from_one(step)
    warmup = max(warmup, 1)
    return min(step / warmup, math.sqrt(warmup / step))


def linear(step: int, warmup: int, end: int) -> float:
    """Fraction of the peak: linear to 1 at `warmup`, then linear to 0 just after `end`."""
    _count_from_one(step)
    if step < warmup:
        return step / warmup
    return max(0.0, (end + 1 - step) / (end + 1 - warmup))


def cosine(step: int, warmup: int, end: int) -> float:
    """Fraction of the peak: linear to 1 at `warmup`, then half a cosine to 0 just after `end`.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.
    """
    _count_from_one(step)
    if step < warmup:
        return step / warmup
    done = min(1.0, (step - warmup) / (end + 1 - warmup))
    return 0.5 * (1 + math.cos(math.pi * done))


def constant(step: int, warmup: int) -> float:
    """Fraction of the peak: linear to 1 at `warmup`, then 1."""
    _count_from_one(step)
    return min(1.0, step / max(warmup, 1))


def learning_rate(step: int, c: TrainingConfig, d_model: int) -> float:
    """Return the learning rate of an update."""
    schedules = {
        "noam": lambda: noam(step, d_model, c.warmup),
        "inverse-sqrt": lambda: inverse_sqrt(step, c.warmup),
        "linear": lambda: linear(step, c.warmup, c.max_updates),
        "cosine": lambda: cosine(step, c.warmup, c.max_updates),
        "constant": lambda: constant(step, c.warmup),
    }
    return c.rate * schedules[c.schedule]()


def _count_from_one(step: int) -> None:
    if step < 1:
        raise ValueError(
            f"step={step}, but steps count from 1: at 0 the rate is undefined. Pass step + 1."
        )
