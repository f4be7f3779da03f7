"""Low-rank changes of weights (LoRA; Hu et al. 2022)."""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pellucid.errors import ConfigError
from pellucid.nn.linear import Linear


class LowRankChange(nn.Module):
    """W + B A alpha / r, as the parametrization of a weight W that is not trained.

    A (r, in) is drawn from N(0, 1 / in), B (out, r) is 0, so that training starts from W.
    Source: Hu et al. 2022, section 4.1.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        n_out, n_in = weight.shape
        a = torch.randn(rank, n_in, generator=generator) * n_in**-0.5
        self.a = nn.Parameter(a.to(weight))
        self.b = nn.Parameter(weight.new_zeros(n_out, rank))
        self.scale = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.b @ self.a * self.scale  # (out, in)


def add_lora(
    module: nn.Module, linears: Collection[str], rank: int, alpha: float, seed: int
) -> None:
    """Add a low-rank change to the linear layers of these names in all Transformer layers.

    Raises: ConfigError if there is none.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = [
        linear
        for path, linear in module.named_modules()
        if isinstance(linear, Linear) and "layers." in path and path.split(".")[-1] in linears
    ]
    if not chosen:
        raise ConfigError(
            f"tuning.lora_linears: this model has no linear layer {', '.join(linears)} in its"
            " layers. LoRA needs a Transformer."
        )
    for linear in chosen:
        change = LowRankChange(linear.weight, rank, alpha, generator)
        parametrize.register_parametrization(linear, "weight", change)


def merge_lora(module: nn.Module) -> None:
    """Replace each weight with a low-rank change by their sum."""
    for part in list(module.modules()):
        if isinstance(part, Linear) and parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
