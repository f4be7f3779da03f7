"""Compiled decoding steps, kept on disk: compiled, checked and measured when first asked for."""

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from pellucid.errors import ResourceError, UsageError, VerificationError
from pellucid.files import convert_disk_errors, publish, remove, user_cache
from pellucid.json_files import dump_json, read_json
from pellucid.locks import hold_lock
from pellucid.nn.base import Model
from pellucid.nn.cache import KeyValueCache
from pellucid.nn.compiled_step import CompiledStep, Program
from pellucid.nn.kernel_cache import cpu_name
from pellucid.nn.model import Transformer
from pellucid.nn.step_graph import StepGraph, check_supported, example_inputs

LOG = logging.getLogger("pellucid")
KINDS = ("few-rows", "many-rows")
"""Of programs: see `step_compiler.SETTINGS`."""
SPEEDS, PACKED, ANY = "speeds.json", "packed", sys.maxsize
TRACED_SIZES = (2, 3, 16, 5)
"""Sizes of the traced example. All differ, and none is 0 or 1, which would be constants."""
CHECKED_SIZES = ((1, 1, 8, 3), (1, 5, 8, 12), (3, 2, 20, 4))
MAX_BYTES = 1 << 30
"""Weights of a larger model are not put into a program."""
KEPT_BYTES = 4 << 30
"""Of programs on disk: more than those of the largest model."""
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""Greatest difference of logits by dtype, as a share of the greatest logit."""
MEASURED_ROWS = (1, 5, 10, 20, 40, 80, 160)
ROUNDS, ROUND_SECONDS = 7, 0.05
FIRST_LENGTH, SOURCE_LENGTH = 8, 12
"""Tokens of the texts and sources of a measured step."""

Times = Mapping[int, Mapping[str, float]]
"""Milliseconds of a step by number of rows, and by kind of program or `PACKED`."""


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
    n_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    if n_bytes > MAX_BYTES:
        raise UsageError(
            f"the model's weights have {n_bytes / 2**30:.1f} GiB; steps are compiled for models of"
            f" up to {MAX_BYTES / 2**30:.0f} GiB. Leave compile out."
        )
    directory = user_cache() / "steps" / _key(model, _dtype_of(packed))
    with convert_disk_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with hold_lock(directory.parent):  # another process that needs the same one waits
            if not directory.exists():
                _publish(model, packed, directory)
            os.utime(directory)
            _delete_oldest(directory.parent)
    most_rows = read_json(directory / SPEEDS)["most_rows"]
    programs = {rows: _load(directory / f"{kind}.so") for kind, rows in most_rows.items()}
    packed.compiled_step = _make_step(packed, programs)


def _publish(model: Transformer, packed: Transformer, directory: Path) -> None:
    """Compile, check and measure the programs of a step, and write them to a new directory."""
    from pellucid.nn.step_compiler import check_compiler, compile_step  # its imports take a second

    check_compiler()
    LOG.warning("compiling a decoding step for this CPU: about a minute, the first time only")
    dtype = _dtype_of(packed)
    graph = StepGraph(model, dtype).eval()
    with publish(directory) as temp:
        steps: dict[str, CompiledStep] = {}
        for kind in KINDS:
            path = temp / f"{kind}.so"
            compile_step(graph, example_inputs(model, TRACED_SIZES, dtype), kind, path)
            program = _load(path)
            for sizes in CHECKED_SIZES:
                _check(graph, program, example_inputs(model, sizes, dtype))
            steps[kind] = _make_step(packed, {ANY: program})
        times = _measure(packed, steps)
        most_rows = _choose(times)
        for kind in steps.keys() - most_rows.keys():
            (temp / f"{kind}.so").unlink()
        record = {"most_rows": most_rows, "milliseconds": times}
        (temp / SPEEDS).write_bytes(dump_json(record))


def _delete_oldest(directory: Path) -> None:
    """Delete the programs that were not used for the longest time if all are too many bytes."""
    last_used = {each: each.stat().st_mtime for each in directory.iterdir() if each.is_dir()}
    n_bytes = 0
    for each in sorted(last_used, key=lambda each: last_used[each], reverse=True):
        n_bytes += sum(path.stat().st_size for path in each.iterdir())
        if n_bytes > KEPT_BYTES:
            remove(each)


def _load(path: Path) -> Program:
    """Return the program of a file. Raises: ResourceError if it is damaged."""
    try:
        return torch._C._aoti.AOTIModelContainerRunnerCpu(str(path), 1).run  # type: ignore[attr-defined]
    except RuntimeError as error:
        raise ResourceError(
            f"{path} cannot be loaded: {error}. Delete {path.parent}; it is compiled again."
        ) from error


def _make_step(packed: Transformer, programs: Mapping[int, Program]) -> CompiledStep:
    assert packed.decoder is not None
    c = packed.config
    n_positions = ANY if c.positions in ("buckets", "none") else c.max_length
    return CompiledStep(programs, packed.decoder.distances, _dtype_of(packed), n_positions)


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


@torch.inference_mode()
def _measure(packed: Transformer, steps: Mapping[str, CompiledStep]) -> Times:
    """Measure all kinds of step in turns, up to a number of rows at which none is compiled."""
    times: dict[int, dict[str, float]] = {}
    measured = {PACKED: packed.step, **steps}
    for rows in MEASURED_ROWS:
        ids, cache = torch.zeros(rows, 1, dtype=torch.int64), _filled_cache(packed, rows)
        rounds = [[_time(step, ids, cache) for step in measured.values()] for _ in range(ROUNDS)]
        medians = map(median, zip(*rounds, strict=True))
        times[rows] = dict(zip(measured, medians, strict=True))
        if _fastest(times[rows]) == PACKED:
            break
    return times


def _choose(times: Times) -> dict[str, int]:
    """Return the greatest number of rows at which each program is the fastest, if there is any."""
    fastest = {rows: _fastest(by_kind) for rows, by_kind in times.items()}
    return {
        kind: max(n for n in fastest if fastest[n] == kind)
        for kind in {*fastest.values()} - {PACKED}
    }


def _fastest(by_kind: Mapping[str, float]) -> str:
    return min(by_kind, key=lambda kind: by_kind[kind])


def _filled_cache(packed: Transformer, rows: int) -> KeyValueCache:
    """Return a cache for rows of `FIRST_LENGTH` tokens, five of each source if there are more."""
    n_sources = max(1, rows // 5)
    source = torch.zeros(n_sources, SOURCE_LENGTH, dtype=torch.int64)
    cache = packed.prefill(source if packed.encoder is not None else None, None, n_sources)
    assert isinstance(cache, KeyValueCache)
    cache.expand(rows // n_sources)
    for _ in range(FIRST_LENGTH):
        packed.step(torch.zeros(rows, 1, dtype=torch.int64), cache)
    return cache


def _time(step: Callable, ids: Tensor, cache: KeyValueCache) -> float:
    """Return the milliseconds of a step."""
    n, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < ROUND_SECONDS or n < 3:
        cache.truncate(FIRST_LENGTH)
        step(ids, cache)
        n += 1
    return 1000 * (time.perf_counter() - begin) / n


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
