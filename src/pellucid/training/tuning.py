"""Which weights of a module are trained, and at which share of the learning rate."""

import re
from collections import defaultdict
from typing import NamedTuple

from torch import nn

from pellucid.config.run import RunConfig
from pellucid.config.tuning import TuningConfig
from pellucid.errors import ConfigError
from pellucid.nn.lora import add_lora
from pellucid.tasks.protocol import Task

LAYER = re.compile(r"\b(?:encoder|decoder)\.layers\.(\d+)\.")
EMBEDDING = re.compile(r"\b(?:encoder|decoder)\.embedding\.")
HEAD = re.compile(r"\bheads\.")


def build_module(task: Task, config: RunConfig) -> nn.Module:
    """Build the module of a run's task, and freeze and add weights by its settings."""
    seed = config.training.seed
    return choose_trained(task.build(seed), config.tuning, seed)


def choose_trained(module: nn.Module, c: TuningConfig, seed: int) -> nn.Module:
    """Freeze the weights that are not trained, and add those of LoRA; return the module.

    seed: of the initial weights of LoRA.
    Raises: ConfigError if no weight is left to train.
    """
    for name, parameter in module.named_parameters():
        layer = LAYER.search(name)
        is_frozen = layer is not None and int(layer[1]) < c.freeze_layers
        is_frozen |= c.freeze_embeddings and EMBEDDING.search(name) is not None
        is_frozen |= c.lora_rank > 0 and not HEAD.search(name)
        if is_frozen:
            parameter.requires_grad_(False)
    if c.lora_rank:
        add_lora(module, c.lora_linears, c.lora_rank, c.lora_alpha, seed)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ConfigError("tuning: no weight is left to train. Freeze less.")
    return module


def rate_factors(module: nn.Module, layer_decay: float) -> dict[str, float]:
    """Return the factor on the learning rate of each parameter, by name.

    Layer l of L has layer_decay ** (L + 1 - l), embeddings count as layer 0; all others, such as
    heads and final norms, have 1.  Source: Howard and Ruder 2018, section 3.2.
    """
    depths = {name: _find_depth(name) for name, _ in module.named_parameters()}
    n_layers: defaultdict[str, int] = defaultdict(int)
    for depth in filter(None, depths.values()):
        n_layers[depth.stack] = max(n_layers[depth.stack], depth.layer)
    return {
        name: 1.0 if depth is None else layer_decay ** (n_layers[depth.stack] + 1 - depth.layer)
        for name, depth in depths.items()
    }


class _Depth(NamedTuple):
    stack: str
    """The path of the encoder or decoder."""
    layer: int
    """The layer's number from 1; 0 for embeddings."""


def _find_depth(name: str) -> _Depth | None:
    """Return the depth of a parameter, or None if it is above all layers."""
    if layer := LAYER.search(name):
        return _Depth(name[: layer.start()] + layer[0].split(".")[0], int(layer[1]) + 1)
    if embedding := EMBEDDING.search(name):
        return _Depth(name[: embedding.start()] + embedding[0].split(".")[0], 0)
    return None
