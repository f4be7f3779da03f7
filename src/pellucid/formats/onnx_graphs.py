"""The parts of a model as functions of tensors, to be traced for ONNX.

Arithmetic is that of the model's own modules. Names of inputs and outputs are those of the ONNX
files of `optimum`; masks are integers, 1 = real token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import Inputs, add_decoder_ids, apply_head, embed_states
from pellucid.nn.attention import KeysValues, Memory
from pellucid.nn.base import Model
from pellucid.nn.masks import Mask
from pellucid.nn.model import Transformer
from pellucid.nn.positions import positions_of
from pellucid.nn.traced_copy import FiniteMask, copy_for_tracing

STATES, VECTOR, PAST = "last_hidden_state", "sentence_embedding", "past_key_values"
"""Names: states of all tokens, the vector of each text, and the states of the past."""
Axis = str | int


@dataclass(frozen=True)
class Input:
    """A tensor that a graph reads."""

    name: str
    shape: tuple[Axis, ...]
    """Sizes; a name stands for one that differs between calls."""
    n_ids: int = 0
    """Values are integers below this number; 0 means floating-point numbers."""


@dataclass(frozen=True)
class Graph:
    """A function of tensors that becomes one file."""

    name: str
    """Of the file, without its suffix."""
    module: nn.Module
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]

    @property
    def has_cache(self) -> bool:
        """Whether it reads the keys and values of earlier tokens."""
        return any(each.name.startswith(PAST) for each in self.inputs)


def build_graphs(bundle: Bundle, model: Model) -> list[Graph]:
    """Return the graphs of a model that generates text, or else the one of its heads."""
    copied = copy_for_tracing(model)
    generates = model.decoder is not None and "lm" in model.head_configs
    if not generates or not isinstance(copied, Transformer):
        return [_build_whole(replace(bundle, model=copied))]
    step = _build_step(copied)
    return [step] if model.encoder is None else [_build_encoder(copied), step]


def name_outputs(bundle: Bundle) -> dict[str, str]:
    """Return the name of each head's output: "logits" if no other head predicts."""
    configs = bundle.model.head_configs
    predicting = [name for name, config in configs.items() if config.predicts]
    return {name: "logits" if predicting == [name] else f"{name}_logits" for name in predicting} | {
        name: f"{name}_output" for name in configs if name not in predicting
    }


class WholeModel(nn.Module):
    """(ids, mask, segments if the model has them) -> one output per head.

    Without a head that predicts, the states come first, and an encoder's vector of each text.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.bundle, self.model = bundle, bundle.model
        self.dense = nn.ModuleList(bundle.dense)
        outputs = list(name_outputs(bundle).values())
        self.has_states = not any(h.predicts for h in bundle.model.head_configs.values())
        self.has_vector = self.has_states and bundle.model.decoder is None
        self.outputs = [STATES] * self.has_states + [VECTOR] * self.has_vector + outputs

    def forward(self, *tensors: Tensor) -> list[Tensor]:
        ids, mask, *segments = tensors
        inputs = Inputs(ids, mask.bool(), None, *segments)
        inputs = add_decoder_ids(self.bundle, inputs)
        state = self.model(*inputs)  # (B, T, D)
        outputs = [state] if self.has_states else []
        if self.has_vector:
            outputs.append(embed_states(self.bundle, state, inputs.keep))
        heads = self.model.head_configs
        return outputs + [apply_head(self.bundle, inputs, state, name) for name in heads]


class SourceEncoder(nn.Module):
    """(ids, mask) of sources -> each decoder layer's keys and values (B, H, S, K) of them."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder

    def forward(self, *tensors: Tensor) -> list[Tensor]:
        ids, mask = tensors
        assert self.encoder is not None
        assert self.decoder is not None
        memory = self.encoder(ids, Mask(keep=mask.bool()))  # (B, S, D)
        layers = self.decoder.layers
        return [x for layer in layers for x in layer.cross.inner.read(memory)]  # type: ignore[union-attr]


