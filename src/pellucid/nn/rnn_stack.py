"""Recurrent layers, and what reads and what writes by them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.errors import UsageError
from pellucid.nn.attention import Memory
from pellucid.nn.dropout import dropout
from pellucid.nn.embedding import Embedding
from pellucid.nn.linear import Linear
from pellucid.nn.masks import Mask
from pellucid.nn.rnn_attention import Attention
from pellucid.taps import Tap


class LSTM(nn.LSTM):
    """A layer in one direction whose state is one tensor: (2, B, D), output and memory cell."""

    parts = 2

    def __init__(self, d_input: int, d_model: int) -> None:
        super().__init__(d_input, d_model, batch_first=True)

    def run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, d_input) read from a state on: outputs (B, T, D), and the state after them."""
        output, after = self(x, (state[:1], state[1:]))
        return output, torch.cat(after)


class GRU(nn.GRU):
    """A layer in one direction; its state (1, B, D) is its output."""

    parts = 1

    def __init__(self, d_input: int, d_model: int) -> None:
        super().__init__(d_input, d_model, batch_first=True)

    def run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, d_input) read from a state on: outputs (B, T, D), and the state after them."""
        return self(x, state)


CELLS = {"lstm": LSTM, "gru": GRU}


class BothWays(nn.Module):
    """Two layers of half the width, one from the left and one from the right, side by side."""

    def __init__(self, c: RNNConfig, d_input: int) -> None:
        super().__init__()
        self.onward = CELLS[c.cell](d_input, c.d_model // 2)
        self.back = CELLS[c.cell](d_input, c.d_model // 2)

    def forward(self, x: Tensor, mirror: Tensor) -> Tensor:
        """x (B, S, d_input), mirror (B, S) as of `mirrored` -> (B, S, D)"""
        onward, _ = self.onward(x)  # (B, S, D / 2); padding stands behind what is real
        back, _ = self.back(_along(x, mirror))
        return torch.cat((onward, _along(back, mirror)), -1)


class Read(NamedTuple):
    """What an encoder makes of its sources."""

    memory: Tensor  # (B, S, D), each token's two directions
    vector: Tensor  # (B, D), the whole text: each direction where it has read all


class RecurrentEncoder(nn.Module):
    """Reads texts in both directions (Schuster and Paliwal 1997; Bahdanau et al. 2015, 3.2)."""

    def __init__(self, c: RNNConfig) -> None:
        super().__init__()
        self.embedding = Embedding(widths(c, c.embedding_width), c.vocab_size)
        inputs = [c.embedding_width, *[c.d_model] * (c.n_encoder_layers - 1)]
        self.layers = nn.ModuleList([BothWays(c, d_input) for d_input in inputs])
        self.p = c.dropout
        self.output = Tap()

    def forward(self, ids: Tensor, mask: Mask) -> Tensor:
        """ids (B, S) -> memory (B, S, D)"""
        return self.read(ids, mask).memory

    def read(self, ids: Tensor, mask: Mask) -> Read:
        """ids (B, S), padded on the right. Raises: UsageError if they are padded elsewhere."""
        lengths = lengths_of(ids, mask.keep)  # (B,)
        mirror = mirrored(lengths, ids.shape[1])  # (B, S)
        x = self.embedding(ids)  # (B, S, E)
        for i, layer in enumerate(self.layers):
            x = layer(dropout(x, self.p, self.training) if i else x, mirror)  # (B, S, D)
        x = self.output(x)
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, x.shape[-1])
        onward, back = x.gather(1, last)[:, 0], x[:, 0]
        half = x.shape[-1] // 2
        vector = torch.cat((onward[:, :half], back[:, half:]), -1)  # (B, D)
        return Read(x, vector * (lengths > 0)[:, None])  # a text without a token says nothing


class RecurrentDecoder(nn.Module):
    """Writes a text from left to right, each token from one state.

    Its state (N, R, D) holds for each layer the parts of its cell, and with input feeding at the
    end the last attentional vector.
    """

    def __init__(self, c: RNNConfig) -> None:
        super().__init__()
        self.embedding = Embedding(
            widths(c, c.embedding_width), c.target_vocab_size or c.vocab_size
        )
        first = c.embedding_width + c.d_model * c.input_feeding
        inputs = [first, *[c.d_model] * (c.n_decoder_layers - 1)]
        self.layers = nn.ModuleList([CELLS[c.cell](d_input, c.d_model) for d_input in inputs])
        self.parts = CELLS[c.cell].parts
        self.first = Linear(c.d_model, self.parts * c.n_decoder_layers * c.d_model)
        self.attention = None if c.attention == "none" else Attention(c.attention, c.d_model)
        self.feeds = c.input_feeding
        self.p = c.dropout
        self.states, self.output = Tap(), Tap()

    def begin(self, read: Read, mask: Mask) -> tuple[Tensor, Memory | None]:
        """The first state (N, B, D), tanh of a projection of the source, and what to look at.

        Source: Bahdanau et al. 2015, appendix A.2.2, from both directions in place of one.
        """
        state = torch.tanh(self.first(read.vector))  # (B, N D)
        state = state.unflatten(-1, (-1, read.vector.shape[-1])).transpose(0, 1)  # (N, B, D)
        if self.feeds:  # nothing was found before the first token
            state = torch.cat((state, torch.zeros_like(state[:1])))
        memory = None if self.attention is None else self.attention.read(read.memory, mask)
        return state.contiguous(), memory

    def forward(self, ids: Tensor, state: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor]:
        """ids (R, T) read from a state (N, R, D) on -> outputs (R, T, D), and the state after."""
        x = self.embedding(ids)  # (R, T, E)
        read = self._fed if self.feeds else self._advance
        x, state = read(x, state, memory)  # (R, T, D)
        return self.output(dropout(x, self.p, self.training)), state

    def _fed(self, x: Tensor, state: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor]:
        """One token after the other: what a step reads hangs on what the one before it found."""
        state, found = state[:-1], [state[-1][:, None]]  # (N - 1, R, D), (R, 1, D)
        for token in x.split(1, 1):  # (R, 1, E)
            step, state = self._advance(torch.cat((token, found[-1]), -1), state, memory)
            found.append(step)
        return torch.cat(found[1:], 1), torch.cat((state, found[-1].transpose(0, 1)))

    def _advance(self, x: Tensor, state: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor]:
        """x (R, T, .) -> (R, T, D), each layer over all T tokens at once, then attention."""
        after = []
        for i, (layer, own) in enumerate(zip(self.layers, state.split(self.parts), strict=True)):
            x, own = layer.run(dropout(x, self.p, self.training) if i else x, own)  # type: ignore[operator]
            after.append(own)
        x = self.states(x)
        if self.attention is not None:
            x = self.attention(x, memory)
        return x, torch.cat(after)


def widths(c: RNNConfig, d_model: int) -> ModelConfig:
    """What the parts that all models share must know: vocabularies, and the width they work on."""
    return ModelConfig(
        vocab_size=c.vocab_size,
        target_vocab_size=c.target_vocab_size,
        d_model=d_model,
        n_heads=1,
        positions="none",
        scale_embeddings=False,
        tie_embeddings="none",
        dropout=c.dropout,
    )


def lengths_of(ids: Tensor, keep: Tensor | None) -> Tensor:
    """(B,) real tokens of each row. Raises: UsageError if padding is anywhere but on the right."""
    if keep is None:
        return torch.full((len(ids),), ids.shape[1], device=ids.device)
    if bool((keep[:, 1:] & ~keep[:, :-1]).any()):
        raise UsageError("sources of this model must be padded on the right, and only there.")
    return keep.sum(1)


def mirrored(lengths: Tensor, n_tokens: int) -> Tensor:
    """(B, S) for each place the one that mirrors it among the real tokens; padding stays."""
    places = torch.arange(n_tokens, device=lengths.device)
    mirror = lengths[:, None] - 1 - places  # (B, S), negative for padding
    return torch.where(mirror >= 0, mirror, places)


def _along(x: Tensor, places: Tensor) -> Tensor:
    """x (B, S, D) with each row in the order of its places (B, S)."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))
