"""The model card of a finished run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from shlex import quote

from pellucid import __version__
from pellucid.config.any_model import AnyModelConfig
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.config.run import RunConfig
from pellucid.metrics.intervals import RESAMPLES, Interval, find_intervals
from pellucid.training.epochs import describe_batch

MAX_LABELS = 50
"""Labels of a column in a card."""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a card says besides the config and the scores."""

    updates: int
    n_parameters: int
    n_records: int
    """Training examples."""
    n_validation: int = 0
    """Validation examples; 0 if the model was not validated."""
    label_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def model_card(config: RunConfig, scores: Mapping[str, float], facts: CardFacts) -> str:
    """Return a model card in Markdown: architecture, data, settings, command, scores, limits."""
    data, model, training = config.data, config.model, config.training
    kind, shape = _kind(model)
    languages = ("", "") if data.directions else (data.source_language, data.target_language)
    title = config.objective.title(*languages)
    settings = "".join(
        f", {name.replace('_', ' ')} {value}"
        for name, value in asdict(config.objective).items()
        if value != ""
    )
    start = f"\n- Started from: {config.start_from}." if config.start_from else ""
    n = training.average
    labels = _describe_labels(facts.label_counts)
    weights = f"mean of the last {n} checkpoints" if n > 1 else "weights of one checkpoint"
    measure = "\nMeasure it on your own text before you rely on it: `pellucid evaluate`.\n"
    measure = measure if config.objective.has_model else ""
    return f"""# {title}

A {kind} trained with pellucid {__version__}.

- Task: {config.task}{settings}.
- Size: {facts.n_parameters:,} parameters; {model.n_encoder_layers} encoder and
  {model.n_decoder_layers} decoder layers, d_model {model.d_model}, {shape}.{start}
- Training data: {", ".join(data.train)}; {facts.n_records:,} examples.
{labels}- Recipe: {facts.updates} updates of {describe_batch(training)},
  {training.optimizer}, {training.schedule} schedule, rate {training.rate:g}, warm-up
  {training.warmup}, dropout {model.dropout}, {weights}.

```
{_command(config)}
```

{_describe_scores(config, scores, facts.n_validation)}## Limits

{_describe_limits(config, facts)}{measure}"""


def _describe_labels(label_counts: Mapping[str, Mapping[str, int]]) -> str:
    lines = ""
    for name, counts in label_counts.items():
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        shown = [f"{label} {n:,}" for label, n in ordered[:MAX_LABELS]]
        if len(ordered) > MAX_LABELS:
            shown.append(f"and {len(ordered) - MAX_LABELS:,} more")
        lines += f"- Labels ({name}) in the training data: {', '.join(shown)}.\n"
    return lines


def _command(config: RunConfig) -> str:
    """Return the command of a training like this one."""
    words = ["pellucid", "train", "--task", config.task]
    if config.start_from:
        words += ["--start-from", config.start_from]
    else:
        words += ["--size", config.size]
    words += ["--data.train", *config.data.train]
    words += ["--data.valid", *config.data.valid] if config.data.valid else []
    return f"{' '.join(map(quote, words))}\n# with the other settings of the run's config.yaml"


def _describe_scores(config: RunConfig, scores: Mapping[str, float], n_validation: int) -> str:
    if not scores:
        return ""
    intervals = find_intervals(scores)
    lines = [
        f"| {name} | {value:.3f} | {_show(intervals, name)} |" for name, value in scores.items()
    ]
    source = ", ".join(config.data.valid) or "held out from the training data"
    methods = {interval.method for interval in intervals.values()}
    notes = []
    if "Wilson" in methods:
        names = ", ".join(name for name, each in intervals.items() if each.method == "Wilson")
        notes.append(f"Wilson's for {names}")
    if "bootstrap" in methods:
        notes.append(f"percentiles of {RESAMPLES:,} bootstrap samples of the examples")
    note = f"\nIntervals: {'; otherwise '.join(notes)}.\n" if notes else ""
    return (
        f"| validation ({n_validation:,} examples: {source}) | | 95 % interval |\n|---|---|---|\n"
        + "\n".join(lines)
        + f"\n{note}\n"
    )


def _show(intervals: Mapping[str, Interval], name: str) -> str:
    interval = intervals.get(name)
    return f"{interval.low:.3f} to {interval.high:.3f}" if interval else ""


def _describe_limits(config: RunConfig, facts: CardFacts) -> str:
    most, positions = config.data.max_length, config.model.max_positions
    longest = min(most, positions) if positions else most
    limits = [f"It was trained on texts of at most {longest} tokens."]
    if facts.label_counts:
        limits.append("It knows no labels but those above, and gives one of them to any text.")
    if facts.n_validation:
        limits.append(
            "The validation data chose the checkpoint, so scores on new data of the same kind may"
            " be lower; on other kinds of text they are unknown."
        )
    return "".join(f"- {limit}\n" for limit in limits)


def _kind(c: AnyModelConfig) -> tuple[str, str]:
    """Return the name of the architecture, and a description of its layers."""
    if isinstance(c, ModelConfig):
        return "Transformer", f"d_ff {c.d_ff}, {c.n_heads} heads, {c.norm_place}-norm"
    if isinstance(c, RNNConfig):
        feeding = ", input feeding" if c.input_feeding else ""
        return "recurrent network", f"{c.cell} cells, attention {c.attention}{feeding}"
    return c.kind, ", ".join(f"{name} {value}" for name, value in asdict(c).items())
