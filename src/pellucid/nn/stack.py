"""Stacks of layers on an embedding: what reads, and what writes."""

from collections.abc import Sequence

from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.attention import Memory, Slots
from pellucid.nn.embedding import Embedding
from pellucid.nn.layer import DecoderLayer, EncoderLayer
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.norms import build_norm
from pellucid.nn.positions import DistanceBias, places_of
from pellucid.taps import Tap


class Stack(nn.Module):
    """Embedding and layers; pre-norm layers leave their sum unnormalised, so a norm ends it."""

    def __init__(
        self, c: ModelConfig, vocab_size: int, layers: Sequence[nn.Module], both_ways: bool
    ) -> None:
        super().__init__()
        self.embedding = Embedding(c, vocab_size)
        self.layers = nn.ModuleList(layers)
        self.norm = build_norm(c) if c.norm_place == "pre" else nn.Identity()
        self.distances = DistanceBias(c, both_ways) if c.positions == "buckets" else None
        self.windows = [c.window(i) for i in range(len(layers))]
        self.output = Tap()

    def masks(self, mask: Mask) -> list[MaskTensors]:
        """Each layer's own mask; layers of one window share one."""
        by_window = {w: MaskTensors(mask.windowed(w) if w else mask) for w in set(self.windows)}
        return [by_window[w] for w in self.windows]

    def bias(self, n_queries: int, offset: int) -> Tensor | None:
        """What all layers add to their scores, (1, H, T, S)."""
        return None if self.distances is None else self.distances(n_queries, offset)


class Encoder(Stack):
    """Reads a whole text at once."""

    def __init__(self, c: ModelConfig) -> None:
        layers = [EncoderLayer(c) for _ in range(c.n_encoder_layers)]
        super().__init__(c, c.vocab_size, layers, both_ways=True)
        self.counts_real = c.positions == "learned-real"

    def forward(self, ids: Tensor, mask: Mask, segments: Tensor | None = None) -> Tensor:
        """ids (B, S), segments (B, S) -> memory (B, S, D)"""
        places = places_of(mask.keep) if self.counts_real and mask.keep is not None else None
        x = self.embedding(ids, 0, places, segments)
        distances = self.bias(ids.shape[1], 0)
        for layer, own_mask in zip(self.layers, self.masks(mask), strict=True):
            x = layer(x, own_mask, None, distances)
        return self.output(self.norm(x))


class Decoder(Stack):
    """Writes a text from left to right, looking at an encoder's output if there is one."""

    def __init__(self, c: ModelConfig) -> None:
        kind = DecoderLayer if c.n_encoder_layers else EncoderLayer
        layers = [kind(c) for _ in range(c.n_decoder_layers)]
        super().__init__(c, c.target_vocab_size or c.vocab_size, layers, both_ways=False)

    def forward(
        self,
        ids: Tensor,
        mask: Mask,
        memory: Memory | Sequence[Memory] | None = None,
        slots: Sequence[Slots] | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """ids (R, T), the first at place `mask.offset` or each at its own -> state (R, T, D)

        memory: what every layer looks at, or for each layer what it has read of that.
        """
        x = self.embedding(ids, mask.offset, places)
        distances = self.bias(ids.shape[1], mask.offset)
        for i, (layer, own_mask) in enumerate(zip(self.layers, self.masks(mask), strict=True)):
            own = None if slots is None else slots[i]
            if memory is None:
                x = layer(x, own_mask, own, distances)
            else:
                source = memory if isinstance(memory, Memory) else memory[i]
                x = layer(x, own_mask, own, distances, source)
        return self.output(self.norm(x))
