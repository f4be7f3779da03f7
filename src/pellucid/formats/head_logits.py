"""The outputs of heads, and vectors of texts, from a model's states."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import find_token_id
from pellucid.nn.heads import pool_states, shift_right


class Inputs(NamedTuple):
    """The input tensors of a model."""

    ids: Tensor  # (B, T), integers
    keep: Tensor | None = None  # (B, T), True = real token; None = all
    target_ids: Tensor | None = None  # (B, U), decoder input of an encoder-decoder
    segments: Tensor | None = None  # (B, T), index of the text of each token: 0 or 1


def head_logits(bundle: Bundle, checked: Inputs, name: str) -> Tensor:
    """Return the output of a head in float32, for inputs that `check_inputs` returned."""
    if bundle.model.head_configs[name].kind != "lm":
        checked = add_decoder_ids(bundle, checked)
    return apply_head(bundle, checked, bundle.model(*checked), name)


def apply_head(bundle: Bundle, checked: Inputs, state: Tensor, name: str) -> Tensor:
    """Return the output of a head in float32 for the states (B, T, D) of these inputs."""
    config = bundle.model.head_configs[name]
    if config.kind == "sequence":
        end = find_token_id(bundle, "eos")
        is_end = None if end is None else checked.ids == end
        state = pool_states(state, checked.keep, is_end, config.pool)
    return bundle.model.heads[name](state).float()


def embed_states(bundle: Bundle, state: Tensor, keep: Tensor | None) -> Tensor:
    """Return the vector (B, D) of each text from its states (B, T, D), prompts included."""
    pooled = pool_states(state, keep, None, bundle.embedding.pooling)
    return project_vectors(bundle, pooled, bundle.embedding.normalize)


def project_vectors(bundle: Bundle, vectors: Tensor, normalize: bool) -> Tensor:
    """Return pooled vectors (B, D) after the dense layers, each divided by its norm if asked."""
    for dense in bundle.dense:
        vectors = dense(vectors)  # (B, its width)
    return F.normalize(vectors, dim=-1) if normalize else vectors


def add_decoder_ids(bundle: Bundle, inputs: Inputs) -> Inputs:
    """Add decoder inputs for heads that read a text with an encoder-decoder: ids shifted right.

    Raises: UsageError if the id that the decoder reads first is not known.
    """
    c = bundle.model_config
    if not (c.n_encoder_layers and c.n_decoder_layers) or inputs.target_ids is not None:
        return inputs
    first = None
    if bundle.roles.start != "last":
        first = bundle.token_ids.get("decoder_start_token_id")
        first = find_token_id(bundle, bundle.roles.start) if first is None else first
        if first is None:
            raise UsageError("the id that the decoder reads first is not known. Give target_ids.")
    return inputs._replace(target_ids=shift_right(inputs.ids, inputs.keep, first))
