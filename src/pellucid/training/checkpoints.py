"""Checkpoints of a run: published atomically, verified before use.

`run_dir/checkpoints/step-00001000/` has one safetensors file per group of tensors (weights,
optimizer, ema ...), `state.json` with counters, and the manifest.
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


class LatestCheckpoint(NamedTuple):
    """The newest intact checkpoint of a run."""

    path: Path | None
    """None if there is none."""
    skipped: list[str]
    """One message per newer checkpoint that is damaged."""


def save_checkpoint(
    run_dir: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: dict[str, Any]
) -> Path:
    """Publish the state after `step` updates, one file per group of tensors.

    An existing checkpoint of this step is replaced: it is damaged, or the run would have used it.
    Raises: ResourceError if the disk is full. Earlier checkpoints do not change.
    """
    path = checkpoint_path(run_dir, step)
    needs = sum(tensor.nbytes for group in tensors.values() for tensor in group.values())
    with publish(
        path, replace=True, needs=needs, facts={"threads": torch.get_num_threads()}
    ) as temp:
        for name, group in tensors.items():
            write_tensors(group, temp / f"{name}.safetensors")
        (temp / "state.json").write_bytes(dump_json(state))
    return path


def list_checkpoints(run_dir: Path) -> list[Path]:
    """Return the directories named like checkpoints, oldest first."""
    paths = (run_dir / "checkpoints").glob("step-*")
    return sorted((p for p in paths if re.fullmatch(r"step-\d+", p.name)), key=checkpoint_step)


def latest_checkpoint(run_dir: Path) -> LatestCheckpoint:
    """Return the newest checkpoint whose files all match its manifest."""
    skipped = []
    for path in reversed(list_checkpoints(run_dir)):
        try:
            verify(path)
        except (DataError, VerificationError) as error:
            skipped.append(f"skipped {path.name}: {error}")
        else:
            return LatestCheckpoint(path, skipped)
    return LatestCheckpoint(None, skipped)


def read_checkpoint(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Return the tensors (by group and name) and the state of a checkpoint.

    It is not verified here: `latest_checkpoint` has just done so.
    """
    groups = {file.stem: read_tensors(file) for file in sorted(path.glob("*.safetensors"))}
    return groups, read_json(path / "state.json")


def checkpoint_path(run_dir: Path, step: int) -> Path:
    """Return the path of the checkpoint after `step` updates."""
    return run_dir / "checkpoints" / f"step-{step:08d}"


def checkpoint_step(path: Path) -> int:
    """Return the number of updates after which a checkpoint was saved."""
    return int(path.name.removeprefix("step-"))


def prune(run_dir: Path, saved: int, keep: int, always: Sequence[int] = ()) -> list[Path]:
    """Delete all but the `keep` newest intact checkpoints; return the deleted paths.

    saved: step of the checkpoint that was just saved. It is the newest intact one: any newer ones
    are damaged, or the run would have used them. They are not deleted.
    always: steps whose checkpoints are kept in addition.
    """
    older = [path for path in list_checkpoints(run_dir) if checkpoint_step(path) < saved]
    kept = 1
    removed = []
    for path in reversed(older):
        if checkpoint_step(path) in always:
            continue
        if kept < keep and _is_intact(path):
            kept += 1
        else:
            remove(path)
            removed.append(path)
    return removed


def average(paths: Sequence[Path], group: str = "weights") -> dict[str, Tensor]:
    """Return the mean of one group of tensors over checkpoints, in the tensors' dtypes.

    Sums are computed in float64.
    Raises: UsageError if there is no checkpoint; VerificationError if names or shapes differ.
    """
    if not paths:
        raise UsageError("no checkpoint to average. Name at least one.")
    sums: dict[str, Tensor] = {}
    dtypes: dict[str, torch.dtype] = {}
    for path in paths:
        verify(path)
        tensors = read_tensors(path / f"{group}.safetensors")
        if sums and _shapes(tensors) != _shapes(sums):
            raise VerificationError(
                f"{path} and {paths[0]} have tensors with different names or shapes, so they are"
                " not of one run. Average the checkpoints of one run."
            )
        for name, tensor in tensors.items():
            sums[name] = sums[name] + tensor.double() if name in sums else tensor.double()
            dtypes[name] = tensor.dtype
    return {name: (total / len(paths)).to(dtypes[name]) for name, total in sums.items()}


@torch.no_grad()
def load_parameters(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into the parameters of a module, by name."""
    for name, parameter in module.named_parameters():
        parameter.copy_(tensors[name])


def _is_intact(path: Path) -> bool:
    try:
        verify(path)
    except (DataError, VerificationError):
        return False
    return True


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
