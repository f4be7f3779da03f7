"""Each cross-field check refuses what it names and says a way out that works.

Authority: the arithmetic that would fail later, by hand.
"""

from dataclasses import replace

import pytest

from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.config.tasks.masked_lm import MaskedLMConfig
from pellucid.config.tasks.tagging import TaggingConfig
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError

REFUSED = [
    (ModelConfig, {"d_model": 100, "n_heads": 12}, "Use d_model=108", {"d_model": 108}),
    (ModelConfig, {"d_model": 7, "n_heads": 7}, "is odd", {"positions": "learned"}),
    (ModelConfig, {"character_ngrams": 3}, "n_decoder_layers=0", {"n_decoder_layers": 0}),
    (ModelConfig, {"neighbor_heads": True}, "positions=buckets", {"positions": "buckets"}),
    (
        ModelConfig,
        {"n_encoder_layers": 0, "n_decoder_layers": 0},
        "are both 0",
        {"n_decoder_layers": 1},
    ),
    (ModelConfig, {"target_vocab_size": 5}, "second vocabulary", {"tie_embeddings": "decoder"}),
    *(
        (
            ModelConfig,
            {"target_vocab_size": 5, "n_decoder_layers": 0, "tie_embeddings": tied},
            "an encoder alone has one embedding",
            fix,
        )
        for tied in ("all", "inputs", "decoder")
        for fix in ({"target_vocab_size": 0}, {"tie_embeddings": "none"})
    ),
    (
        ModelConfig,
        {"dropout": 1.0},
        "dropout=1.0 must be at least 0 and below 1",
        {"dropout": 0.99},
    ),
    (ModelConfig, {"dropout": float("nan")}, "dropout=nan", {"dropout": 0.0}),
    (ModelConfig, {"norm_eps": 0.0}, "norm_eps=0.0 must be above 0", {"norm_eps": 1e-5}),
    (ModelConfig, {"n_encoder_layers": 10**9}, "more than 1024 layers", {"n_encoder_layers": 1024}),
    (ModelConfig, {"vocab_size": 10**9}, "is above 10000000", {"vocab_size": 10**7}),
    (TokenizerConfig, {"vocab_size": 271}, "too small for byte-bpe", {"kind": "char"}),
    (TokenizerConfig, {"vocab_size": 7, "kind": "char"}, "at least 8", {"vocab_size": 8}),
    (TokenizerConfig, {"vocab_size": 10**9}, "is above 1000000", {"vocab_size": 10**6}),
    (TokenizerConfig, {"min_frequency": 10**20}, "is above", {"min_frequency": 1}),
    (DataConfig, {"max_line_bytes": 10**20}, "is above 1073741824", {"max_line_bytes": 1 << 30}),
    (DataConfig, {"max_length": 10**18}, "is above 10000000", {"max_length": 10**7}),
    (DataConfig, {"columns": {"text": 0}}, "read from 0. Name a field", {"columns": {"text": 1}}),
    (DataConfig, {"columns": {"text": ""}}, "read from ''", {"columns": {"text": "a"}}),
    (DecodingConfig, {"beam": 2, "n_best": 3}, "Use beam=3", {"beam": 3}),
    (
        DecodingConfig,
        {"min_length": 4, "max_length": 4},
        "must be below max_length",
        {"max_length": 5},
    ),
    (DecodingConfig, {"alpha": float("inf")}, "alpha=inf", {"alpha": 2.0}),
    (DecodingConfig, {"alpha": 31.0}, "alpha=31", {"alpha": 30.0}),
    (TrainingConfig, {"workers": 3000}, "workers=3000 is above 64", {"workers": 64}),
    (TrainingConfig, {"threads": 5000}, "threads=5000 is above 1024", {"threads": 1024}),
    (TrainingConfig, {"accumulate": 10**9}, "is above 65536", {"accumulate": 65_536}),
    (TrainingConfig, {"warmup": 0}, "warmup of at least 1", {"warmup": 1}),
    (TrainingConfig, {"schedule": "linear", "max_updates": 4000}, "Lower warmup", {"warmup": 3999}),
    (TrainingConfig, {"betas": (0.9, 1.0)}, "betas must be in", {"betas": (0.9, 0.999)}),
    (TranslationConfig, {"label_smoothing": -0.1}, "label_smoothing=-0.1", {"label_smoothing": 0}),
    (MaskedLMConfig, {"chosen": 0.0}, "chosen=0 leaves nothing", {"chosen": 0.15}),
    (MaskedLMConfig, {"masked": 0.9, "random": 0.2}, "masked=0.9 and random=0.2", {"random": 0.1}),
    (TaggingConfig, {"dropout": 1.0}, "dropout=1.0", {"dropout": 0.5}),
]


@pytest.mark.parametrize(("cls", "wrong", "message", "fix"), REFUSED)
def test_impossible_settings_are_refused_and_the_way_out_works(cls, wrong, message, fix):
    with pytest.raises(ConfigError, match=message):
        cls(**wrong)
    assert cls(**{**wrong, **fix})


@pytest.mark.parametrize(
    "cls", [ModelConfig, TokenizerConfig, DataConfig, DecodingConfig, TrainingConfig]
)
def test_defaults_are_possible_and_frozen(cls):
    config = cls()
    name = next(iter(cls.__dataclass_fields__))
    with pytest.raises(AttributeError):
        setattr(config, name, getattr(config, name))
    assert replace(config) == config


@pytest.mark.parametrize(("name", "most"), [("n_best", 65_536), ("samples", 512)])
def test_as_many_texts_are_sampled_as_there_is_room_for(name, most):  # authority: docs/decoding.md
    drawn = {"method": "mbr" if name == "samples" else "sample"}
    assert getattr(DecodingConfig().with_settings({**drawn, name: most}), name) == most
    with pytest.raises(ConfigError, match=f"{name}={most + 1} is above {most}"):
        DecodingConfig().with_settings({**drawn, name: most + 1})
