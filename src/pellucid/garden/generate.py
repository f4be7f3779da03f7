"""From outlines to sentences in three languages with alignments and antecedents."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from pellucid.errors import DataError, UsageError
from pellucid.garden import chinese, english, german, kinds, linked
from pellucid.garden.because import because
from pellucid.garden.german_forms import PRONOUNS
from pellucid.garden.outline import Outline, Reference, State
from pellucid.garden.questions import question
from pellucid.garden.sampler import Sampler, SampleRejectedError
from pellucid.garden.split import SPLITS
from pellucid.garden.words import Side, write_side

LANGUAGES = ("en", "de", "zh")
_WRITERS = {"en": english.sentence, "de": german.sentence, "zh": chinese.sentence}
# Each construction with its share of all sentences, in hundredths.
KINDS: tuple[tuple[Callable[[Sampler], Outline], int], ...] = (
    (because, 20),
    (kinds.statement, 10),
    (kinds.negation, 7),
    (question, 9),
    (kinds.place, 6),
    (kinds.habit, 3),
    (kinds.giving, 5),
    (kinds.putting, 4),
    (kinds.passive, 4),
    (kinds.modal, 5),
    (kinds.description, 6),
    (kinds.comparison, 2),
    (kinds.existence, 2),
    (linked.coordination, 4),
    (linked.subordinate, 6),
    (linked.relative, 7),
)
_MAX_TRIES = 3000  # at one sentence of a construction, before it counts as exhausted


@dataclass(frozen=True)
class Coreference:
    """What the pronoun of a because-sentence stands for.

    pronoun: word index by language (in Chinese it can be the repeated noun).
    antecedent, distractor: the word indices of the right and the wrong phrase, by language.
    german: the right pronoun; wrong: the one that the distractor would need.
    """

    pronoun: Mapping[str, int]
    antecedent: Mapping[str, tuple[int, ...]]
    distractor: Mapping[str, tuple[int, ...]]
    german: str
    wrong: str


@dataclass(frozen=True)
class Sentence:
    """One sentence in every language; `kind` names its construction."""

    kind: str
    sides: Mapping[str, Side]
    coreference: Coreference | None
    clauses: tuple[str, ...]  # the keys of its clauses, which decide the split

    def alignment(self, source: str, target: str) -> frozenset[tuple[int, int]]:
        """Return the (source word, target word) pairs that express the same part of the outline."""
        positions: dict[str, list[int]] = {}
        for j, parts in enumerate(self.sides[target].parts):
            for part in parts:
                positions.setdefault(part, []).append(j)
        return frozenset(
            (i, j)
            for i, parts in enumerate(self.sides[source].parts)
            for part in parts
            for j in positions.get(part, ())
        )


def sentences(n: int, seed: int = 0, split: str = "train") -> Iterator[Sentence]:
    """Yield the first `n` sentences of a seed and a split; no English sentence occurs twice.

    A pure function of its arguments; a smaller `n` gives a prefix.
    Raises: UsageError for an unknown split, DataError where the split holds fewer than `n`.
    """
    if split not in SPLITS:
        raise UsageError(f"split={split!r} is not a split of the garden. Use {', '.join(SPLITS)}.")
    return _generate(n, seed, split)


def pairs(
    n: int, source: str, target: str, seed: int = 0, split: str = "train"
) -> Iterator[tuple[str, str]]:
    """Yield the texts of `sentences` in two languages."""
    for language in (source, target):
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise UsageError(f"the garden has no language {language!r}. Use two of {known}.")
    chosen = sentences(n, seed, split)
    return ((s.sides[source].text, s.sides[target].text) for s in chosen)


def _generate(n: int, seed: int, split: str) -> Iterator[Sentence]:
    rng = Random(f"garden {seed} {split}")
    sampler = Sampler(rng, split)
    shares = dict(KINDS)
    seen: set[str] = set()
    count = 0
    while count < n:
        if not shares:
            raise DataError(
                f"the garden's {split!r} split holds only about {count} sentences, "
                f"fewer than n={n}. Ask for fewer."
            )
        construction = rng.choices(list(shares), list(shares.values()))[0]
        sentence = _sample_new(sampler, construction, seen)
        if sentence is None:  # exhausted: continue with the others
            del shares[construction]
            continue
        count += 1
        yield sentence


def _sample_new(
    sampler: Sampler, construction: Callable[[Sampler], Outline], seen: set[str]
) -> Sentence | None:
    """Sample a new sentence of a construction until one fits, so that shares hold; None if none."""
    for _ in range(_MAX_TRIES):
        try:
            outline = construction(sampler)
        except SampleRejectedError:
            continue
        english_side = write_side(_WRITERS["en"](outline), spaced=True)
        if (identity := _read_unique_part(english_side.text)) not in seen:
            seen.add(identity)
            return _realise(outline, english_side)
    return None


def _read_unique_part(text: str) -> str:
    """Return what may not occur twice: the text, or the main clause of a because-sentence.

    With the whole sentence, a candidate with few adjectives would run out of new sentences before
    the other, and the nouns would give away which of the two is right.
    """
    return text.partition(" because ")[0]


def _realise(outline: Outline, english_side: Side) -> Sentence:
    sides = {
        "en": english_side,
        "de": write_side(_WRITERS["de"](outline), spaced=True),
        "zh": write_side(_WRITERS["zh"](outline), spaced=False),
    }
    return Sentence(
        kind=outline.kind,
        sides=MappingProxyType(sides),
        coreference=_coreference(outline, sides) if outline.antecedent else None,
        clauses=outline.keys(),
    )


def _coreference(outline: Outline, sides: Mapping[str, Side]) -> Coreference:
    assert isinstance(outline.second, State)
    assert isinstance(outline.second.subject, Reference)
    right, wrong = outline.second.subject.noun, outline.candidate(outline.distractor).noun

    def words(role: str) -> dict[str, tuple[int, ...]]:
        path = f"1.{role}."
        return {
            language: tuple(
                i
                for i, parts in enumerate(one.parts)
                if any(part.startswith(path) for part in parts)
            )
            for language, one in sides.items()
        }

    return Coreference(
        pronoun={language: _index(one, "2.subject.noun") for language, one in sides.items()},
        antecedent=words(outline.antecedent),
        distractor=words(outline.distractor),
        german=PRONOUNS[right.gender],
        wrong=PRONOUNS[wrong.gender],
    )


def _index(one: Side, part: str) -> int:
    return next(i for i, parts in enumerate(one.parts) if part in parts)
