"""Initialize a model from another model and from word vectors."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from pellucid.errors import ConfigError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.nn.base import Model
from pellucid.nn.embedding import Embedding, set_rows
from pellucid.tasks.protocol import TaskInputs

MAX_SHOWN = 200
"""Characters of the labels in a message."""


def copy_starting_weights(model: Model, inputs: TaskInputs) -> None:
    """Copy the weights of the model to start from, and word vectors, into a new model.

    Weights that both models have are copied. The output of a head that only the new model has, or
    whose labels differ, keeps its random initialization; a pooler is copied from any head.
    Raises: ConfigError if a weight outside the heads is missing or has another shape.
    """
    if inputs.start is not None:
        poolers = _find_poolers(inputs.start.family, inputs.start.model)
        _copy(inputs.start.model, model, poolers)
    for stack, (rows, values) in inputs.vectors.items():
        embedding = model.get_submodule(f"{stack}.embedding")
        assert isinstance(embedding, Embedding)
        set_rows(embedding, torch.from_numpy(rows), torch.from_numpy(values))


def describe_heads(start: Model, module: nn.Module) -> Iterator[str]:
    """Yield messages about heads of a new module whose outputs are not those of `start`."""
    heads = module.head_configs if isinstance(module, Model) else {}
    before = start.head_configs
    for name, head in heads.items():
        if name not in before:
            others = f"has the heads {', '.join(before)}" if before else "has no head"
            yield f"head {name} is initialized: the model to start from {others}"
        elif before[name].labels != head.labels or before[name].outputs != head.outputs:
            labels = ", ".join(before[name].labels) or f"{before[name].outputs} without names"
            yield (
                f"the output of head {name} is initialized: the model to start from has other"
                f" labels ({labels[:MAX_SHOWN]})"
            )
    unused = [name for name in before if name not in heads]
    if unused and heads:
        yield f"not used of the model to start from: head {', '.join(unused)}"


def _find_poolers(family: str, start: Model) -> dict[str, str]:
    """Return, for the transform of each published head, the transform in `start` that it shares.

    Heads share one where their published classes give it the same name, such as bert.pooler.dense.
    """
    if family not in PUBLISHED_FAMILIES:
        return {}
    transforms = {
        f"heads.{head.name}.transform": rename.published
        for heads in PUBLISHED_FAMILIES[family].heads.values()
        for head in heads
        for rename in head.renames
        if rename.internal == "transform"
    }
    present = {
        published: path
        for path, published in transforms.items()
        if path.split(".")[1] in start.head_configs
    }
    return {path: present[name] for path, name in transforms.items() if name in present}


@torch.no_grad()
def _copy(start: Model, model: Model, poolers: Mapping[str, str]) -> None:
    """poolers: path of a module in the new model -> path of the same module in `start`."""
    other = tuple(
        f"heads.{name}.{part}."
        for name, head in start.head_configs.items()
        for part in ("output", "crf")
        if name in model.head_configs and model.head_configs[name].labels != head.labels
    )
    weights = dict(start.named_parameters())
    for name, parameter in model.named_parameters():
        module, _, last = name.rpartition(".")
        source = f"{poolers.get(module, module)}.{last}"
        known = None if name.startswith(other) else weights.get(source)
        if known is not None and known.shape == parameter.shape:
            parameter.copy_(known)
        elif not name.startswith("heads."):
            shape = "is missing there" if known is None else f"is {tuple(known.shape)} there"
            raise ConfigError(
                f"start_from: {name} is {tuple(parameter.shape)} here, but {shape}. The model to"
                " start from must have the same family, sizes and vocabulary."
            )
