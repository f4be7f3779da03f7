"""One tiny trained run for all tests of the command line, and calls of it in this process."""

import io
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.writers import (
    END,
    write_answerer,
    write_bert,
    write_classifier,
    write_gpt2,
    write_tagger,
)
from pellucid import allocator, garden
from pellucid.cli.main import main

TINY = [
    *("--tokenizer.vocab-size", "300", "--model.d-model", "16", "--model.d-ff", "32"),
    *("--model.n-heads", "2", "--model.n-encoder-layers", "1", "--model.n-decoder-layers", "1"),
    *("--training.validate-every", "10", "--training.checkpoint-every", "10"),
]


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Writers(NamedTuple):
    """Models in published layouts, random."""

    model: Path
    second: Path  # of the same tokenizer
    foreign: Path  # of another
    filler: Path
    tagger: Path


class Ready(NamedTuple):
    """A finished run, and text in its languages."""

    run: Path
    source: Path
    target: Path


@pytest.fixture(autouse=True)
def _own_allocator(monkeypatch):
    # The test process is no process of the command line: its allocator stays as it is.
    monkeypatch.setattr(allocator, "prepare_for_steps", lambda: None)


@pytest.fixture(scope="session")
def ready(tmp_path_factory) -> Ready:
    folder = tmp_path_factory.mktemp("cli")
    source, target = folder / "text.en", folder / "text.de"
    pairs = list(garden.pairs(120, "en", "de", split="test"))
    source.write_text("".join(f"{pair[0]}\n" for pair in pairs), encoding="utf-8")
    target.write_text("".join(f"{pair[1]}\n" for pair in pairs), encoding="utf-8")
    run = folder / "run"
    args = ["--data.train", str(source), str(target), *TINY, "--run-dir", str(run)]
    assert main(["train", *args, "--training.max-updates", "20"]) == 0
    assert main(["export", str(run), str(folder / "published")]) == 0
    write_bert(folder / "filler", seed=0)
    write_tagger(folder / "tagger", seed=0)
    write_classifier(folder / "classifier", seed=0)
    write_answerer(folder / "answerer", seed=0)
    return Ready(run, source, target)


@pytest.fixture(scope="session")
def writers(tmp_path_factory, ready) -> Writers:
    folder = tmp_path_factory.mktemp("writers")
    return Writers(
        write_gpt2(folder / "model", seed=0),
        write_gpt2(folder / "second", seed=1, n_decoder_layers=1),
        write_gpt2(folder / "foreign", seed=1, special=(END, "<x>")),
        ready.run.parent / "filler",
        ready.run.parent / "tagger",
    )


@pytest.fixture
def pellucid(capsys, monkeypatch):
    """`pellucid("info", "DIR", stdin=b"...") -> Done`, in this process."""

    def call(*args, stdin: bytes = b"") -> Done:
        # A real descriptor: the command line reads what is ready, not what Python has buffered.
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as file:
            file.write(stdin)  # tests write less than a pipe holds
        with io.TextIOWrapper(os.fdopen(reader, "rb")) as opened:
            monkeypatch.setattr(sys, "stdin", opened)
            capsys.readouterr()
            code = main([str(arg) for arg in args])
        return Done(code, *capsys.readouterr())

    return call
