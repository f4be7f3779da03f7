"""Initialize a model from another model and from word vectors."""

import torch

from pellucid.errors import ConfigError
from pellucid.nn.base import Model
from pellucid.nn.embedding import Embedding, set_rows
from pellucid.tasks.protocol import TaskInputs


def copy_starting_weights(model: Model, inputs: TaskInputs) -> None:
    """Copy the weights of the model to start from, and word vectors, into a new model.

    Weights that both models have are copied. Heads that only the new model has, or whose labels
    differ, keep their random initialization.
    Raises: ConfigError if a weight outside the heads is missing or has another shape.
    """
    if inputs.start is not None:
        _copy(inputs.start.model, model)
    for stack, (rows, values) in inputs.vectors.items():
        embedding = model.get_submodule(f"{stack}.embedding")
        assert isinstance(embedding, Embedding)
        set_rows(embedding, torch.from_numpy(rows), torch.from_numpy(values))


@torch.no_grad()
def _copy(start: Model, model: Model) -> None:
    other = tuple(
        f"heads.{name}."
        for name, head in start.head_configs.items()
        if name in model.head_configs and model.head_configs[name].labels != head.labels
    )
    weights = dict(start.named_parameters())
    for name, parameter in model.named_parameters():
        known = None if name.startswith(other) else weights.get(name)
        if known is not None and known.shape == parameter.shape:
            parameter.copy_(known)
        elif not name.startswith("heads."):
            shape = "is missing there" if known is None else f"is {tuple(known.shape)} there"
            raise ConfigError(
                f"start_from: {name} is {tuple(parameter.shape)} here, but {shape}. The model to"
                " start from must have the same family, sizes and vocabulary."
            )
