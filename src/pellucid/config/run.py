"""A whole run: what `config.yaml` says, and what is saved resolved beside the results."""

from dataclasses import dataclass, field
from typing import Literal

from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.config.training import TrainingConfig

CHOSEN = frozenset(
    {
        *(f"model.{name}" for name in ("d_model", "d_ff", "n_heads", "dropout")),
        *("model.n_encoder_layers", "model.n_decoder_layers", "tokenizer.vocab_size"),
        *(f"training.{name}" for name in ("schedule", "rate", "warmup", "clip_norm", "average")),
        *(f"training.{name}" for name in ("max_updates", "validate_every", "checkpoint_every")),
    }
)
"""Settings that a training chooses where they are left open: their defaults here never count."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run from text to a measured model."""

    task: Literal["translation"] = "translation"
    size: str = "auto"
    """A preset of the model's sizes (tiny, small, base, big; rnn is the recurrent one); auto looks
    at data and machine."""
    run_dir: str = ""
    """Where everything is kept; empty means `runs/` plus the languages or the file's name."""
    device: str = "auto"
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig | RNNConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
