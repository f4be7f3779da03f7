"""Compile a decoding step for this CPU by torch's inductor.

At few rows a step of a small model is mostly the cost of calling about 140 operators. Compiled, it
is one call of a function that was generated in C++ from the model's own modules.
"""

import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._inductor import config as inductor
from torch._inductor.utils import fresh_cache
from torch.export import Dim

from pellucid.errors import ResourceError, UsageError
from pellucid.nn.step_graph import AXES, StepGraph

COMMON = {
    "freezing": True,  # weights are stored in the blocks that the products read
    "compile_threads": 1,  # no pool of processes
}
SETTINGS = {
    # Products in generated code, with what follows them: of few rows, twice oneDNN's speed or more.
    "few-rows": COMMON | {"max_autotune": True, "max_autotune_gemm_backends": "CPP"},
    "many-rows": COMMON,  # products by oneDNN
}
"""Of inductor, for both kinds of program."""


def check_compiler() -> None:
    """Raises: UsageError if there is no C++ compiler."""
    if shutil.which(_compiler()) is None:
        raise UsageError(
            f"compile needs a C++ compiler, but {_compiler()} is not installed. Install it (Debian:"
            " apt install g++), name another one in the environment variable CXX, or leave compile"
            " out."
        )


@torch.no_grad()
def compile_step(graph: StepGraph, inputs: Sequence[Tensor], kind: str, path: Path) -> None:
    """Write a shared library that computes a graph for inputs of any sizes.

    inputs: an example whose sizes all differ. kind: of `SETTINGS`.
    Raises: ResourceError if the compiler fails.
    """
    axes = {"tensors": _dynamic_axes(graph)}
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        fresh_cache(dir=folder),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        package = os.path.join(folder, "step.pt2")
        try:
            exported = torch.export.export(graph, tuple(inputs), dynamic_shapes=axes, strict=False)
            torch._inductor.aoti_compile_and_package(
                exported, package_path=package, inductor_configs=SETTINGS[kind]
            )
        except (RuntimeError, ImportError, AssertionError) as error:
            raise ResourceError(
                f"torch and {_compiler()} could not compile the decoding step: {error}. Leave"
                " compile out."
            ) from error
        with zipfile.ZipFile(package) as archive:
            (library,) = (name for name in archive.namelist() if name.endswith(".so"))
            path.write_bytes(archive.read(library))


def _compiler() -> str:
    return inductor.cpp.cxx[-1]


def _dynamic_axes(graph: StepGraph) -> tuple[dict[int, Any], ...]:
    """Return for each input which axes differ between calls, as `torch.export` takes them."""
    sources, rows, capacity, source_length = (Dim(name) for name in AXES)
    both = {0: sources, 1: rows}
    axes: list[dict[int, Any]] = [both, both, {}, both | {4: capacity}]
    if graph.has_distances:
        axes.append({3: capacity + 1})
    if graph.has_source:
        axes += [{0: sources, 1: source_length}, {0: sources, 4: source_length}]
    return tuple(axes)
