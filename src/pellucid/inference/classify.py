"""Texts to labels with probabilities."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.config.head import HeadConfig
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import choose_head
from pellucid.inference.text_pairs import Texts, score_texts

HEAD = "classifier"


class LabelProbability(NamedTuple):
    """A label and its probability."""

    label: str
    probability: float


class Classified(NamedTuple):
    """The prediction for a text or a pair."""

    labels: tuple[str, ...]
    """The predicted labels, most probable first: one, or of a multi-label model any number."""
    probability: float
    """Of exactly these labels; of several, the product over all decisions."""
    ranked: tuple[LabelProbability, ...]
    """All labels, most probable first."""


@torch.inference_mode()
def classify(
    bundle: Bundle, texts: Sequence[Texts], on_cut: Callable[[int], None] | None = None
) -> list[Classified]:
    """Return the labels of each text or pair.

    A text of more tokens than the model reads is cut at its end, of a pair the longer text first.
    on_cut: called with the number of such texts if there are any.
    Raises: UsageError if no head of the model classifies texts.
    """
    config = bundle.model.head_configs[choose_head(bundle, HEAD)]
    if config.reading == "regression":
        raise UsageError(
            "this model's head gives a number for a pair of texts, no labels. Use similarity."
        )
    logits = score_texts(bundle, texts, HEAD, on_cut)  # (N, C)
    labels = config.label_names
    several = config.reading == "multi_label"
    probabilities = logits.double().sigmoid() if several else logits.double().softmax(-1)
    return [_classified(row, labels, config) for row in probabilities]


def _classified(probabilities: Tensor, labels: Sequence[str], config: HeadConfig) -> Classified:
    """probabilities: (C,)."""
    order = map(int, probabilities.argsort(descending=True, stable=True))
    ranked = tuple(LabelProbability(labels[i], float(probabilities[i])) for i in order)
    if config.reading != "multi_label":
        return Classified((ranked[0].label,), ranked[0].probability, ranked)
    likely = tuple(each.label for each in ranked if each.probability > 0.5)
    whole = torch.maximum(probabilities, 1 - probabilities).prod()
    return Classified(likely, float(whole), ranked)
