"""Flags: what is given is kept, what is not stays out, and the help explains each one.

Authority: the arguments and the dataclasses, by hand.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from pellucid.cli.parse import config_flags, parse, positional, read_flags
from pellucid.config.model import ModelConfig
from pellucid.config.read import build, merge
from pellucid.config.rnn import RNNConfig
from pellucid.config.run import RunConfig
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Do something."""

    files: tuple[str, ...] = positional(())
    """Files to read."""
    prefix: str = ""
    """A text, 100% optional."""
    banned: tuple[str, ...] = ()
    loud: bool = False
    settings: dict[str, Any] = config_flags(RunConfig, frozenset({"training.warmup"}))


def options(*args) -> Options:
    parsed = parse(Options, args, "verb")
    assert parsed is not None
    return parsed


def flags(*args):
    return options(*args).settings


def test_nothing_given_is_nothing():
    assert options() == Options()
    assert build(RunConfig, flags(), "flags") == RunConfig()


def test_each_kind_of_flag():
    assert flags(
        *("--model.d-model", "256", "--data.train", "a.en", "b.de", "--training.compile", "True"),
        *("--tokenizer.joint", "false", "--training.betas", "0.9", "0.98"),
        *("--training.eps", "1e-8", "--model.positions=learned", "--size", "tiny"),
        *("--run_dir", "None", "--data.valid"),
    ) == {
        "size": "tiny",
        "run_dir": "None",
        "data": {"train": ("a.en", "b.de"), "valid": ()},
        "tokenizer": {"joint": False},
        "model": {"d_model": 256, "positions": "learned"},
        "training": {"compile": True, "betas": (0.9, 0.98), "eps": 1e-8},
    }


@pytest.mark.parametrize(
    "args",
    [
        ["a", "b", "--loud", "--prefix", "x", "--banned", "y", "z"],
        ["--loud", "--banned", "y", "z", "--prefix", "x", "a", "b"],
        ["--prefix", "x", "a", "--loud", "b", "--banned", "y", "z"],
    ],
)
def test_arguments_without_flags_stand_anywhere(args):
    assert options(*args) == Options(("a", "b"), prefix="x", banned=("y", "z"), loud=True)


@pytest.mark.parametrize("value", ["-Der", "-1e-3", "-", "- x", "-h=", "--=x y"])
def test_a_value_may_begin_with_a_dash(value):
    assert options(f"--prefix={value}").prefix == value
    if not value.startswith("--"):
        assert options("--prefix", value, "a") == Options(("a",), prefix=value)


def test_a_mapping_is_given_as_pairs():
    columns = {"text": "review body", "label": 3, "score": "a=b"}
    data = flags("--data.columns", "text=review body", "label=3", "score=a=b")
    assert data == {"data": {"columns": columns}}
    assert build(RunConfig, data, "flags").data.columns == columns
    assert flags("--data.columns") == {"data": {"columns": {}}}


def test_flags_win_over_the_file():
    in_file = {"model": {"d_model": 128, "n_heads": 4}, "size": "tiny"}
    run = build(RunConfig, merge(in_file, flags("--model.d-model", "64")), "flags")
    assert isinstance(run.model, ModelConfig)
    assert (run.model.d_model, run.model.n_heads, run.size) == (64, 4, "tiny")


def test_a_flag_may_give_the_default():
    """A flag that equals the default still wins over the file: given is not the same as other."""
    run = build(RunConfig, merge({"model": {"n_heads": 4}}, flags("--model.n-heads", "8")), "flags")
    assert isinstance(run.model, ModelConfig)
    assert run.model.n_heads == 8


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model.d-modell", "3"], "Did you mean --model.d-model?"),
        (["--model.d-model", "x"], "argument --model.d-model: invalid int value: 'x'"),
        (["--training.compile", "yes"], "neither true nor false"),
        (["--model.positions", "blah"], "sinusoid-halves"),
        (["--training.betas", "0.9"], "argument --training.betas: expected 2 arguments"),
        (["--data.columns", "text"], "argument --data.columns: 'text' is not NAME=FIELD"),
        (["--data.columns", "text="], "'text=' is not NAME=FIELD"),
        (["--model.d-model"], "argument --model.d-model: expected one argument"),
        (["--model.d", "3"], "unrecognized argument --model.d"),
        (["--banned"], "argument --banned: expected at least one argument"),
        (["--loud=yes"], "argument --loud"),
    ],
)
def test_wrong_flags(args, message):
    with pytest.raises(UsageError) as error:
        options(*args)
    first, second = str(error.value).split("\n")
    assert message in first
    assert second == "See: pellucid verb --help"


