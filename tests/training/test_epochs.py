"""Updates of a run that is counted in epochs. Authority: arithmetic."""

from dataclasses import replace

import numpy as np
import pytest

from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError
from pellucid.training.epochs import count_updates

C = TrainingConfig(
    max_updates=0,
    epochs=3.0,
    max_tokens=0,
    batch_examples=10,
    schedule="linear",
    warmup=5,
    validate_every=0,
    checkpoint_every=0,
)
LENGTHS = np.full((1000, 1), 7, np.int32)


@pytest.mark.parametrize(
    ("changes", "n", "updates", "often"),
    [
        ({}, 1000, 300, 50),
        ({}, 1001, 303, 50),  # 101 batches an epoch
        ({"accumulate": 4}, 1000, 75, 25),
        ({"epochs": 0.25}, 1000, 25, 50),
        ({"epochs": 0.1}, 970, 10, 48),  # 9.7 updates
        ({"max_tokens": 70, "batch_examples": 0}, 1000, 300, 50),
        ({"validate_every": 7}, 1000, 300, 7),
        ({"max_updates": 40, "epochs": 0.0}, 1000, 40, 50),
    ],
)
def test_updates_and_validations(changes, n, updates, often):
    c = count_updates(replace(C, **changes), LENGTHS[:1].repeat(n, axis=0), "length")
    assert (c.max_updates, c.epochs) == (updates, 0)
    assert (c.validate_every, c.checkpoint_every) == (often, often)


def test_a_warm_up_longer_than_the_training():
    with pytest.raises(ConfigError, match="warmup=5 must be below max_updates=3"):
        count_updates(C, LENGTHS[:10], "length")
