"""`--compile`: which models the verbs compile a step of.  Authority: what the verb is for."""

import sys

import pytest

from pellucid import allocator
from pellucid.api import packed_model
from pellucid.cli import serve
from pellucid.serve.limits import Limits


@pytest.fixture
def compiled(monkeypatch):
    """The models that a step was compiled of; none really is."""
    models: list = []
    monkeypatch.setattr(packed_model, "add_compiled_step", lambda model, _: models.append(model))
    return models


def test_verbs_that_write_texts(pellucid, ready, writers, compiled):
    line = b"a dog\n"
    calls = [
        (1, ["translate", ready.run, "--compile"]),
        (2, ["translate", ready.run, "--compile", "--ensemble", ready.run]),
        (1, ["summarize", ready.run, "--compile"]),
        (1, ["generate", writers.model, "--compile", "--max-length", "3"]),
        (2, ["generate", writers.model, "--draft", writers.second, "--beam", "1", "--compile"]),
        (1, ["bench", ready.run, "--compile", "--lines", "1", "--repeat", "1"]),
        (0, ["translate", ready.run]),
    ]
    for n, call in calls:
        compiled.clear()
        done = pellucid(*call, stdin=line)
        assert done.code == 0, (call, done.err)
        assert len(compiled) == n, call


def test_not_in_int8(pellucid, ready, compiled):
    done = pellucid("translate", ready.run, "--compile", "--dtype", "int8", stdin=b"")
    assert done.code == 2
    assert "compile is for fp32 and bf16 on the CPU, not for int8 on cpu" in done.err


def test_a_server_compiles_the_models_that_write_texts(ready, writers, compiled, monkeypatch):
    # This process is no server: its allocator and threads stay as they are.
    monkeypatch.setattr(allocator, "prepare_for_serving", lambda: None)
    monkeypatch.setattr(allocator, "limit_compiled_operators", lambda: None)
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    paths = {"translator": str(ready.run), "tagger": str(writers.tagger)}
    options = serve.Options(models=tuple(paths.values()), compile=True, workers=0)
    models = serve._load_models(options, paths, Limits(), 0)
    assert compiled == [models.find("translator").model.model]
