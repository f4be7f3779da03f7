"""Authority: the steps of the model's own modules."""

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._inductor import config as inductor

from nn.samples import DECODER, ENCODER, batch, build_random, max_difference, small
from pellucid.config.rnn import RNNConfig
from pellucid.errors import ResourceError, UsageError, VerificationError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.nn import step_compiler, step_programs, step_speeds
from pellucid.nn.compiled_step import CompiledStep, Program
from pellucid.nn.model import Transformer, build
from pellucid.nn.pack_model import pack_model
from pellucid.nn.step_programs import ANY, add_compiled_step

pytestmark = pytest.mark.timeout(400)  # compiling takes a minute on a machine without other work

SIZES = {"vocab_size": 41, "d_model": 32, "d_head": 0, "n_heads": 4, "d_ff": 48, "max_length": 64}
SHAPES = {
    "odd": small(vocab_size=37, d_model=24, n_heads=3, d_head=5, d_ff=7),
    "decoder": DECODER,
} | {
    name: replace(
        family.preset,
        **SIZES,
        n_encoder_layers=min(2, family.preset.n_encoder_layers),
        n_decoder_layers=2,
    )
    for name, family in PUBLISHED_FAMILIES.items()
    if family.module is Transformer and family.preset.n_decoder_layers and name != "gpt_neo"
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """A cache for this file, so that one program serves several tests."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def model() -> Transformer:
    return build_random(small(n_encoder_layers=1, n_decoder_layers=1))


@pytest.fixture(scope="module")
def program(folder, model) -> Program:
    """A program, which is compiled; the other kind is in the campaign."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_programs, "KINDS", ("few-rows",))
        patch.setattr(step_programs, "choose_kinds", lambda _: {8: {5: "few-rows"}})
        add_compiled_step(model, pack_model(model))
    (directory,) = (folder / "steps").iterdir()
    return step_programs._load(directory / "few-rows.so")


def compare(packed: Transformer, model: Transformer, bound: float = 1e-5) -> None:
    """Take the same steps with both, for any number of sources, of rows, and of tokens.

    bound: of the difference, as a share of the greatest number.
    """
    for lengths, k in (((4,), 1), ((6,), 5), ((5, 7, 1), 1), ((3, 9), 4)):
        source, keep, _ = batch(lengths)
        if model.encoder is None:
            keep = keep.flip(1)  # prompts are padded on the left
        caches = [each.prefill(source, keep, len(lengths)) for each in (packed, model)]
        for cache in caches:
            cache.expand(k)
        rows = len(lengths) * k
        for _ in range(20):  # past two growths
            ids = torch.randint(model.config.vocab_size, (rows, 1))
            steps = [
                each.step(ids, cache) for each, cache in zip((packed, model), caches, strict=True)
            ]
            for got, expected in zip(*steps, strict=True):
                assert max_difference(got, expected) <= bound * float(expected.abs().max())
            parents = torch.arange(rows).view(-1, k).flip(1).flatten()
            for cache in caches:
                cache.reorder(parents)


@torch.inference_mode()
def test_a_compiled_step_says_the_same(program, model):
    packed = pack_model(model)
    packed.compiled_step = CompiledStep({ANY: {100: program}})
    compare(packed, model)


@pytest.mark.campaign
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("kind", step_programs.KINDS)
@pytest.mark.parametrize(("dtype", "bound"), [("fp32", 1e-5), ("bf16", 0.1)])
@torch.inference_mode()
def test_every_shape(folder, name, dtype, bound, kind, monkeypatch):
    model = build_random(SHAPES[name])
    monkeypatch.setattr(step_programs, "KINDS", (kind,))
    monkeypatch.setattr(step_programs, "choose_kinds", lambda _: {8: {100: kind}})
    monkeypatch.setenv("PELLUCID_CACHE", str(folder / kind))
    packed = pack_model(model, dtype)
    add_compiled_step(model, packed)
    compare(packed, model, bound)


def test_it_is_compiled_once(folder, program, model, monkeypatch):
    monkeypatch.setattr(step_compiler, "compile_step", None)  # a call would fail
    packed = pack_model(model)
    add_compiled_step(model, packed)
    (directory,) = (folder / "steps").iterdir()
    names = {path.name for path in directory.iterdir()}
    assert names == {"manifest.json", "speeds.json", "few-rows.so"}
    assert isinstance(packed.compiled_step, CompiledStep)
    assert {n: [*each] for n, each in packed.compiled_step.programs.items()} == {ANY: [5]}


def test_programs_that_were_used_long_ago_are_deleted(folder, program, model, monkeypatch):
    monkeypatch.setattr(step_compiler, "compile_step", None)  # a call would fail
    (directory,) = (folder / "steps").iterdir()
    for age in (1, 3, 2):
        other = folder / "steps" / f"used {age} hours ago"
        other.mkdir()
        (other / "few-rows.so").write_bytes(bytes(100))
        os.utime(other, (time.time() - 3600 * age,) * 2)
    os.utime(directory, (time.time() - 3600 * 4,) * 2)
    size = sum(path.stat().st_size for path in directory.iterdir())
    monkeypatch.setattr(step_programs, "KEPT_BYTES", size + 200)
    add_compiled_step(model, pack_model(model))
    step_programs._delete_oldest(folder / "steps")
    left = {path.name for path in (folder / "steps").iterdir()}
    assert left == {directory.name, "used 1 hours ago", "used 2 hours ago"}
    monkeypatch.setattr(step_programs, "KEPT_BYTES", 0)
    step_programs._delete_oldest(folder / "steps")
    assert [*(folder / "steps").iterdir()] == [directory]


def test_another_model_threads_or_torch_is_another_program(model, monkeypatch):
    def key(changed: Transformer = model, dtype: torch.dtype = torch.float32) -> str:
        return step_programs._key(changed, dtype)

    keys = [
        key(),
        key(dtype=torch.bfloat16),
        key(build_random(seed=1)),
        key(build_random(small(norm_eps=1e-6))),
    ]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    keys.append(key())
    monkeypatch.setattr(torch, "__version__", "2.99")
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert key() == keys[-1]


@torch.inference_mode()
def test_each_program_is_used_up_to_its_number_of_rows(model):
    graph, called = step_programs.StepGraph(model), []

    def record(name: str) -> Program:
        def run(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
            assert all(x.is_contiguous() for x in inputs)
            called.append(name)
            return list(graph(*inputs))

        return run

    step = CompiledStep({7: {1: record("long")}, 2: {3: record("many"), 2: record("few")}})
    cases = {
        (1, 1): "few", (2, 1): "few", (3, 1): "many", (4, 1): None, (1, 2): None,
        (1, 1, 3): "long", (1, 1, 7): "long", (2, 1, 3): None, (1, 1, 8): None,
    }  # fmt: skip
    for (rows, tokens, *earlier), expected in cases.items():
        cache = model.prefill(*batch((4,) * rows)[:2], rows)
        ids = torch.zeros(rows, 9, dtype=torch.int64)
        for n in earlier:
            model.step(ids[:, :n], cache)
        length = cache.length
        result = step(ids[:, :tokens], cache)
        assert (result is None) == (expected is None)
        assert cache.length == length + (result is not None)
    assert called == [name for name in cases.values() if name]


@torch.inference_mode()
def test_texts_longer_than_the_programs_table_of_positions():
    model = build_random(small(n_encoder_layers=1, n_decoder_layers=1, max_length=5))
    packed = pack_model(model)
    packed.compiled_step = step_programs._make_step(
        packed, {ANY: {9: lambda _: pytest.fail("called")}}
    )
    source, keep, _ = batch((4,))
    ids = torch.randint(13, (1, 7))
    caches = [each.prefill(source, keep, 1) for each in (packed, model)]
    packed.step(ids[:, :5], caches[0])  # several tokens are not for the program
    step = packed.step(ids[:, 5:6], caches[0])
    assert max_difference(step.logits, model.step(ids[:, :6], caches[1]).logits[:, -1:]) <= 1e-5


def test_each_program_is_for_the_sizes_at_which_it_is_the_fastest(model, monkeypatch):
    # Milliseconds of the packed modules and of both programs: of 8 tokens at 1, 5, 10 and 20 rows,
    # then of 64 tokens at 1 row. The model has no more positions.
    rounds = [[3.0, 1.0, 2.0], [3.0, 2.0, 2.5], [3.0, 2.5, 2.0], [3.0, 4.0, 3.5], [3.0, 4.0, 5.0]]
    times = iter([each for row in rounds for each in row * step_speeds.ROUNDS])
    sizes = []
    monkeypatch.setattr(step_speeds, "LENGTHS", (8, 64, 256))
    monkeypatch.setattr(
        step_speeds,
        "_time",
        lambda _, ids, cache: sizes.append((cache.length, len(ids))) or next(times),
    )
    steps = dict.fromkeys(step_programs.KINDS)
    measured = step_speeds.measure_steps(pack_model(model), steps, n_positions=256)
    assert {n: [*by_rows] for n, by_rows in measured.items()} == {8: [1, 5, 10, 20], 64: [1]}
    assert {*sizes} == {(8, 1), (8, 5), (8, 10), (8, 20), (64, 1)}
    assert [
        list(each.values()) for by_rows in measured.values() for each in by_rows.values()
    ] == rounds
    assert step_speeds.choose_kinds(measured) == {8: {5: "few-rows", 10: "many-rows"}, 64: {}}


def test_longer_texts_are_as_the_longest_that_were_measured(program, model, folder):
    (directory,) = (folder / "steps").iterdir()
    before = (directory / "speeds.json").read_text()
    try:
        kinds = {"8": {"5": "few-rows"}, "256": {"1": "few-rows"}, "64": {}}
        (directory / "speeds.json").write_text(json.dumps({"kinds": kinds}))
        programs = step_programs._read_programs(directory)
        assert {n: [*by_rows] for n, by_rows in programs.items()} == {8: [5], 64: [], ANY: [1]}
    finally:
        (directory / "speeds.json").write_text(before)


def test_a_damaged_program(model, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    directory = tmp_path / "steps" / step_programs._key(model, torch.float32)
    directory.mkdir(parents=True)
    (directory / "few-rows.so").write_bytes(b"\x7fELF")
    (directory / "speeds.json").write_text('{"kinds": {"8": {"5": "few-rows"}}}')
    with pytest.raises(ResourceError, match=f"Delete {directory}; it is compiled again"):
        add_compiled_step(model, pack_model(model))


def test_a_wrong_program_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    model = build_random()
    graph = step_programs.StepGraph(model)

    def wrong(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        logits, *others = graph(*inputs)
        return [1.001 * logits, *others]

    monkeypatch.setattr(step_compiler, "compile_step", lambda *_: None)
    monkeypatch.setattr(step_programs, "_load", lambda path: wrong)
    with pytest.raises(VerificationError, match=r"differ from the model's by 1\.0e-03"):
        add_compiled_step(model, pack_model(model))
    assert list((tmp_path / "steps").iterdir()) == []


def test_without_a_compiler(tmp_path, model, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    with (
        inductor.patch({"cpp.cxx": (None, "no-such-compiler")}),
        pytest.raises(UsageError, match="no-such-compiler is not installed"),
    ):
        add_compiled_step(model, pack_model(model))


def test_a_compiler_that_fails(tmp_path, model, monkeypatch):
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with (
        inductor.patch({"cpp.cxx": (None, "broken")}),
        pytest.raises(ResourceError, match="torch and broken could not compile the decoding step"),
    ):
        add_compiled_step(model, pack_model(model))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (build_random(ENCODER), "only models that generate text have decoding steps"),
        (build_random(small(windows=(0, 3))), "attends to windows"),
        (
            build_random(small(max_length=10)),
            "has 10 positions; steps are compiled for models of 16",
        ),
        (build(RNNConfig(vocab_size=9, d_model=8), seed=0), "only steps of Transformers"),
    ],
    ids=["encoder", "windows", "positions", "rnn"],
)
def test_models_without_such_a_step(model, message):
    with pytest.raises(UsageError, match=message):
        add_compiled_step(model, model)


def test_a_model_that_is_too_large(model, monkeypatch):
    monkeypatch.setattr(step_programs, "MAX_BYTES", 1000)
    with pytest.raises(UsageError, match="compiled for models of up to"):
        add_compiled_step(model, model)


def test_a_table_of_positions_that_is_too_large():
    model = build_random(small(max_length=10_000_000, positions="sinusoid", d_model=32))
    with pytest.raises(UsageError, match=r"weights and positions have 1\.2 GiB"):
        add_compiled_step(model, model)


def test_a_cache_that_others_have_written(folder, program, model, monkeypatch):
    """It may be read-only."""
    monkeypatch.setattr(step_compiler, "compile_step", None)  # a call would fail
    monkeypatch.setattr(os, "utime", forbid)
    monkeypatch.setattr(step_programs, "hold_lock", None)  # it is not locked
    packed = pack_model(model)
    add_compiled_step(model, packed)
    assert isinstance(packed.compiled_step, CompiledStep)


def forbid(path: Path) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", path)


def test_a_program_that_another_process_writes_meanwhile(folder, program, model, monkeypatch):
    """Where directories cannot be locked."""
    (directory,) = (folder / "steps").iterdir()
    kept = folder / "kept"
    directory.rename(kept)

    def finish_later(*_: object) -> None:
        shutil.copytree(kept, directory, dirs_exist_ok=True)

    monkeypatch.setattr(step_compiler, "compile_step", finish_later)
    monkeypatch.setattr(step_programs, "_load", lambda path: program)
    monkeypatch.setattr(step_programs, "measure_steps", lambda *_: {})
    monkeypatch.setattr(
        step_programs,
        "choose_kinds",
        lambda _: {8: dict(enumerate(step_programs.KINDS))},
    )
    packed = pack_model(model)
    add_compiled_step(model, packed)
    assert isinstance(packed.compiled_step, CompiledStep)
    shutil.rmtree(kept)


def test_compiling_does_not_change_random_numbers(tmp_path, model, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    graph = step_programs.StepGraph(model).eval()
    monkeypatch.setattr(step_compiler, "compile_step", lambda *args: args[3].touch())
    monkeypatch.setattr(step_programs, "_load", lambda path: lambda inputs: list(graph(*inputs)))
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    packed = pack_model(model)
    with torch.inference_mode():
        add_compiled_step(model, packed)
    assert torch.equal(torch.rand(2), expected)


def test_compiled_steps_are_not_measured_as_the_packed_modules(tmp_path, model, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    seen = []

    def measure(packed: Transformer, *_: object) -> dict:
        seen.append(packed.compiled_step)
        return {}

    graph = step_programs.StepGraph(model).eval()
    monkeypatch.setattr(step_compiler, "compile_step", lambda *args: args[3].touch())
    monkeypatch.setattr(step_programs, "_load", lambda path: lambda inputs: list(graph(*inputs)))
    monkeypatch.setattr(step_programs, "measure_steps", measure)
    monkeypatch.setattr(step_programs, "choose_kinds", lambda _: {8: {5: "few-rows"}})
    packed = pack_model(model)
    packed.compiled_step = CompiledStep({})
    add_compiled_step(model, packed)
    assert seen == [None]
    assert packed.compiled_step is not None
