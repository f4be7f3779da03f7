"""What a run says, and where."""

import builtins
import io
import json
import math
import sys
from pathlib import Path

import pytest

from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.errors import ResourceError
from pellucid.training.reporter import (
    JsonLines,
    LogFile,
    ProgressBar,
    Quiet,
    Reporter,
    Tee,
    choose_reporter,
    format_metrics,
)
from pellucid.training.trackers import add_trackers

RECORD = {"step": 1200, "loss": 4.12345, "rate": 0.0004567, "tokens_per_second": 12345.6}


def test_a_line_is_short_and_complete():
    line = format_metrics(RECORD)
    assert line == "step 1,200  loss 4.123  rate 0.000457  tokens per second 12,346"


def test_plain_and_json_go_to_stderr(capsys):
    Reporter().log_metrics(RECORD)
    JsonLines().log_metrics(RECORD)
    JsonLines().log("größer")
    out, err = capsys.readouterr()
    assert out == ""
    plain, figures, message = err.rstrip("\n").split("\n")
    assert plain == format_metrics(RECORD)
    assert json.loads(figures) == RECORD
    assert json.loads(message) == {"message": "größer"}


def test_the_log_keeps_what_every_reporter_hears(tmp_path, capsys):
    both = Tee(Quiet(), LogFile(tmp_path / "log.txt"))
    both.start("training", 0, 10)
    both.log("resuming")
    both.log_metrics(RECORD)
    both.advance(1)
    both.stop()
    lines = (tmp_path / "log.txt").read_text().rstrip("\n").split("\n")
    assert [line[21:] for line in lines] == ["resuming", format_metrics(RECORD)]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["torch.utils.tensorboard", "wandb"])
def test_a_missing_extra_is_named(monkeypatch, tmp_path, name):
    real = builtins.__import__

    def without(module, *args, **kwargs):
        if module.startswith(name):
            raise ImportError(module)
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    setting = name.split(".")[-1]
    config = RunConfig(training=TrainingConfig(**{setting: True}))
    with (
        pytest.raises(ResourceError, match=rf"training\.{setting} is set.*pellucid\[track\]"),
        add_trackers(Quiet(), config, tmp_path),
    ):
        pass


def test_figures_that_are_not_finite_can_be_said():
    assert "nan" in format_metrics({"loss": math.nan})


class Broken(io.StringIO):
    """Standard error that cannot be written any more; a terminal, as far as it says."""

    def isatty(self):
        return True

    def write(self, *_):
        raise BrokenPipeError

    flush = write


@pytest.mark.parametrize("kind", [Reporter, JsonLines, ProgressBar])
@pytest.mark.parametrize("stderr", ["broken", "closed", "none"])
def test_no_reporter_ends_a_training(kind, stderr, monkeypatch):
    """Authority: Python's documentation: a closed file raises ValueError, a closed pipe OSError."""
    stream = Broken() if stderr == "broken" else io.StringIO()
    if stderr == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stderr", None if stderr == "none" else stream)
    assert isinstance(choose_reporter(), ProgressBar if stderr == "broken" else Reporter)
    reporter = kind()
    reporter.start("training", 0, 10)
    for step in range(1, 4):
        reporter.advance(step)
        reporter.log_metrics(RECORD)
        reporter.log_metrics({"step": step, "valid_loss": 1.0})
        reporter.log("a message")
    reporter.stop()


def test_a_log_that_cannot_be_written_ends_no_training():
    LogFile(Path("/dev/full")).log("a message")
    LogFile(Path("/nowhere/log.txt")).log("a message")
