"""The model card of a finished run."""

from collections.abc import Mapping
from dataclasses import asdict

from pellucid import __version__
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.config.run import RunConfig
from pellucid.training.epochs import describe_batch


def model_card(config: RunConfig, scores: Mapping[str, float], updates: int) -> str:
    """Return a model card in Markdown: architecture, training data, settings and scores."""
    data, model, training = config.data, config.model, config.training
    kind, shape = _kind(model)
    title = config.objective.title(data.source_language, data.target_language)
    settings = "".join(
        f", {name.replace('_', ' ')} {value}"
        for name, value in asdict(config.objective).items()
        if value != ""
    )
    start = f"\n- Started from: {config.start_from}." if config.start_from else ""
    n = training.average
    weights = f"mean of the last {n} checkpoints" if n > 1 else "weights of one checkpoint"
    figures = "\n".join(f"| {name} | {value:.3f} |" for name, value in scores.items())
    return f"""# {title}

A {kind} trained with pellucid {__version__}.

- Task: {config.task}{settings}.
- Shape: {model.n_encoder_layers} encoder and {model.n_decoder_layers} decoder layers,
  d_model {model.d_model}, {shape}.{start}
- Training data: {", ".join(data.train)}.
- Recipe: {updates} updates of {describe_batch(training)},
  {training.optimizer}, {training.schedule} schedule, rate {training.rate}, warm-up
  {training.warmup}, dropout {model.dropout}, {weights}.

| validation | |
|---|---|
{figures}

Measure it on your own text before you rely on it: `pellucid evaluate`.
"""


def _kind(c: ModelConfig | RNNConfig) -> tuple[str, str]:
    """Return the name of the architecture, and a description of its layers."""
    if isinstance(c, ModelConfig):
        return "Transformer", f"d_ff {c.d_ff}, {c.n_heads} heads, {c.norm_place}-norm"
    feeding = ", input feeding" if c.input_feeding else ""
    return "recurrent network", f"{c.cell} cells, attention {c.attention}{feeding}"