def test_missing_arguments():
    @dataclass(frozen=True)
    class Needs:
        """Needs a model."""

        model: str = positional()

    with pytest.raises(UsageError, match="required: MODEL"):
        parse(Needs, [], "verb")


def help_text(capsys, cls=Options, args=()):
    assert parse(cls, [*args, "--help"], "verb") is None
    return " ".join(capsys.readouterr().out.split())


def test_help_explains_each_setting(capsys):
    text = help_text(capsys)
    assert text.startswith("usage: pellucid verb [FILES ...] [OPTION ...] Do something.")
    assert "FILES Files to read." in text
    assert "--prefix TEXT A text, 100% optional." in text
    assert "--tokenizer.joint {true,false} Use one vocabulary" in text
    assert "--training.betas NUMBER NUMBER (default: 0.9 0.98)" in text
    assert "--training.seed INT (default: 1)" in text
    assert "--data.source-language TEXT Language code" in text
    assert "--data.train [TEXT ...] Training files, folders" in text
    assert "--data.columns [NAME=FIELD ...] Field of the files" in text
    assert "--model.norm-place {post,pre}" in text
    assert "model: Architecture of a Transformer." in text


def test_help_names_no_default_for_what_is_chosen(capsys):
    text = "Updates of linear warm-up. (default: by size, text and machine)"
    assert f"--training.warmup INT {text}" in help_text(capsys)


def test_a_section_of_two_kinds_has_the_flags_of_both():
    inputs = flags("--size", "rnn", "--model.cell", "gru", "--model.n-heads", "4")
    assert inputs == {"size": "rnn", "model": {"cell": "gru", "n_heads": 4}}


def sections(args):
    return {"model": RNNConfig if read_flags(args, "size").get("size") == "rnn" else ModelConfig}


@dataclass(frozen=True)
class Chosen:
    """Sections of classes that other flags name."""

    settings: dict[str, Any] = config_flags(RunConfig, sections=sections)


@pytest.mark.parametrize("size", [["--size", "rnn"], ["--size=rnn"]])
def test_a_section_of_a_class_that_another_flag_names(capsys, size):
    assert parse(Chosen, ["--model.cell", "gru", *size], "verb") == Chosen(
        {"size": "rnn", "model": {"cell": "gru"}}
    )
    with pytest.raises(UsageError, match=r"unrecognized argument --model\.n-heads"):
        parse(Chosen, [*size, "--model.n-heads", "4"], "verb")
    with pytest.raises(UsageError, match=r"unrecognized argument --model\.cell"):
        parse(Chosen, ["--model.cell", "gru"], "verb")
    assert "--model.cell" in help_text(capsys, Chosen, size)
    assert "--model.n-heads" in help_text(capsys, Chosen)


def test_words_after_two_dashes_are_no_flags():  # authority: POSIX, guideline 10
    @dataclass(frozen=True)
    class Words:
        """Words and flags."""

        first: str = positional("")
        rest: tuple[str, ...] = positional(())
        many: tuple[str, ...] = ()
        loud: bool = False

    assert parse(Words, ["--", "-a", "--loud"], "verb") == Words(first="-a", rest=("--loud",))
    args = ["a", "--many", "b", "c", "--", "-d", "--help", "--", "x_y", "--x_y"]
    rest = ("-d", "--help", "--", "x_y", "--x_y")
    assert parse(Words, args, "verb") == Words(first="a", rest=rest, many=("b", "c"))
    assert parse(Words, ["--loud", "--"], "verb") == Words(loud=True)
