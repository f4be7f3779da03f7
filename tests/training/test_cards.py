"""Model cards."""

from pellucid.config.data import DataConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.tagging import TaggingConfig
from pellucid.metrics.intervals import Interval, Metrics
from pellucid.training.cards import CardFacts, model_card

CONFIG = RunConfig(
    task="tagging",
    size="bert-tiny",
    family="bert",
    objective=TaggingConfig(),
    data=DataConfig(train=("my data.conll",), valid=("dev.conll",), max_length=128),
)
FACTS = CardFacts(
    updates=70,
    n_parameters=1_234_567,
    n_records=4321,
    n_validation=99,
    label_counts={"tags": {"O": 5000, "B-X": 30, "I-X": 40}},
)


def test_a_card_has_sizes_labels_scores_command_and_limits(monkeypatch):  # authority: issue 10
    intervals = {"f1": Interval(0.7, 0.9, "bootstrap"), "accuracy": Interval(0.5, 1.0, "Wilson")}
    scores = Metrics({"loss": 0.5, "f1": 0.81234, "accuracy": 0.75})
    monkeypatch.setattr(scores, "intervals", lambda: intervals)
    card = model_card(CONFIG, scores, FACTS)
    for text in (
        "1,234,567 parameters",
        "my data.conll; 4,321 examples",
        "Labels (tags) in the training data: O 5,000, I-X 40, B-X 30.",
        "70 updates of at most 4,096 tokens",
        "pellucid train --task tagging --size bert-tiny --data.train 'my data.conll' --data.valid",
        "| validation (99 examples: dev.conll) | | 95 % interval |",
        "| f1 | 0.812 | 0.700 to 0.900 |",
        "| loss | 0.500 |  |",
        "Wilson's for accuracy; otherwise percentiles of 1,000 bootstrap samples",
        "texts of at most 128 tokens",
        "no labels but those above",
    ):
        assert text in card, text
    assert "\n\n\n" not in card


def test_a_card_without_scores_names_none():
    facts = CardFacts(updates=1, n_parameters=1, n_records=1)
    card = model_card(CONFIG, {}, facts)
    assert "interval" not in card
    assert "Labels" not in card
    assert "\n\n\n" not in card
