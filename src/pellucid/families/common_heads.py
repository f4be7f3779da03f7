"""Heads that several families have, by the names that each gives their parts."""

from collections.abc import Sequence
from dataclasses import replace

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.families.family import PublishedHead
from pellucid.families.fields import ACTIVATIONS, Field
from pellucid.families.renames import Rename

LM = PublishedHead("lm", LANGUAGE_MODEL, (Rename("lm_head", "output"),))
POOLED = HeadConfig(kind="sequence", activation="tanh")
"""A text's first state through a map and a tanh."""
# The end token is the one that has seen the whole text, in a decoder that reads it again.
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
"""Where an answer starts and ends."""


def masked_words(
    transform: str, norm: str, output: str, bias: str = "", activation: Field | None = None
) -> PublishedHead:
    """Logits for hidden words, of states that pass a map, an activation and a norm.

    `bias`: the name under which files hold the output's bias by itself. `activation`: where their
    config names it; without, it is always the exact gelu.
    """
    last = (Rename(output, "output"),)
    if bias:
        own = Rename(bias, "output.bias", alternative=f"{output}.bias")
        last = (Rename(f"{output}.weight", "output.weight"), own)
    name = ACTIVATIONS[activation.default] if activation else "gelu"
    return PublishedHead(
        "mlm",
        HeadConfig(kind="lm", activation=name, norm=True),
        (Rename(transform, "transform"), Rename(norm, "norm"), *last),
        (activation,) if activation else (),
    )


def fine_tuned(pooler: Rename, settings: Sequence[Field]) -> dict[str, PublishedHead]:
    """What encoders are fine-tuned for: a text's label, each token's, and where an answer is."""
    text = replace(POOLED, outputs=2, dropout=0.1)
    return {
        "SequenceClassification": PublishedHead(
            "classifier", text, (pooler, *TAGGER.renames), settings
        ),
        "TokenClassification": TAGGER._replace(settings=settings),
        "QuestionAnswering": SPAN,
    }
