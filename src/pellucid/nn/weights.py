"""A model's weights as named tensors, and as safetensors files."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from pellucid.errors import ConfigError, VerificationError
from pellucid.nn.tensor_file import TensorFile

Kind = Literal["fp32", "fp16", "bf16", "int8"]
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SCALE = ".scale"  # suffix of the row scales of an int8 matrix
SHOWN = 5  # names in one message


def tie(model: nn.Module) -> None:
    """Make each alias of `model.ties()` the same parameter as its name; idempotent."""
    for kept, alias in _ties(model):
        owner, _, name = alias.rpartition(".")
        model.get_submodule(owner).register_parameter(name, model.get_parameter(kept))


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and saved buffers by name, without aliases, detached, on the CPU."""
    aliases = {alias for _, alias in _ties(model)}
    return _detach({k: v for k, v in model.state_dict().items() if k not in aliases})


def save_weights(model: nn.Module | Mapping[str, Tensor], path: Path, dtype: Kind = "fp32") -> None:
    """Write a safetensors file. The write is not atomic: use `publish` around it.

    fp16, bf16: every float tensor in 16 bits. int8: matrices as one byte per value with a float32
    scale per row (symmetric, the largest magnitude is 127), the rest in fp16.
    Raises: ConfigError where fp16 cannot hold a value; OSError from the disk.
    """
    tensors = weights(model) if isinstance(model, nn.Module) else model
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            stored[name] = tensor
        elif dtype == "int8" and tensor.dim() == 2:
            stored[name], stored[name + SCALE] = _quantize(tensor)
        else:
            stored[name] = _narrow(name, tensor, "fp16" if dtype == "int8" else dtype)
    write_tensors(stored, path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the file's tensors by name, floats as finite float32, int8 matrices dequantised.

    Raises: DataError if there is no such file; VerificationError naming the damaged tensor.
    """
    tensors = read_tensors(path)
    for name in [name for name in tensors if name + SCALE in tensors]:
        if tensors[name].dtype != torch.int8:
            continue
        scale = tensors.pop(name + SCALE)
        if scale.shape != tensors[name].shape[:1]:
            raise VerificationError(
                f"{path}: {name + SCALE} does not fit {name}. Copy or download the file again."
            )
        tensors[name] = tensors[name].float() * scale.float()[:, None]  # (rows, columns)
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensors[name] = check_finite(tensor.float(), f"{path}: {name}")
    return tensors


def check_finite(tensor: Tensor, name: str) -> Tensor:
    """Return the tensor. Raises: VerificationError if a value is not finite."""
    if not tensor.isfinite().all():
        raise VerificationError(
            f"{name} holds values that are not finite. The file is damaged, or the training that"
            " wrote it had failed. Use an earlier checkpoint."
        )
    return tensor


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load exactly these weights into a model and tie it; a model on `meta` uses them in place.

    Raises: VerificationError naming what is missing, unused or misshapen.
    """
    check_names(model, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    on_meta = any(parameter.is_meta for parameter in model.parameters())
    model.load_state_dict(dict(tensors), strict=False, assign=on_meta)
    tie(model)
    assert not any(t.is_meta for t in (*model.parameters(), *model.buffers())), "not all loaded"


def check_names(model: nn.Module, shapes: Mapping[str, tuple[int, ...]], where: str = "") -> None:
    """Raises: VerificationError unless these names and shapes are the model's."""
    aliases = {alias for _, alias in _ties(model)}
    expected = {k: tuple(v.shape) for k, v in model.state_dict().items() if k not in aliases}
    missing, unused = expected.keys() - shapes.keys(), shapes.keys() - expected.keys()
    faults = [f"{name} is missing" for name in sorted(missing)]
    for name in (
        name[:100] for name in sorted(unused)
    ):  # a foreign file may hold any number, of any length
        near = difflib.get_close_matches(name, expected, n=1) if len(faults) < SHOWN else ()
        faults.append(f"{name} is unknown" + "".join(f" (did it mean {n}?)" for n in near))
    for name in sorted(expected.keys() & shapes.keys()):
        if shapes[name] != expected[name]:
            faults.append(f"{name} is {shapes[name]}, the model has {expected[name]}")
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise VerificationError(
            f"{where or 'the weights'} do not fit the model: {'; '.join(faults[:SHOWN])}{more}."
            " Use the config that belongs to them."
        )


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read names and shapes from the file's header, without the scales of int8 matrices."""
    file = TensorFile(path)
    scales = {name + SCALE for name, dtype in file.dtypes.items() if dtype == "I8"}
    return {name: shape for name, shape in file.shapes.items() if name not in scales}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor as it is stored. Raises: DataError, VerificationError."""
    file = TensorFile(path)
    return {name: file.tensor(name) for name in file.shapes}


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as they are. Raises: OSError with the system's error number."""
    try:
        save_file(_detach(tensors), path, metadata={"format": "pt"})
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), str(error), str(path)) from error


def _ties(model: nn.Module) -> tuple[tuple[str, str], ...]:
    return model.ties() if hasattr(model, "ties") else ()  # type: ignore[operator]


def _detach(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _narrow(name: str, tensor: Tensor, dtype: str) -> Tensor:
    stored = tensor.to(DTYPES[dtype])
    if tensor.isfinite().all() and not stored.isfinite().all():
        raise ConfigError(
            f"{name} holds {float(tensor.abs().max()):.3g}, which fp16 cannot hold. Use dtype bf16."
        )
    return stored


def _quantize(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """(rows, columns) -> int8 of the same shape, float32 scales (rows,)."""
    scale = tensor.float().abs().amax(dim=1) / 127
    scale = torch.where(scale > 0, scale, 1.0)  # a row of zeros (padding) stays zeros
    return (tensor / scale[:, None]).round().to(torch.int8), scale
