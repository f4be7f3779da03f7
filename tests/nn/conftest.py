"""Each test of the blocks starts from the same random numbers, in whatever order they run."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
