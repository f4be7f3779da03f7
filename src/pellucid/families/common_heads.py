"""Heads that several families have, made from the weight names of each."""

from collections.abc import Sequence
from dataclasses import replace

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.families.family import PublishedHead
from pellucid.families.fields import ACTIVATIONS, Field
from pellucid.families.renames import Rename

LM = PublishedHead("lm", LANGUAGE_MODEL, (Rename("lm_head", "output"),))
POOLED = HeadConfig(kind="sequence", activation="tanh")
"""The first token's state through a linear map and a tanh."""
# The decoder reads the text again, and only the end token has seen all of it.
END_CLASSIFIER = PublishedHead(
    "classifier",
    HeadConfig(kind="sequence", outputs=3, activation="tanh", pool="end"),
    (
        Rename("classification_head.dense", "transform"),
        Rename("classification_head.out_proj", "output"),
    ),
    (Field("classifier_dropout", "dropout"), Field("classifier_dropout", "input_dropout")),
)
TAGGER = PublishedHead(
    "tagger",
    HeadConfig(kind="token", outputs=2, dropout=0.1),
    (Rename("classifier", "output"),),
    (Field("classifier_dropout", "dropout"),),
)
SPAN = PublishedHead(
    "span",
    HeadConfig(kind="token", outputs=2, labels=("start", "end")),
    (Rename("qa_outputs", "output"),),
)
"""Scores of each token as the start and the end of an answer."""


def masked_words(
    transform: str, norm: str, output: str, bias: str = "", activation: Field | None = None
) -> PublishedHead:
    """Return the head of masked words: a linear map, an activation, a norm, and the output.

    `bias`: published name of the output's bias, if it is a separate tensor. `activation`: the
    setting that names the activation; without one it is the exact gelu.
    """
    last = (Rename(output, "output"),)
    if bias:
        output_bias = Rename(bias, "output.bias", alternative=f"{output}.bias")
        last = (Rename(f"{output}.weight", "output.weight"), output_bias)
    name = ACTIVATIONS[activation.default] if activation else "gelu"
    return PublishedHead(
        "mlm",
        HeadConfig(kind="lm", activation=name, norm=True),
        (Rename(transform, "transform"), Rename(norm, "norm"), *last),
        (activation,) if activation else (),
    )


def fine_tuned(pooler: Rename, settings: Sequence[Field]) -> dict[str, PublishedHead]:
    """Return the heads of fine-tuned encoders, by the task in the name of their class."""
    text = replace(POOLED, outputs=2, dropout=0.1)
    return {
        "SequenceClassification": PublishedHead(
            "classifier", text, (pooler, *TAGGER.renames), settings
        ),
        "TokenClassification": TAGGER._replace(settings=settings),
        "QuestionAnswering": SPAN,
    }
