"""Recurrent layers, encoder and decoder."""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pellucid.config.baselines import BiLSTMConfig
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
    """An LSTM layer whose state is one tensor (2, B, D): the hidden state and the cell state."""

    n_states = 2

    def __init__(self, d_input: int, d_model: int) -> None:
        super().__init__(d_input, d_model, batch_first=True)

    def run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, d_input) from a state -> outputs (B, T, D) and the next state."""
        output, new_state = self(x, (state[:1], state[1:]))
        return output, torch.cat(new_state)


class GRU(nn.GRU):
    """A GRU layer. Its state (1, B, D) is the hidden state."""

    n_states = 1

    def __init__(self, d_input: int, d_model: int) -> None:
        super().__init__(d_input, d_model, batch_first=True)

    def run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, d_input) from a state -> outputs (B, T, D) and the next state."""
        return self(x, state)


CELLS = {"lstm": LSTM, "gru": GRU}


class BidirectionalLayer(nn.Module):
    """Two layers of width D / 2, one per direction, with concatenated outputs."""

    def __init__(self, c: RNNConfig | BiLSTMConfig, d_input: int) -> None:
        super().__init__()
        self.left_to_right = CELLS[c.cell](d_input, c.d_model // 2)
        self.right_to_left = CELLS[c.cell](d_input, c.d_model // 2)
        self.output = Tap()

    def forward(self, x: Tensor, mirror: Tensor) -> Tensor:
        """x (B, S, d_input), mirror (B, S) of `mirror_positions` -> (B, S, D)"""
        from_left, _ = self.left_to_right(x)  # (B, S, D / 2); padding is on the right
        from_right, _ = self.right_to_left(_reorder(x, mirror))  # (B, S, D / 2)
        return self.output(torch.cat((from_left, _reorder(from_right, mirror)), -1))


class Encoded(NamedTuple):
    """The output of a recurrent encoder."""

    memory: Tensor  # (B, S, D), outputs of both directions at each token
    vector: Tensor  # (B, D), last outputs of both directions


class RecurrentEncoder(nn.Module):
    """A bidirectional encoder (Schuster and Paliwal 1997; Bahdanau et al. 2015, 3.2)."""

    def __init__(self, c: RNNConfig | BiLSTMConfig) -> None:
        super().__init__()
        shared = shared_config(c, c.embedding_width)
        if isinstance(c, BiLSTMConfig):
            ngrams, rows = c.character_ngrams, c.ngram_rows
            shared = replace(shared, n_decoder_layers=0, character_ngrams=ngrams, ngram_rows=rows)
        self.embedding = Embedding(shared, c.vocab_size)
        inputs = [c.embedding_width, *[c.d_model] * (c.n_encoder_layers - 1)]
        self.layers = nn.ModuleList([BidirectionalLayer(c, d_input) for d_input in inputs])
        self.p = c.dropout
        self.output = Tap()

    def forward(self, ids: Tensor, mask: Mask) -> Tensor:
        """ids (B, S) -> memory (B, S, D)"""
        return self.encode(ids, mask).memory

    def encode(self, ids: Tensor, mask: Mask) -> Encoded:
        """Encode ids (B, S), padded on the right. Raises: UsageError if padded elsewhere."""
        lengths = count_tokens(ids, mask.keep)  # (B,)
        mirror = mirror_positions(lengths, ids.shape[1])  # (B, S)
        x = self.embedding(ids)  # (B, S, E)
        for i, layer in enumerate(self.layers):
            x = layer(dropout(x, self.p, self.training) if i else x, mirror)  # (B, S, D)
        x = self.output(x)
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, x.shape[-1])
        from_left, from_right = x.gather(1, last)[:, 0], x[:, 0]
        half = x.shape[-1] // 2
        vector = torch.cat((from_left[:, :half], from_right[:, half:]), -1)  # (B, D)
        return Encoded(x, vector * (lengths > 0)[:, None])  # zeros for a text without tokens


class RecurrentDecoder(nn.Module):
    """A decoder of recurrent layers, optionally with attention and input feeding.

    Its state (N, R, D) stacks the states of the layers and, with input feeding, the last
    attentional vector (Luong et al. 2015, 3.3).
    """

    def __init__(self, c: RNNConfig) -> None:
        super().__init__()
        self.embedding = Embedding(
            shared_config(c, c.embedding_width), c.target_vocab_size or c.vocab_size
        )
        first = c.embedding_width + c.d_model * c.input_feeding
        inputs = [first, *[c.d_model] * (c.n_decoder_layers - 1)]
        self.layers = nn.ModuleList([CELLS[c.cell](d_input, c.d_model) for d_input in inputs])
        self.n_states = CELLS[c.cell].n_states
        self.first = Linear(c.d_model, self.n_states * c.n_decoder_layers * c.d_model)
        self.attention = None if c.attention == "none" else Attention(c.attention, c.d_model)
        self.feeds_input = c.input_feeding
        self.p = c.dropout
        self.states, self.output = Tap(), Tap()

    def start(self, encoded: Encoded, mask: Mask) -> tuple[Tensor, Memory | None]:
        """Return the initial state (N, B, D) and the memory.

        The state is the tanh of a projection of the last encoder outputs.
        Source: Bahdanau et al. 2015, appendix A.2.2, but with both directions instead of one.
        """
        state = torch.tanh(self.first(encoded.vector))  # (B, N D)
        state = state.unflatten(-1, (-1, encoded.vector.shape[-1])).transpose(0, 1)  # (N, B, D)
        if self.feeds_input:  # the attentional vector is zero before the first token
            state = torch.cat((state, torch.zeros_like(state[:1])))
        memory = None if self.attention is None else self.attention.read(encoded.memory, mask)
        return state.contiguous(), memory

    def forward(self, ids: Tensor, state: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor]:
        """ids (R, T) from a state (N, R, D) -> outputs (R, T, D) and the next state."""
        x = self.embedding(ids)  # (R, T, E)
        run = self._run_with_feeding if self.feeds_input else self._run
        x, state = run(x, state, memory)  # (R, T, D)
        return self.output(dropout(x, self.p, self.training)), state

    def _run_with_feeding(
        self, x: Tensor, state: Tensor, memory: Memory | None
    ) -> tuple[Tensor, Tensor]:
        """x (R, T, E) -> (R, T, D), token by token, as each output is an input of the next step."""
        state, outputs = state[:-1], [state[-1][:, None]]  # (N - 1, R, D), (R, 1, D)
        for token in x.split(1, 1):  # (R, 1, E)
            output, state = self._run(torch.cat((token, outputs[-1]), -1), state, memory)
            outputs.append(output)
        return torch.cat(outputs[1:], 1), torch.cat((state, outputs[-1].transpose(0, 1)))

    def _run(self, x: Tensor, state: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor]:
        """x (R, T, .) -> (R, T, D), with all T tokens of a layer at once."""
        new_states = []
        states = state.split(self.n_states)
        for i, (layer, old) in enumerate(zip(self.layers, states, strict=True)):
            x, new = layer.run(dropout(x, self.p, self.training) if i else x, old)  # type: ignore[operator]
            new_states.append(new)
        x = self.states(x)
        if self.attention is not None:
            x = self.attention(x, memory)
        return x, torch.cat(new_states)


def shared_config(c: Any, d_model: int) -> ModelConfig:
    """Return a config for modules shared with the Transformer, such as the embedding.

    c: a config with vocab_size, target_vocab_size and dropout.
    """
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


def count_tokens(ids: Tensor, keep: Tensor | None) -> Tensor:
    """Return the number of real tokens per row (B,).

    Raises: UsageError if padding is not on the right.
    """
    if keep is None:
        return torch.full((len(ids),), ids.shape[1], device=ids.device)
    if bool((keep[:, 1:] & ~keep[:, :-1]).any()):
        raise UsageError("sources of a recurrent model must be padded on the right.")
    return keep.sum(1)


def mirror_positions(lengths: Tensor, n_tokens: int) -> Tensor:
    """Return positions (B, S) that reverse the real tokens of each row and keep its padding."""
    positions = torch.arange(n_tokens, device=lengths.device)
    mirror = lengths[:, None] - 1 - positions  # (B, S), negative for padding
    return torch.where(mirror >= 0, mirror, positions)


def _reorder(x: Tensor, positions: Tensor) -> Tensor:
    """Return x (B, S, D) with the tokens of each row in the order of positions (B, S)."""
    return x.gather(1, positions[..., None].expand(-1, -1, x.shape[-1]))
