"""The recurrent translator as its papers write it, one row and one token at a time, in float64.

It shares nothing with ours but the weights: cells are torch's own LSTMCell and GRUCell, attention
is NumPy.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from nn.samples import randomize
from pellucid.config.rnn import RNNConfig
from pellucid.nn.model import build
from pellucid.nn.rnn import RecurrentTranslator

SMALL = RNNConfig(
    vocab_size=13,
    d_model=12,
    d_embedding=10,
    n_encoder_layers=2,
    n_decoder_layers=2,
    tie_embeddings="none",
    dropout=0.0,
)
KINDS = [
    (cell, attention, feeding)
    for cell in ("lstm", "gru")
    for attention in ("additive", "dot", "general", "none")
    for feeding in (False, True)
    if not (feeding and attention == "none")
]

Array = np.ndarray


def random_translator(c: RNNConfig = SMALL, seed: int = 0) -> RecurrentTranslator:
    """In evaluation, with every weight random."""
    model = build(c)
    randomize(model, seed)
    return model.eval()


def by_hand(model: RecurrentTranslator, source: Sequence[int], target: Sequence[int]) -> Array:
    """Logits (T, V) of one pair without padding."""
    c = model.config
    w = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    w |= {alias: w[kept] for kept, alias in model.ties()}
    memory = w["encoder.embedding.weight"][list(source)]  # (S, E)
    vector = np.zeros(c.d_model)
    for i in range(c.n_encoder_layers):
        from_left, from_right = (
            run(cell(model.encoder.layers[i].get_submodule(way)), memory[::step])
            for way, step in (("left_to_right", 1), ("right_to_left", -1))
        )
        vector = np.concatenate([from_left[-1], from_right[-1]])  # each where it has read all
        memory = np.concatenate([from_left, from_right[::-1]], 1)  # (S, D)
    parts = 2 if c.cell == "lstm" else 1
    first = np.tanh(w["decoder.first.weight"] @ vector + w["decoder.first.bias"])
    states = list(first.reshape(c.n_decoder_layers, parts, c.d_model))
    cells = [cell(layer) for layer in model.decoder.layers]
    actual = np.zeros(c.d_model)  # what is fed before anything was found
    logits = []
    for token in target:
        x = w["decoder.embedding.weight"][token]
        x = np.concatenate([x, actual]) if c.input_feeding else x
        for i, step in enumerate(cells):
            states[i] = step(x, states[i])
            x = states[i][0]
        actual = attend(c.attention, w, x, memory)
        logits.append(w["heads.lm.output.weight"] @ actual)
    return np.stack(logits)


def attend(kind: str, w: dict[str, Array], h: Array, memory: Array) -> Array:
    """The attentional vector of a state h (D,) over memory (S, D)."""
    if kind == "none":
        return h
    name = "decoder.attention.score.{}.weight"
    if kind == "dot":  # Luong et al. 2015, eq. 8
        scores = [h @ m for m in memory]
    elif kind == "general":
        scores = [h @ w[name.format("k")] @ m for m in memory]
    else:  # Bahdanau et al. 2015, appendix A.1.2
        q, k, v = (w[name.format(part)] for part in "qkv")
        scores = [v[0] @ np.tanh(q @ h + k @ m) for m in memory]
    weights = np.exp(scores) / np.exp(scores).sum()  # Luong et al. 2015, eq. 7
    context = sum(a * m for a, m in zip(weights, memory, strict=True))
    return np.tanh(w["decoder.attention.join.weight"] @ np.concatenate([context, h]))  # eq. 5


def cell(layer: Any) -> Callable[[Array, Array], Array]:
    """One step of a layer: input (E,), state (parts, D) -> state."""
    kind = nn.LSTMCell if isinstance(layer, nn.LSTM) else nn.GRUCell
    made = kind(layer.input_size, layer.hidden_size, dtype=torch.float64)
    made.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})

    def step(x: Array, state: Array) -> Array:
        before = torch.tensor(state)[:, None]  # (parts, 1, D)
        arguments = tuple(before) if len(before) == 2 else before[0]
        with torch.no_grad():
            after = made(torch.tensor(x)[None], arguments)
        return torch.cat(after if isinstance(after, tuple) else [after]).numpy()

    step.parts = 2 if kind is nn.LSTMCell else 1  # type: ignore[attr-defined]
    step.width = layer.hidden_size  # type: ignore[attr-defined]
    return step


def run(step: Any, inputs: Array) -> Array:
    """Outputs (S, D) from a state of zeros on."""
    state, outputs = np.zeros((step.parts, step.width)), []
    for x in inputs:
        state = step(x, state)
        outputs.append(state[0])
    return np.stack(outputs)