class DecoderStep(nn.Module):
    """(ids, mask, keys and values of each layer) -> logits, and each layer's keys and values.

    ids (B, T) follow the P tokens that the keys and values hold, P >= 0. With an encoder, each
    layer has the source's keys and values too, and the mask is that of the source. Without, the
    mask (B, P + T) is that of all tokens, padded on the left.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.decoder, self.head = model.decoder, model.heads["lm"]
        self.has_source = model.encoder is not None

    def forward(self, *tensors: Tensor) -> list[Tensor]:
        ids, mask, *states = tensors
        assert self.decoder is not None
        keep, past = mask.bool(), states[0].shape[2]
        kinds = 4 if self.has_source else 2
        layers = [states[i : i + kinds] for i in range(0, len(states), kinds)]
        slots = [GrowingStates(*layer[:2]) for layer in layers]
        memories = None
        if self.has_source:
            source = FiniteMask(Mask(keep=keep))
            memories = [Memory(KeysValues(*layer[2:]), source) for layer in layers]
            target = Mask(causal=True, offset=past)
            positions = past + torch.arange(ids.shape[1])[None]  # (1, T)
        else:
            target = Mask(keep=keep, causal=True, offset=past)
            positions = positions_of(keep)[:, past:]  # (B, T)
        state = self.decoder(ids, target, memories, slots, positions)  # (B, T, D)
        return [self.head(state).float(), *(x for each in slots for x in each.states)]


class GrowingStates:
    """The keys and values of one layer; see `Slots` in nn/attention.py."""

    def __init__(self, k: Tensor, v: Tensor) -> None:
        self.states = KeysValues(k, v)  # (B, H, P, K)

    def append(self, kv: Tensor) -> KeysValues:
        new = kv.permute(2, 0, 3, 1, 4)  # (2, B, H, T, K)
        pairs = zip(self.states, new.unbind(), strict=True)
        self.states = KeysValues(*(torch.cat(pair, 2) for pair in pairs))
        return self.states


def _build_whole(bundle: Bundle) -> Graph:
    c = bundle.model_config
    shape = ("batch", "length")
    inputs = [Input("input_ids", shape, c.vocab_size), Input("attention_mask", shape, 2)]
    if c.n_segments > 1:
        inputs.append(Input("token_type_ids", shape, c.n_segments))
    module = WholeModel(bundle)
    return Graph("model", module, tuple(inputs), tuple(module.outputs))


def _build_encoder(model: Transformer) -> Graph:
    shape = ("batch", "source")
    ids = Input("input_ids", shape, model.config.vocab_size)
    names = _name_states(model.config.n_decoder_layers, "present", ("encoder.",))
    module = SourceEncoder(model)
    return Graph("encoder_model", module, (ids, Input("attention_mask", shape, 2)), tuple(names))


def _build_step(model: Transformer) -> Graph:
    c, both = model.config, model.encoder is not None
    mask = "encoder_attention_mask" if both else "attention_mask"
    sides = ("decoder.", "encoder.") if both else ("",)
    states = [
        Input(name, ("batch", c.n_heads, "source" if ".encoder." in name else "past", c.head_width))
        for name in _name_states(c.n_decoder_layers, PAST, sides)
    ]
    inputs = (
        Input("input_ids", ("batch", "length"), c.target_vocab_size or c.vocab_size),
        Input(mask, ("batch", "source" if both else "total"), 2),
        *states,
    )
    outputs = ("logits", *_name_states(c.n_decoder_layers, "present", sides[:1]))
    return Graph("decoder_model" if both else "model", DecoderStep(model), inputs, outputs)


def _name_states(n_layers: int, prefix: str, sides: Sequence[str]) -> list[str]:
    kinds = [f"{side}{kind}" for side in sides for kind in ("key", "value")]
    return [f"{prefix}.{i}.{kind}" for i in range(n_layers) for kind in kinds]
