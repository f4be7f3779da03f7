"""A generator of replaced tokens that shares its embeddings with a discriminator."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.base import Model
from pellucid.nn.weights import tie


class GeneratorAndDiscriminator(nn.Module):
    """Two encoders that share their embeddings."""

    def __init__(self, discriminator: Model, generator: Model) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        tie(self)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Return pairs (name, alias) of parameters that are one tensor.

        The embeddings of tokens, positions and segments are shared, with their norm, but not the
        projection to the width of the layers (section 3.2, and the released code).
        """
        prefix = "encoder.embedding."
        shared = [
            (f"discriminator.{name}", f"generator.{name}")
            for name, _ in self.discriminator.named_parameters()
            if name.startswith(prefix) and not name.startswith(f"{prefix}widen.")
        ]
        models = {"discriminator": self.discriminator, "generator": self.generator}
        inner = [
            (f"{part}.{name}", f"{part}.{alias}")
            for part, model in models.items()
            for name, alias in model.ties()
        ]
        return (*shared, *inner)


def generator_config(c: ModelConfig, size: float) -> ModelConfig:
    """Return the config of a generator whose layers have a fraction of the discriminator's width.

    It has as many layers, and embeddings of the discriminator's width.
    """
    n_heads = max(1, round(c.n_heads * size))
    width = n_heads * max(1, round(c.d_model * size / n_heads))
    d_embedding = 0 if width == c.embedding_width else c.embedding_width
    d_ff = max(1, round(c.d_ff * size))
    return replace(c, n_heads=n_heads, d_model=width, d_ff=d_ff, d_embedding=d_embedding)


def sample_replacements(logits: Tensor, draws: Tensor) -> Tensor:
    """Return a sample of each distribution: logits (N, V), uniform draws (N,) -> ids (N,)."""
    sums = logits.float().softmax(-1).cumsum(-1)  # (N, V)
    thresholds = draws[:, None] * sums[:, -1:]
    return torch.searchsorted(sums, thresholds, right=True)[:, 0].clamp(max=logits.shape[1] - 1)
