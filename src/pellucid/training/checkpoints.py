"""A run's checkpoints: whole or absent, and verified before use.

`run_dir/checkpoints/step-00001000/` holds one safetensors file for each group of tensors (weights,
optimizer, ema ...), `state.json` with the counters, and the manifest.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pellucid.errors import DataError, UsageError, VerificationError
from pellucid.files import publish, remove
from pellucid.json_files import dump_json, read_json
from pellucid.manifest import verify
from pellucid.nn.weights import read_tensors, write_tensors


class Latest(NamedTuple):
    """The newest checkpoint that verifies, and why newer ones do not."""

    path: Path | None
    skipped: list[str]


def save_checkpoint(
    run_dir: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: dict[str, Any]
) -> Path:
    """Publish the state after `step` updates, one file for each group of tensors.

    A checkpoint of the same step is replaced: it is one that a resumed run skipped as damaged.
    Raises: ResourceError if the disk is full; earlier checkpoints stay as they are.
    """
    path = path_of(run_dir, step)
    needs = sum(tensor.nbytes for group in tensors.values() for tensor in group.values())
    with publish(
        path, replace=True, needs=needs, facts={"threads": torch.get_num_threads()}
    ) as temp:
        for name, group in tensors.items():
            write_tensors(group, temp / f"{name}.safetensors")
        (temp / "state.json").write_bytes(dump_json(state))
    return path


def latest_checkpoint(run_dir: Path) -> Latest:
    """Return the newest checkpoint whose every byte verifies."""
    skipped = []
    for path in reversed(_checkpoints(run_dir)):
        try:
            verify(path)
        except (DataError, VerificationError) as error:
            skipped.append(f"skipped {path.name}: {error}")
        else:
            return Latest(path, skipped)
    return Latest(None, skipped)


def load_checkpoint(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Verify a checkpoint; return its tensors by group and name, and its state.

    Raises: DataError, VerificationError naming the file at fault.
    """
    verify(path)
    groups = {file.stem: read_tensors(file) for file in sorted(path.glob("*.safetensors"))}
    return groups, read_json(path / "state.json")


def path_of(run_dir: Path, step: int) -> Path:
    """Return the path of the checkpoint after `step` updates."""
    return run_dir / "checkpoints" / f"step-{step:08d}"


def step_of(path: Path) -> int:
    """Return the number of updates before a checkpoint."""
    return int(path.name.removeprefix("step-"))


def prune(run_dir: Path, keep: int, always: Sequence[int] = ()) -> list[Path]:
    """Delete checkpoints older than the `keep` newest, once the newest verifies; return them.

    always: steps whose checkpoints stay. Damaged checkpoints are not counted as kept.
    """
    newest, _ = latest_checkpoint(run_dir)
    if newest is None:
        return []
    older = [p for p in _checkpoints(run_dir) if step_of(p) < step_of(newest)]
    kept = 1
    removed = []
    for path in reversed(older):
        if step_of(path) in always:
            continue
        if kept < keep and _is_whole(path):
            kept += 1
        else:
            remove(path)
            removed.append(path)
    return removed


def average(paths: Sequence[Path], group: str = "weights") -> dict[str, Tensor]:
    """Return the mean of one group over checkpoints, summed in float64 and kept in its dtypes.

    Raises: UsageError if there is nothing to average; VerificationError if they do not match.
    """
    if not paths:
        raise UsageError("no checkpoint to average. Name at least one.")
    sums: dict[str, Tensor] = {}
    dtypes: dict[str, torch.dtype] = {}
    for path in paths:
        verify(path)
        tensors = read_tensors(path / f"{group}.safetensors")
        if sums and _shapes(tensors) != _shapes(sums):
            raise VerificationError(f"{path} holds other weights than {paths[0]}: two models?")
        for name, tensor in tensors.items():
            sums[name] = sums[name] + tensor.double() if name in sums else tensor.double()
            dtypes[name] = tensor.dtype
    return {name: (total / len(paths)).to(dtypes[name]) for name, total in sums.items()}


@torch.no_grad()
def load_parameters(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into a module's parameters of the same names."""
    for name, parameter in module.named_parameters():
        parameter.copy_(tensors[name])


def _checkpoints(run_dir: Path) -> list[Path]:
    """Every directory that has a checkpoint's name, oldest first."""
    paths = (run_dir / "checkpoints").glob("step-*")
    return sorted((p for p in paths if re.fullmatch(r"step-\d+", p.name)), key=step_of)


def _is_whole(path: Path) -> bool:
    try:
        verify(path)
    except (DataError, VerificationError):
        return False
    return True


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
