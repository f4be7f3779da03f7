"""Compiled decoding steps, kept on disk: compiled, checked and measured when first asked for."""

import contextlib
import hashlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from pellucid.errors import DataError, ResourceError, UsageError, VerificationError
from pellucid.files import convert_disk_errors, publish, remove, user_cache
from pellucid.json_files import dump_json, read_json
from pellucid.locks import hold_lock
from pellucid.nn.base import Model
from pellucid.nn.compiled_step import CompiledStep, Program, Programs
from pellucid.nn.kernel_cache import cpu_name
from pellucid.nn.model import Transformer
from pellucid.nn.step_graph import StepGraph, check_supported, example_inputs
from pellucid.nn.step_speeds import choose_kinds, measure_steps

LOG = logging.getLogger("pellucid")
KINDS = ("few-rows", "many-rows")
"""Of programs: see `step_compiler.SETTINGS`."""
SPEEDS, ANY = "speeds.json", sys.maxsize
FEWEST_POSITIONS = 16
"""Of a model whose step is compiled: the examples need them."""
TRACED_SIZES = (2, 3, 16, 5)
"""Sizes of the traced example. All differ, and none is 0 or 1, which would be constants."""
CHECKED_SIZES = ((1, 1, 8, 3), (1, 5, 8, 12), (3, 2, 20, 4))
MAX_BYTES = 1 << 30
"""Weights of a larger model are not put into a program."""
KEPT_BYTES = 4 << 30
"""Of programs on disk: more than those of the largest model."""
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""Greatest difference of logits by dtype, as a share of the greatest logit."""


def add_compiled_step(model: Model, packed: Model) -> None:
    """Let a copy of a model, packed in fp32 or bf16 on the CPU, take steps by compiled programs.

    They are compiled once for each model, CPU, number of threads and torch version, which takes
    about a minute, and kept in the user's cache. Each is used where it is the fastest.
    Raises: UsageError if the model is not supported or there is no C++ compiler; ResourceError if
    the compiler fails or the disk is full; VerificationError if the logits differ from the model's.
    """
    if not isinstance(model, Transformer) or not isinstance(packed, Transformer):
        raise UsageError("only steps of Transformers are compiled. Leave compile out.")
    check_supported(model)
    _check_sizes(model)
    packed.compiled_step = None  # it would be measured as the packed modules
    directory = user_cache() / "steps" / _key(model, _dtype_of(packed))
    with convert_disk_errors(directory):
        if not directory.exists():
            directory.parent.mkdir(parents=True, exist_ok=True)
            with hold_lock(directory.parent):  # compiling takes gigabytes: one process at a time
                if not directory.exists():
                    _publish(model, packed, directory)
                    with contextlib.suppress(OSError, ResourceError):  # the next one does it again
                        _delete_oldest(directory.parent)
    with contextlib.suppress(OSError):  # the cache may be read-only
        os.utime(directory)
    packed.compiled_step = _make_step(packed, _read_programs(directory))


def _check_sizes(model: Transformer) -> None:
    """Raises: UsageError if a model is too large, or has too few positions for the examples."""
    n_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    if model.config.positions == "sinusoid":  # a program contains a table of them
        n_bytes += 4 * model.config.max_length * model.config.d_model
    if n_bytes > MAX_BYTES:
        raise UsageError(
            f"the model's weights and positions have {n_bytes / 2**30:.1f} GiB; steps are compiled"
            f" for models of up to {MAX_BYTES / 2**30:.0f} GiB. Leave compile out."
        )
    n_positions = _count_positions(model)
    if n_positions < FEWEST_POSITIONS:
        raise UsageError(
            f"the model has {n_positions} positions; steps are compiled for models of"
            f" {FEWEST_POSITIONS} or more. Leave compile out."
        )


def _publish(model: Transformer, packed: Transformer, directory: Path) -> None:
    """Compile, check and measure the programs of a step, and write them to a new directory."""
    from pellucid.nn.step_compiler import check_compiler, compile_step  # its imports take a second

    check_compiler()
    LOG.warning("compiling a decoding step for this CPU: about a minute, the first time only")
    dtype = _dtype_of(packed)
    graph = StepGraph(model, dtype).eval()
    try:
        with publish(directory) as temp, torch.random.fork_rng(devices=[]):
            steps: dict[str, CompiledStep] = {}
            for kind in KINDS:
                path = temp / f"{kind}.so"
                compile_step(graph, example_inputs(model, TRACED_SIZES, dtype), kind, path)
                program = _load(path)
                for sizes in CHECKED_SIZES:
                    _check(graph, program, example_inputs(model, sizes, dtype))
                steps[kind] = _make_step(packed, {ANY: {ANY: program}})
            times = measure_steps(packed, steps, _count_positions(packed))
            chosen = choose_kinds(times)
            for kind in steps.keys() - {k for kinds in chosen.values() for k in kinds.values()}:
                (temp / f"{kind}.so").unlink()
            record = {"kinds": chosen, "milliseconds": times}
            (temp / SPEEDS).write_bytes(dump_json(record))
    except DataError:
        if not directory.exists():
            raise
        # Where directories cannot be locked, another process has published it meanwhile.


def _read_programs(directory: Path) -> Programs:
    """Return the programs of a directory. Raises: ResourceError if one is damaged."""
    kinds = read_json(directory / SPEEDS)["kinds"]
    names = {kind for by_rows in kinds.values() for kind in by_rows.values()}
    loaded = {kind: _load(directory / f"{kind}.so") for kind in names}
    by_length = {
        int(length): {int(rows): loaded[kind] for rows, kind in by_rows.items()}
        for length, by_rows in kinds.items()
    }
    by_length[ANY] = by_length.pop(max(by_length))  # longer texts were not measured
    return by_length


def _delete_oldest(directory: Path) -> None:
    """Delete the programs that were not used for the longest time if all are too many bytes."""
    last_used = {each: each.stat().st_mtime for each in directory.iterdir() if each.is_dir()}
    newest, *others = sorted(last_used, key=lambda each: last_used[each], reverse=True)
    n_bytes = _count_bytes(newest)
    for each in others:
        n_bytes += _count_bytes(each)
        if n_bytes > KEPT_BYTES:
            remove(each)


def _count_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def _load(path: Path) -> Program:
    """Return the program of a file. Raises: ResourceError if it is damaged."""
    try:
        return torch._C._aoti.AOTIModelContainerRunnerCpu(str(path), 1).run  # type: ignore[attr-defined]
    except RuntimeError as error:
        raise ResourceError(
            f"{path} cannot be loaded: {error}. Delete {path.parent}; it is compiled again."
        ) from error


def _make_step(packed: Transformer, programs: Programs) -> CompiledStep:
    assert packed.decoder is not None
    n_positions = _count_positions(packed)
    return CompiledStep(programs, packed.decoder.distances, _dtype_of(packed), n_positions)


def _count_positions(model: Transformer) -> int:
    """Return the greatest number of tokens of a text whose steps a program can take."""
    return ANY if model.config.positions in ("buckets", "none") else model.config.max_length


@torch.no_grad()
def _check(graph: StepGraph, program: Program, inputs: Sequence[Tensor]) -> None:
    """Raises: VerificationError if the program's logits differ from those of the graph."""
    expected, state, _ = graph(*inputs)
    logits, *_ = program(list(inputs))
    difference = float((logits - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCES[state.dtype]:
        raise VerificationError(
            f"the compiled step's logits differ from the model's by {difference:.1e} of the"
            " greatest. Leave compile out, and report this with your CPU and torch version."
        )


def _dtype_of(packed: Transformer) -> torch.dtype:
    return next(packed.parameters()).dtype


def _key(model: Transformer, dtype: torch.dtype) -> str:
    """Return a digest of all that a compiled step depends on."""
    digest = hashlib.sha256()
    machine = torch.__version__, cpu_name(), torch.get_num_threads()
    digest.update(repr((*machine, dtype, model.config, model.head_configs)).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for name, weight in model.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.detach().contiguous().numpy())
    return digest.hexdigest()[:32]
