"""Small models with every weight random, and batches with real padding for them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.model import Transformer, build
from pellucid.nn.norms import LayerNorm

SMALL = ModelConfig(
    vocab_size=13,
    d_model=16,
    n_encoder_layers=2,
    n_decoder_layers=2,
    n_heads=4,
    d_ff=24,
    max_length=64,
    dropout=0.0,
)
ENCODER = replace(SMALL, n_decoder_layers=0)
DECODER = replace(SMALL, n_encoder_layers=0)


class Batch(NamedTuple):
    """Ids of sources and targets, and which of the sources' are real."""

    source: Tensor  # (B, S)
    keep: Tensor  # (B, S)
    target: Tensor  # (B, T)


def small(**changes: object) -> ModelConfig:
    """Return the config of the small encoder-decoder with changes."""
    return replace(SMALL, **changes)  # type: ignore[arg-type]


def randomize(module: nn.Module, seed: int = 0) -> None:
    """Make every weight random, biases and gains too: a test at zero biases would miss them."""
    rng = torch.Generator().manual_seed(seed)
    for child in module.modules():
        for name, parameter in child.named_parameters(recurse=False):
            parameter.data.normal_(std=0.3, generator=rng)
            if isinstance(child, LayerNorm) and name == "weight":
                parameter.data.add_(1.0)


def build_random(c: ModelConfig = SMALL, seed: int = 0) -> Transformer:
    """Build a model in evaluation mode with random weights."""
    model = build(c)
    randomize(model, seed)
    return model.eval()


def batch(lengths: tuple[int, ...] = (5, 7, 1), n_target: int = 6, seed: int = 0) -> Batch:
    """Return random ids; padding of the sources is random too."""
    rng = np.random.default_rng(seed)
    size = len(lengths), max(lengths)
    source = torch.from_numpy(rng.integers(0, SMALL.vocab_size, size))
    target = torch.from_numpy(rng.integers(0, SMALL.vocab_size, (len(lengths), n_target)))
    return Batch(source, torch.arange(size[1]) < torch.tensor(lengths)[:, None], target)


def max_difference(a: Tensor, b: Tensor) -> float:
    """Return the largest absolute difference; NaN if either has one."""
    assert a.shape == b.shape
    return float((a.double() - b.double()).detach().abs().max()) if a.numel() else 0.0
