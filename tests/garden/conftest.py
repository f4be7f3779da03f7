"""One corpus for all tests of the garden: made once, however many read it."""

from collections.abc import Callable

import pytest

from pellucid.garden import Sentence, sentences

SIZES = {"train": 20_000, "valid": 2_000, "test": 2_000}
OTHER_SEED = 2_000


@pytest.fixture(scope="session")
def corpus() -> Callable[..., tuple[Sentence, ...]]:
    """corpus(split, seed): the sentences of a split; fewer of another seed than 0."""
    made: dict[tuple[str, int], tuple[Sentence, ...]] = {}

    def get(split: str = "train", seed: int = 0) -> tuple[Sentence, ...]:
        if (split, seed) not in made:
            n = OTHER_SEED if seed else SIZES[split]
            made[split, seed] = tuple(sentences(n, seed, split))
        return made[split, seed]

    return get
