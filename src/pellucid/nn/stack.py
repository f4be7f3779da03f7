"""Stacks of layers on an embedding: what reads, and what writes."""

from collections.abc import Sequence

from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.attention import KeysValues, Slots
from pellucid.nn.embedding import Embedding
from pellucid.nn.layer import DecoderLayer, EncoderLayer
from pellucid.nn.masks import Mask
from pellucid.nn.norms import LayerNorm
from pellucid.taps import Tap


class Stack(nn.Module):
    """Embedding and layers; pre-norm layers leave their sum unnormalised, so a norm ends it."""

    def __init__(self, c: ModelConfig, vocab_size: int, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.embedding = Embedding(c, vocab_size)
        self.layers = nn.ModuleList(layers)
        self.norm = LayerNorm(c) if c.norm_place == "pre" else nn.Identity()
        self.output = Tap()


class Encoder(Stack):
    """Reads a whole text at once."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c, c.vocab_size, [EncoderLayer(c) for _ in range(c.n_encoder_layers)])

    def forward(self, ids: Tensor, mask: Mask) -> Tensor:
        """ids (B, S) -> memory (B, S, D)"""
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, mask)
        return self.output(self.norm(x))


class Decoder(Stack):
    """Writes a text from left to right, looking at an encoder's output if there is one."""

    def __init__(self, c: ModelConfig) -> None:
        kind = DecoderLayer if c.n_encoder_layers else EncoderLayer
        vocab_size = c.target_vocab_size or c.vocab_size
        super().__init__(c, vocab_size, [kind(c) for _ in range(c.n_decoder_layers)])

    def forward(
        self,
        ids: Tensor,
        mask: Mask,
        memory: Tensor | Sequence[KeysValues] | None = None,
        memory_mask: Mask | None = None,
        slots: Sequence[Slots] | None = None,
    ) -> Tensor:
        """ids (R, T), the first at place `mask.offset` -> state (R, T, D)"""
        x = self.embedding(ids, mask.offset)
        for i, layer in enumerate(self.layers):
            own = None if slots is None else slots[i]
            if memory is None:
                x = layer(x, mask, own)
            else:
                source = memory if isinstance(memory, Tensor) else memory[i]
                x = layer(x, mask, own, source, memory_mask)
        return self.output(self.norm(x))
