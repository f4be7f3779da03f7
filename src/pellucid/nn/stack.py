"""Encoder and decoder: stacks of layers on an embedding."""

from collections.abc import Sequence

from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.attention import Memory, Slots
from pellucid.nn.embedding import Embedding
from pellucid.nn.layer import DecoderLayer, EncoderLayer
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.norms import build_norm
from pellucid.nn.positions import DistanceBias, positions_of
from pellucid.taps import Tap


class Stack(nn.Module):
    """Embedding, layers and, after pre-norm layers, a final norm: their sum is not normalised."""

    mask_tensors: type[MaskTensors] = MaskTensors
    """Replaced where a graph of any batch and length is traced."""

    def __init__(
        self, c: ModelConfig, vocab_size: int, layers: Sequence[nn.Module], is_bidirectional: bool
    ) -> None:
        super().__init__()
        self.embedding = Embedding(c, vocab_size)
        self.layers = nn.ModuleList(layers)
        self.norm = build_norm(c) if c.norm_place == "pre" else nn.Identity()
        self.distances = DistanceBias(c, is_bidirectional) if c.positions == "buckets" else None
        self.windows = [c.window(i) for i in range(len(layers))]
        self.output = Tap()

    def masks(self, mask: Mask) -> list[MaskTensors]:
        """Return each layer's mask; layers of the same window share one."""
        windows = set(self.windows)
        by_window = {w: self.mask_tensors(mask.with_window(w) if w else mask) for w in windows}
        return [by_window[w] for w in self.windows]

    def bias(self, n_queries: int, offset: int) -> Tensor | None:
        """Return the bias (1, H, T, S) that all layers add to their scores, if there is one."""
        return None if self.distances is None else self.distances(n_queries, offset)


class Encoder(Stack):
    """Maps a text to memory, each position attending to all."""

    def __init__(self, c: ModelConfig) -> None:
        layers = [EncoderLayer(c) for _ in range(c.n_encoder_layers)]
        super().__init__(c, c.vocab_size, layers, is_bidirectional=True)
        self.skips_padding = c.positions in ("learned-real", "sinusoid-real")

    def forward(self, ids: Tensor, mask: Mask, segments: Tensor | None = None) -> Tensor:
        """ids (B, S), segments (B, S) -> memory (B, S, D)"""
        positions = None
        if self.skips_padding and mask.keep is not None:
            positions = positions_of(mask.keep)
        x = self.embedding(ids, 0, positions, segments)
        distances = self.bias(ids.shape[1], 0)
        for layer, layer_mask in zip(self.layers, self.masks(mask), strict=True):
            x = layer(x, layer_mask, None, distances)
        return self.output(self.norm(x))


class Decoder(Stack):
    """Predicts a text from left to right, attending to an encoder's output if there is one."""

    def __init__(self, c: ModelConfig) -> None:
        kind = DecoderLayer if c.n_encoder_layers else EncoderLayer
        layers = [kind(c) for _ in range(c.n_decoder_layers)]
        super().__init__(c, c.target_vocab_size or c.vocab_size, layers, is_bidirectional=False)

    def forward(
        self,
        ids: Tensor,
        mask: Mask,
        memory: Memory | Sequence[Memory] | None = None,
        slots: Sequence[Slots] | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """ids (R, T), at positions from `mask.offset` or at `positions` (R, T) -> (R, T, D).

        memory: the encoder's output, or each layer's keys and values of it.
        """
        x = self.embedding(ids, mask.offset, positions)
        return self.run_layers(x, mask, memory, slots, self.bias(ids.shape[1], mask.offset))

    def run_layers(
        self,
        x: Tensor,
        mask: Mask,
        memory: Memory | Sequence[Memory] | None,
        slots: Sequence[Slots] | None,
        distances: Tensor | None,
    ) -> Tensor:
        """x (R, T, D), the embedded text -> (R, T, D); distances: as of `bias`."""
        for i, (layer, layer_mask) in enumerate(zip(self.layers, self.masks(mask), strict=True)):
            layer_slots = None if slots is None else slots[i]
            if memory is None:
                x = layer(x, layer_mask, layer_slots, distances)
            else:
                source = memory if isinstance(memory, Memory) else memory[i]
                x = layer(x, layer_mask, layer_slots, distances, source)
        return self.output(self.norm(x))
