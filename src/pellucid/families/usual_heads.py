"""Heads that several families have, by the names that each gives their parts."""

from collections.abc import Sequence
from dataclasses import replace

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.families.family import HeadNames
from pellucid.families.fields import ACTIVATIONS, Field
from pellucid.families.rows import Row

LM = HeadNames("lm", LANGUAGE_MODEL, (Row("lm_head", "output"),))
POOLED = HeadConfig(kind="sequence", activation="tanh")
"""A text's first state through a map and a tanh."""
# The end token is the one that has seen the whole text, in a decoder that reads it again.
END_CLASSIFIER = HeadNames(
    "classifier",
    HeadConfig(kind="sequence", outputs=3, activation="tanh", pool="end"),
    (Row("classification_head.dense", "transform"), Row("classification_head.out_proj", "output")),
    (Field("classifier_dropout", "dropout"), Field("classifier_dropout", "input_dropout")),
)
TAGGER = HeadNames(
    "tagger",
    HeadConfig(kind="token", outputs=2, dropout=0.1),
    (Row("classifier", "output"),),
    (Field("classifier_dropout", "dropout"),),
)
SPAN = HeadNames(
    "span",
    HeadConfig(kind="token", outputs=2, labels=("start", "end")),
    (Row("qa_outputs", "output"),),
)
"""Where an answer starts and ends."""


def masked_words(
    transform: str, norm: str, output: str, bias: str = "", activation: Field | None = None
) -> HeadNames:
    """Logits for hidden words, of states that pass a map, an activation and a norm.

    `bias`: the name under which files hold the output's bias by itself. `activation`: where their
    config names it; without, it is always the exact gelu.
    """
    last = (Row(output, "output"),)
    if bias:
        own = Row(bias, "output.bias", also=f"{output}.bias")
        last = (Row(f"{output}.weight", "output.weight"), own)
    name = ACTIVATIONS[activation.default] if activation else "gelu"
    return HeadNames(
        "mlm",
        HeadConfig(kind="lm", activation=name, norm=True),
        (Row(transform, "transform"), Row(norm, "norm"), *last),
        (activation,) if activation else (),
    )


def fine_tuned(pooler: Row, settings: Sequence[Field]) -> dict[str, HeadNames]:
    """What encoders are fine-tuned for: a text's label, each token's, and where an answer is."""
    text = replace(POOLED, outputs=2, dropout=0.1)
    return {
        "SequenceClassification": HeadNames("classifier", text, (pooler, *TAGGER.rows), settings),
        "TokenClassification": TAGGER._replace(settings=settings),
        "QuestionAnswering": SPAN,
    }
