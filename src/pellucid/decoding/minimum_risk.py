"""Minimum Bayes risk: of many texts, the one that is most similar to the others."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from pellucid.errors import UsageError

Text = TypeVar("Text")


class Ranked(NamedTuple):
    """One candidate's index, and its mean utility."""

    candidate: int
    utility: float


def minimum_risk(
    candidates: Sequence[Text],
    utility: Callable[[Text, Text], float],
    references: Sequence[Text] | None = None,
) -> list[Ranked]:
    """Candidates by their mean utility over the references, best first; ties in the order given.

    utility: (candidate, reference) -> how good, the greater the better; a metric of sentences.
    references: samples of the model, repeated as often as they occur; by default the candidates.
    Source: Kumar and Byrne 2004; sampled references: Eikema and Aziz 2020.
    """
    if references is None:
        references = candidates
    if candidates and not references:
        raise UsageError("there is no reference to compare with. Sample at least one text.")
    ranked = [
        Ranked(i, sum(utility(candidate, r) for r in references) / len(references))
        for i, candidate in enumerate(candidates)
    ]
    return sorted(ranked, key=lambda one: -one.utility)
