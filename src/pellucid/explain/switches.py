"""Groups of switches for whole layers, tokens and positions."""

from torch import nn

from pellucid.errors import UsageError
from pellucid.explain.ablation import Switch
from pellucid.explain.names import Side, attention_sides, name_array
from pellucid.nn.embedding import Embedding
from pellucid.nn.positions import NoPositions
from pellucid.taps import taps


def list_sublayers(model: nn.Module) -> list[Switch]:
    """Return a switch for each sublayer, in the order of the model."""
    end = ".added"
    names = map(name_array, taps(model))
    return [Switch(name.removesuffix(end)) for name in names if name.endswith(end)]


def layer_switches(model: nn.Module, path: str) -> list[Switch]:
    """Return the switches of all sublayers of a layer, such as `encoder.layers.0`.

    Raises: UsageError if the model has no such layer.
    """
    switches = [each for each in list_sublayers(model) if each.path.rpartition(".")[0] == path]
    if not switches:
        raise UsageError(f"this model has no layer {path[:60]!r} that can be switched off.")
    return switches


def token_switches(model: nn.Module, side: Side, position: int) -> list[Switch]:
    """Return switches that hide a token as a key of every attention that reads its text.

    Its own position is computed as before. Raises: UsageError if no attention reads that text.
    """
    names = [name_array(path) for path in taps(model)]
    paths = [name.removesuffix(".scores") for name in names if name.endswith(".scores")]
    paths = [path for path in paths if attention_sides(path)[1] == side]
    if not paths:
        raise UsageError(f"no attention of this model has keys of the {side} text.")
    return [Switch(path, key=position) for path in paths]


def position_switches(model: nn.Module) -> list[Switch]:
    """Return switches of all that tells positions: vectors, and biases of scores by distance.

    A recurrent model has none: it reads in order.
    """
    without = {
        name_array(path)
        for path, module in model.named_modules()
        if isinstance(module, Embedding) and isinstance(module.positions, NoPositions)
    }
    return [
        Switch(name)
        for name in map(name_array, taps(model))
        if name.endswith((".position_vectors", ".distances", ".distances.bias"))
        and name.rpartition(".")[0] not in without
    ]
