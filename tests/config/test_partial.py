"""Flags: what is given is kept, what is not stays out, and the help says what each one is."""

import pytest
import tyro

from pellucid.config.model import ModelConfig
from pellucid.config.partial import given, partial
from pellucid.config.read import build, merge
from pellucid.config.run import RunConfig


def flags(*args):
    return given(tyro.cli(partial(RunConfig), args=list(args)))


def test_nothing_given_is_nothing():  # authority: by hand, here and below
    assert flags() == {}
    assert build(RunConfig, flags(), "flags") == RunConfig()


def test_each_kind_of_flag():
    found = flags(
        *("--model.d-model", "256", "--data.train", "a.en", "b.de", "--training.compile", "True"),
        *(
            "--tokenizer.joint",
            "false",
            "--training.betas",
            "0.9",
            "0.98",
            "--training.eps",
            "1e-8",
        ),
        *("--model.positions", "learned", "--size", "tiny", "--run-dir", "None", "--data.valid"),
    )
    assert found == {
        "size": "tiny",
        "run_dir": "None",
        "data": {"train": ("a.en", "b.de"), "valid": ()},
        "tokenizer": {"joint": False},
        "model": {"d_model": 256, "positions": "learned"},
        "training": {"compile": True, "betas": (0.9, 0.98), "eps": 1e-8},
    }


def test_flags_win_over_the_file():
    in_file = {"model": {"d_model": 128, "n_heads": 4}, "size": "tiny"}
    run = build(RunConfig, merge(in_file, flags("--model.d-model", "64")), "flags")
    assert isinstance(run.model, ModelConfig)
    assert (run.model.d_model, run.model.n_heads, run.size) == (64, 4, "tiny")


def test_a_flag_may_say_the_default():
    """A flag that equals the default still wins over the file: given is not the same as other."""
    run = build(RunConfig, merge({"model": {"n_heads": 4}}, flags("--model.n-heads", "8")), "flags")
    assert isinstance(run.model, ModelConfig)
    assert run.model.n_heads == 8


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--model.d-modell", "3"], "--model.d-model"),
        (["--model.d-model", "x"], "--model.d-model"),
        (["--training.compile", "yes"], "neither true nor false"),
        (["--model.positions", "blah"], "sinusoid-halves"),
        (["--training.betas", "0.9"], "--training.betas"),
        (["--model.d-model"], "--model.d-model"),
    ],
)
def test_wrong_flags_stop_with_code_2(capsys, args, says):
    with pytest.raises(SystemExit) as stopped:
        flags(*args)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert says in " ".join((said.out + said.err).split())
    assert "None" not in said.out + said.err


def test_help_says_what_each_setting_is(capsys):
    with pytest.raises(SystemExit):
        flags("--help")
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--training.warmup INT Updates of linear warm-up. (default: 4000)" in said
    assert "--tokenizer.joint {true,false} One vocabulary" in said
    assert "--training.betas NUMBER NUMBER (default: 0.9 0.98)" in said
    assert "--data.train TEXT ... (default: none)" in said
    assert "--model.norm-place {post,pre}" in said
    assert "{None}" not in said


def test_help_names_no_default_for_what_is_chosen(capsys):
    with pytest.raises(SystemExit):
        tyro.cli(partial(RunConfig, chosen=frozenset({"training.warmup"})), args=["--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Updates of linear warm-up. (default: by size, text and machine)" in said
    assert "--training.max-updates INT (default: 100000)" in said


def test_a_section_of_two_kinds_has_the_flags_of_both():
    found = flags("--size", "rnn", "--model.cell", "gru", "--model.d-model", "64")
    assert found == {"size": "rnn", "model": {"cell": "gru", "d_model": 64}}
    assert {"cell", "n_heads", "input_feeding"} <= partial(RunConfig)().model.__dict__.keys()
