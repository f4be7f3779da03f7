"""Minimum Bayes risk decoding: choose the text that is most similar to the others."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from pellucid.errors import UsageError

Text = TypeVar("Text")


class Ranked(NamedTuple):
    """A candidate's index and mean utility."""

    candidate: int
    utility: float


def rank_by_utility(
    candidates: Sequence[Text],
    utility: Callable[[Text, Text], float],
    references: Sequence[Text] | None = None,
) -> list[Ranked]:
    """Rank candidates by their mean utility over the references, best first; ties keep their order.

    utility: (candidate, reference) -> a sentence-level metric, higher is better.
    references: samples of the model, with repetitions; by default the candidates.
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
