"""The interface that all models share."""

from typing import Any

from torch import Tensor, nn

from pellucid.config.head import HeadConfig
from pellucid.errors import UsageError
from pellucid.nn.cache import Cache, Step

NO_DECODER = "this model has an encoder only: it cannot generate text."


class Model(nn.Module):
    """A stack or two with heads: `heads[name](states)` gives predictions.

    The states are the decoder's, or the encoder's if there is no decoder.
    """

    config: Any
    """The dataclass that defines the model's shape."""
    encoder: Any
    """`encoder(ids, mask) -> memory (B, S, D)`, or None."""
    decoder: Any
    """Predicts the next token of a text, or None."""
    heads: nn.ModuleDict
    head_configs: dict[str, HeadConfig]

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """Return a cache that holds the source; see `Decoder` in nn/cache.py.

        Raises: UsageError if the model has no decoder, as below.
        """
        raise UsageError(NO_DECODER)

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache and return next-token logits (R, T, V) and states."""
        raise UsageError(NO_DECODER)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Return pairs (name, alias) of parameters that are one tensor; by default none."""
        return ()

    @property
    def source_weights(self) -> tuple[str, ...]:
        """Taps of the attention weights over the source (B, H, T, S), first layer first."""
        return ()
