"""Every rule of a model's shape. Authority: the rule as its field's comment states it."""

import math
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError


def test_defaults_are_the_papers_base_model():  # authority: Vaswani et al. 2017, table 3
    c = ModelConfig()
    assert (c.n_encoder_layers, c.n_decoder_layers, c.d_model, c.d_ff, c.n_heads) == (
        *(6, 6, 512, 2048, 8),
    )
    assert (c.dropout, c.positions, c.norm_place, c.activation) == (0.1, "sinusoid", "post", "relu")
    assert c.scale_embeddings
    assert c.tie_embeddings == "all"


@pytest.mark.parametrize("name", ["d_model", "n_heads", "d_ff", "max_length"])
@pytest.mark.parametrize("value", [0, -1, -(2**63)])
def test_sizes_are_at_least_one(name, value):
    with pytest.raises(ConfigError, match=f"{name}={value} must be at least 1"):
        ModelConfig(**{name: value})


@pytest.mark.parametrize(
    "name", ["vocab_size", "target_vocab_size", "n_encoder_layers", "n_decoder_layers"]
)
def test_counts_are_not_negative(name):
    with pytest.raises(ConfigError, match=f"{name}=-1 must be at least 0"):
        ModelConfig(**{name: -1})
    ModelConfig(tie_embeddings="none", **{name: 0})


@pytest.mark.parametrize("name", ["d_model", "d_ff", "max_length", "vocab_size"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_sizes_are_numbers(name, value):
    with pytest.raises(ConfigError, match=name):
        ModelConfig(**{name: value})


@pytest.mark.parametrize("name", ["dropout", "attention_dropout", "activation_dropout"])
def test_rates_are_below_one(name):
    for value in (-0.1, 1.0, 1.5, math.nan, math.inf):
        with pytest.raises(ConfigError, match=f"{name}={value} must be at least 0 and below 1"):
            ModelConfig(**{name: value})
    for value in (0.0, 0.5, 0.99):
        assert getattr(ModelConfig(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "most"),
    [("vocab_size", 10_000_000), ("d_model", 65_536), ("d_ff", 1_048_576), ("n_heads", 1024)],
)
def test_sizes_that_cannot_be_meant(name, most):  # an error before memory is asked for
    room = {"d_model": 65_536} if name == "n_heads" else {}
    ModelConfig(**{**room, name: most})
    with pytest.raises(ConfigError, match=f"{name}={2 * most} is above {most}"):
        ModelConfig(**{**room, name: 2 * most})


@pytest.mark.parametrize("name", ["n_encoder_layers", "n_decoder_layers"])
def test_depths_that_cannot_be_meant(name):
    ModelConfig(**{name: 1024})
    with pytest.raises(ConfigError, match="more than 1024 layers"):
        ModelConfig(**{name: 1025})


def test_a_model_has_layers():
    with pytest.raises(ConfigError, match="are both 0"):
        ModelConfig(n_encoder_layers=0, n_decoder_layers=0)
    ModelConfig(n_encoder_layers=0)
    ModelConfig(n_decoder_layers=0)


def test_heads_share_the_width_evenly():  # and the width that the message advises works
    with pytest.raises(ConfigError, match="d_model=100 is not divisible by n_heads=12") as caught:
        ModelConfig(d_model=100, n_heads=12)
    assert "Use d_model=108" in str(caught.value)
    ModelConfig(d_model=108, n_heads=12)


@pytest.mark.parametrize("positions", ["sinusoid", "sinusoid-halves"])
def test_sinusoids_come_in_pairs(positions):
    with pytest.raises(ConfigError, match="d_model=33 is odd"):
        ModelConfig(d_model=33, n_heads=3, positions=positions)
    ModelConfig(d_model=33, n_heads=3, positions="learned")
    ModelConfig(d_model=33, n_heads=3, positions="none")


def test_two_vocabularies_cannot_share_one_matrix():
    with pytest.raises(ConfigError, match="Use tie_embeddings=decoder"):
        ModelConfig(target_vocab_size=7)
    ModelConfig(target_vocab_size=7, tie_embeddings="decoder")
    ModelConfig(target_vocab_size=7, tie_embeddings="none")


@pytest.mark.parametrize("value", [0.0, -1e-5, math.nan])
def test_a_norms_epsilon_is_above_zero(value):
    with pytest.raises(ConfigError, match="norm_eps"):
        ModelConfig(norm_eps=value)


def test_configs_are_values():
    c = ModelConfig(d_model=128)
    assert c == replace(ModelConfig(), d_model=128)
    with pytest.raises(FrozenInstanceError):
        c.d_model = 256  # type: ignore[misc]
    with pytest.raises(TypeError):
        ModelConfig(512)  # type: ignore[misc]
    with pytest.raises(ConfigError):  # checked again when changed
        replace(c, n_heads=3)
    assert len(fields(c)) <= 34  # DESIGN.md: at most 34 shared fields
