"""Convert the Transformer of Vaswani et al. (2017) to a published class, for other tools.

Post-norm it is a Marian, pre-norm a PEGASUS. No published class has its interleaved sinusoids: both
put all sines before all cosines. The same permutation of the model axis in all weights converts one
to the other, because attention, norms and linear layers do not depend on the order of that axis.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pellucid.config.decoding import Roles
from pellucid.config.head import LANGUAGE_MODEL
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import bart
from pellucid.families.family import Family
from pellucid.families.marian import MARIAN
from pellucid.families.pegasus import PEGASUS
from pellucid.formats.huggingface import PublishedModel
from pellucid.nn.model import Transformer
from pellucid.nn.weights import load_weights

READERS = ("embedding", "q", "k", "v", "up", "output")
"""Matrices whose columns are the model axis D. In all others it is the rows."""
TIES = {MARIAN.name: ("all", "decoder", "none"), PEGASUS.name: ("all", "none")}
"""Values of tie_embeddings that a family has; a copy of any other model is untied."""


def convert_transformer(
    model: Transformer, roles: Roles, id_of: Callable[[str], int]
) -> PublishedModel:
    """Return a copy of a model as a Marian or a PEGASUS with equal outputs.

    id_of: role -> id of its token in the target vocabulary.
    Raises: ConfigError naming what the published class lacks.
    """
    family = PEGASUS if model.config.norm_place == "pre" else MARIAN
    if list(model.head_configs) != ["lm"] or (
        replace(model.head_configs["lm"], bias=False) != LANGUAGE_MODEL
    ):
        raise ConfigError(
            f"heads {', '.join(model.head_configs) or 'none'}: a {family.name} has one, lm, without"
            " a transform. This model cannot be written as one."
        )
    heads = {"lm": bart.LM.config}
    with torch.device("meta"):
        copy = Transformer(_convert_config(model.config, family), heads)
    aliases = {alias for _, alias in copy.ties()}
    order = _order_axis(model.config)
    tensors = model.state_dict()
    # The published classes add a bias to their logits; ours may have none.
    tensors.setdefault("heads.lm.output.bias", torch.zeros(len(tensors["heads.lm.output.weight"])))
    load_weights(
        copy, {n: _permute(n, tensors[n], order) for n in copy.state_dict() if n not in aliases}
    )
    token_ids, generation = _search_settings(model.config, roles, id_of)
    architecture = next(iter(family.heads))
    return PublishedModel(family, copy.eval(), heads, architecture, token_ids, generation)


def _convert_config(c: ModelConfig, family: Family) -> ModelConfig:
    """Return the config of the copy. Raises: ConfigError naming an unsupported setting."""
    if not (c.n_encoder_layers and c.n_decoder_layers):
        raise ConfigError(
            f"n_encoder_layers={c.n_encoder_layers} and n_decoder_layers={c.n_decoder_layers}, but"
            f" a {family.name} is an encoder-decoder. This model cannot be written as one."
        )
    shared = c.tie_embeddings == "all"
    config = replace(
        c,
        positions="sinusoid-halves" if c.positions == "sinusoid" else c.positions,
        tie_embeddings=c.tie_embeddings if c.tie_embeddings in TIES[family.name] else "none",
        target_vocab_size=0 if shared else c.target_vocab_size or c.vocab_size,
        d_head=0 if c.d_head * c.n_heads == c.d_model else c.d_head,
    )
    family.write_config(config, {})  # refuses what it cannot express
    return config


def _order_axis(c: ModelConfig) -> Tensor:
    """Return (D,): for each index of the copy's model axis, our index."""
    indices = torch.arange(c.d_model)
    return indices if c.positions != "sinusoid" else torch.cat((indices[0::2], indices[1::2]))


def _permute(name: str, tensor: Tensor, order: Tensor) -> Tensor:
    """Reorder the model axis of a weight. A bias of `READERS` has no such axis."""
    tensor = tensor.detach().cpu()
    if name.split(".")[-2] in READERS:
        return tensor[:, order] if tensor.dim() == 2 else tensor.clone()
    return tensor[order]


def _search_settings(
    c: ModelConfig, roles: Roles, id_of: Callable[[str], int]
) -> tuple[dict[str, int], dict[str, Any]]:
    """Return token ids by name, and settings with which transformers generates equal texts."""
    token_ids = {
        "pad_token_id": id_of("pad"),
        "eos_token_id": id_of(roles.end),
        "decoder_start_token_id": id_of(roles.start),
    }
    if roles.forced_first:
        token_ids["forced_bos_token_id"] = id_of(roles.forced_first)
    banned = sorted(map(id_of, roles.banned))
    return token_ids, {"suppress_tokens": banned, "max_length": c.max_length}
