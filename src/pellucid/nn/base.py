"""What every whole model has, whatever it is made of."""

from typing import Any

from torch import Tensor, nn

from pellucid.config.head import HeadConfig
from pellucid.nn.cache import Cache, Step


class Model(nn.Module):
    """`heads[name](states)`, where the states are those of a decoder, or of an encoder alone."""

    config: Any
    """The dataclass that says its shape."""
    encoder: Any
    """What reads a source: `encoder(ids, mask) -> memory (B, S, D)`; None if there is none."""
    decoder: Any
    """What writes, or None."""
    heads: nn.ModuleDict
    head_configs: dict[str, HeadConfig]

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """A cache that has read what is given before generation; see `Decoder` in nn/cache.py."""
        raise NotImplementedError

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache: logits (R, T, V) of what follows, and states."""
        raise NotImplementedError

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Pairs (kept name, alias) of parameters that are one."""
        raise NotImplementedError

    @property
    def source_weights(self) -> tuple[str, ...]:
        """Taps where attention to the source passes, (B, H, T, S), first layer first."""
        return ()
