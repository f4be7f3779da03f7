"""An exponential moving average of a module's weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class ExponentialMovingAverage:
    """shadow = decay * shadow + (1 - decay) * weight, after each update."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = {name: p.detach().clone() for name, p in module.named_parameters()}

    def update(self, module: nn.Module) -> None:
        """Update the average with the module's weights."""
        for name, parameter in module.named_parameters():
            self.shadow[name].lerp_(parameter.detach(), 1 - self.decay)

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore a saved average."""
        for name, shadow in self.shadow.items():
            shadow.copy_(tensors[name])

    @contextmanager
    def swap_into(self, module: nn.Module) -> Iterator[None]:
        """Put the average into the module while the context lasts."""
        kept = {name: p.detach().clone() for name, p in module.named_parameters()}
        _fill(module, self.shadow)
        try:
            yield
        finally:
            _fill(module, kept)


def _fill(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(tensors[name])
