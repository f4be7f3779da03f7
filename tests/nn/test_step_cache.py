"""Authority: the steps of the model's own modules."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch._inductor import config as inductor

from nn.samples import DECODER, ENCODER, batch, build_random, max_difference, small
from pellucid.config.rnn import RNNConfig
from pellucid.errors import ResourceError, UsageError, VerificationError
from pellucid.nn import step_cache, step_compiler
from pellucid.nn.model import Transformer, build
from pellucid.nn.pack_model import pack_model
from pellucid.nn.step_cache import add_compiled_step

SHAPES = {
    "pre": small(norm_place="pre", positions="learned", activation="gelu"),
    "decoder": DECODER,
    "buckets": small(positions="buckets", n_buckets=8, max_distance=9, norm="rms", bias="none"),
    "odd": small(vocab_size=37, d_model=24, n_heads=3, d_head=5, d_ff=7),
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
def compiled(folder, model) -> Transformer:
    """A packed copy with a compiled step, as `add_compiled_step` makes it."""
    packed = pack_model(model)
    add_compiled_step(model, packed)
    return packed


def compare(packed: Transformer, model: Transformer, bound: float = 1e-5) -> None:
    """Take the same steps with both, for any number of sources, of rows, and of tokens.

    bound: of the difference, as a share of the greatest number.
    """
    assert packed.compiled_step is not None
    packed.compiled_step.max_rows = None
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
def test_a_compiled_step_says_the_same(compiled, model):
    compare(compiled, model)


@pytest.mark.campaign
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("dtype", "bound"), [("fp32", 1e-5), ("bf16", 0.1)])
@torch.inference_mode()
def test_every_shape(folder, name, dtype, bound):
    model = build_random(SHAPES[name])
    packed = pack_model(model, dtype)
    add_compiled_step(model, packed)
    compare(packed, model, bound)


def test_it_is_compiled_once(folder, compiled, model, monkeypatch):
    monkeypatch.setattr(step_compiler, "compile_step", None)  # a call would fail
    packed = pack_model(model)
    add_compiled_step(model, packed)
    (directory,) = (folder / "steps").iterdir()
    assert sorted(path.name for path in directory.iterdir()) == [
        "manifest.json",
        "speeds.json",
        "step.so",
    ]
    speeds = json.loads((directory / "speeds.json").read_bytes())
    assert packed.compiled_step is not None
    assert packed.compiled_step.max_rows == speeds["max_rows"]


def test_another_model_threads_or_torch_is_another_program(model, monkeypatch):
    def key(changed: Transformer = model, dtype: torch.dtype = torch.float32) -> str:
        return step_cache._key(changed, dtype)

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
def test_it_is_used_up_to_the_rows_at_which_it_is_faster(compiled, model):
    step = compiled.compiled_step
    cache = model.prefill(*batch((5, 2))[:2], 2)
    step.max_rows = 1
    assert step(torch.zeros(2, 1, dtype=torch.int64), cache) is None
    step.max_rows = 2
    assert step(torch.zeros(2, 2, dtype=torch.int64), cache) is None
    assert cache.length == 0
    assert step(torch.zeros(2, 1, dtype=torch.int64), cache).logits.shape == (2, 1, 13)
    assert cache.length == 1


def test_the_measurement_stops_at_the_first_loss(model, monkeypatch):
    times = iter([2.0, 1.0] * 5 + [2.0, 1.5] * 5 + [2.0, 2.5] * 5)
    monkeypatch.setattr(step_cache, "_time", lambda *_: next(times))
    measured = step_cache._measure(pack_model(model), lambda ids, cache: None)
    assert measured == {1: (2.0, 1.0), 5: (2.0, 1.5), 10: (2.0, 2.5)}


def test_a_damaged_program(folder, compiled, model, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    directory = tmp_path / "steps" / step_cache._key(model, torch.float32)
    directory.mkdir(parents=True)
    (directory / "step.so").write_bytes(b"\x7fELF")
    (directory / "speeds.json").write_text('{"max_rows": 5}')
    with pytest.raises(ResourceError, match=f"Delete {directory}; it is compiled again"):
        add_compiled_step(model, pack_model(model))


def test_a_wrong_program_is_not_kept(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    model = build_random()
    graph = step_cache.StepGraph(model)

    def wrong(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        logits, *others = graph(*inputs)
        return [1.001 * logits, *others]

    monkeypatch.setattr(step_compiler, "compile_step", lambda *_: None)
    monkeypatch.setattr(
        step_cache, "_with_program", lambda packed, path: step_cache.CompiledStep(wrong, None)
    )
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
        pytest.raises(ResourceError, match="broken could not compile the decoding step"),
    ):
        add_compiled_step(model, pack_model(model))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (build_random(ENCODER), "only models that generate text have decoding steps"),
        (build_random(small(windows=(0, 3))), "attends to windows"),
        (build(RNNConfig(vocab_size=9, d_model=8), seed=0), "only steps of Transformers"),
    ],
    ids=["encoder", "windows", "rnn"],
)
def test_models_without_such_a_step(model, message):
    with pytest.raises(UsageError, match=message):
        add_compiled_step(model, model)


def test_a_model_that_is_too_large(model, monkeypatch):
    monkeypatch.setattr(step_cache, "MAX_BYTES", 1000)
    with pytest.raises(UsageError, match="compiled for models of up to"):
        add_compiled_step(model, model)
