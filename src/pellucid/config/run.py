"""The config of a run, as read from `config.yaml` and as saved with the results."""

from dataclasses import dataclass, field

from pellucid.config.any_model import AnyModelConfig
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.config.tasks.base import TaskConfig
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.config.training import TrainingConfig
from pellucid.config.tuning import TuningConfig
from pellucid.errors import ConfigError

AUTOMATIC_SETTINGS = frozenset(
    {
        *(f"model.{name}" for name in ("d_model", "d_ff", "n_heads", "dropout")),
        *("model.n_encoder_layers", "model.n_decoder_layers", "tokenizer.vocab_size"),
        *(f"training.{name}" for name in ("schedule", "rate", "warmup", "clip_norm", "average")),
        *(f"training.{name}" for name in ("max_updates", "validate_every", "checkpoint_every")),
        *(f"training.{name}" for name in ("max_tokens", "optimizer", "betas", "eps")),
        *(f"training.{name}" for name in ("epochs", "batch_examples", "patience")),
        *(f"tokenizer.{name}" for name in ("kind", "lowercase", "normalize")),
        *("training.weight_decay", "data.max_length"),
        *(f"objective.{name}" for name in ("infilled", "span_length", "whole_words")),
        *("decoding.beam", "decoding.max_length", "decoding.no_repeat_ngram"),
    }
)
"""Settings that are chosen from task, size and data if they are not set."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Config of a training run."""

    task: str = "translation"
    """Task, such as translation or masked_lm; docs/tasks.md lists all."""
    size: str = "auto"
    """Model size. For translation: tiny, small, base or big, or rnn for the recurrent model. For
    encoders: bert-tiny etc. For T5 and BART: t5-efficient-tiny, bart-tiny etc. Baselines:
    bag-of-words, text-cnn, bilstm, hmm. auto: chosen by data and machine."""
    start_from: str = ""
    """A model to fine-tune: a directory, a run, the name of a shipped model, or hf://owner/name.
    Its architecture, weights and tokenizer are used."""
    family: str = ""
    """Model family; empty means that of `size` or `start_from`."""
    run_dir: str = ""
    """Directory of the run; empty means `runs/` plus the task or the languages."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    objective: TaskConfig = field(default_factory=TranslationConfig)
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: AnyModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)

    def __post_init__(self) -> None:
        self.tuning.check_model(self.model)
        metrics = self.objective.available_metrics
        if self.training.best_by and self.training.best_by not in metrics:
            raise ConfigError(
                f"training.best_by={self.training.best_by!r} is not a metric of task"
                f" {self.task}. Use {', '.join(metrics)}."
            )

    @property
    def best_by(self) -> str:
        """The metric that selects the best checkpoint."""
        return self.training.best_by or self.objective.best_by
