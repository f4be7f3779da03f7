"""Learning rate schedules. Steps are optimizer updates, counted from 1."""

import math

from pellucid.config.training import TrainingConfig


def noam(step: int, d_model: int, warmup: int) -> float:
    """Return the learning rate: linear warm-up for `warmup` updates, then decay as step ** -0.5.

    Raises: ValueError if step < 1.  Source: Vaswani et al. 2017, eq. 3.
    """
    _check_step(step)
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def inverse_sqrt(step: int, warmup: int) -> float:
    """Return the fraction of the peak: linear warm-up, then sqrt(warmup / step)."""
    _check_step(step)
    warmup = max(warmup, 1)
    return min(step / warmup, math.sqrt(warmup / step))


def linear(step: int, warmup: int, end: int) -> float:
    """Return the fraction of the peak: linear warm-up, then linear decay to 0 at `end` + 1."""
    _check_step(step)
    if step < warmup:
        return step / warmup
    return max(0.0, (end + 1 - step) / (end + 1 - warmup))


def cosine(step: int, warmup: int, end: int) -> float:
    """Return the fraction of the peak: linear warm-up, then cosine decay to 0 at `end` + 1.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.
    """
    _check_step(step)
    if step < warmup:
        return step / warmup
    fraction = min(1.0, (step - warmup) / (end + 1 - warmup))
    return 0.5 * (1 + math.cos(math.pi * fraction))


def constant(step: int, warmup: int) -> float:
    """Return the fraction of the peak: linear warm-up, then 1."""
    _check_step(step)
    return min(1.0, step / max(warmup, 1))


def learning_rate(step: int, c: TrainingConfig, d_model: int) -> float:
    """Return the learning rate at a step."""
    schedules = {
        "noam": lambda: noam(step, d_model, c.warmup),
        "inverse-sqrt": lambda: inverse_sqrt(step, c.warmup),
        "linear": lambda: linear(step, c.warmup, c.max_updates),
        "cosine": lambda: cosine(step, c.warmup, c.max_updates),
        "constant": lambda: constant(step, c.warmup),
    }
    return c.rate * schedules[c.schedule]()


def _check_step(step: int) -> None:
    if step < 1:
        raise ValueError(
            f"step={step}, but steps count from 1: at 0 the rate is undefined. Pass step + 1."
        )
