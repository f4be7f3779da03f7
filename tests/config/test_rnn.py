"""The recurrent model's settings.  Authority: by hand, what each setting means."""

import pytest

from pellucid.config.read import build
from pellucid.config.rnn import RNNConfig
from pellucid.config.run import RunConfig
from pellucid.errors import ConfigError
from pellucid.families.rnn import RNN
from pellucid.families.run_config import build_run


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"d_model": 255}, "d_model=255 is odd"),
        ({"attention": "none", "input_feeding": True}, "needs attention, but attention=none"),
        ({"d_embedding": 100}, "tie_embeddings=inputs or none"),
        ({"target_vocab_size": 9}, "Use tie_embeddings=decoder"),
        ({"d_model": 10**6}, "d_model=1000000 is above"),
        ({"n_decoder_layers": 0}, "n_decoder_layers=0 must be at least 1"),
        ({"n_encoder_layers": 10**9}, "more than 1024 layers"),
        ({"dropout": 1.0}, "dropout=1.0 must be at least 0 and below 1"),
    ],
)
def test_impossible_shapes_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        RNNConfig(**settings)


def test_the_size_says_of_which_kind_the_model_is():
    run = build_run({"size": "rnn", "model": {"cell": "gru", "d_model": 20}}, "test")
    assert run.model == RNNConfig(cell="gru", d_model=20)
    assert build_run({"size": "tiny"}, "test") == RunConfig(size="tiny")
    assert list(RNN.presets) == ["rnn"]


@pytest.mark.parametrize(
    ("size", "model", "message"),
    [
        ("rnn", {"n_heads": 4}, "this model is of family rnn. Leave it out, or use size: tiny"),
        ("rnn", {"cel": "gru"}, "Did you mean model.cell?"),
        ("rnn", {"cell": "gur"}, "one of lstm, gru .did you mean gru"),
        (
            "tiny",
            {"cell": "gru"},
            "model.cell is a setting of family rnn.* use size: rnn",
        ),
    ],
)
def test_settings_of_the_other_kind_are_refused(size, model, message):
    with pytest.raises(ConfigError, match=message):
        build_run({"size": size, "model": model}, "test")


def test_without_a_word_the_first_kind_is_meant():
    assert build(RunConfig, {}, "test").model == RunConfig().model
