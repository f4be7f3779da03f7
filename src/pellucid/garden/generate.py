"""From plans to sentences in three languages with alignments and antecedents."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from pellucid.errors import DataError, UsageError
from pellucid.garden import chinese, english, german, kinds, linked
from pellucid.garden.because import because
from pellucid.garden.draw import Draw, NothingFitsError
from pellucid.garden.german_forms import PRONOUNS
from pellucid.garden.plan import Plan, Reference, State
from pellucid.garden.questions import question
from pellucid.garden.split import SPLITS
from pellucid.garden.words import Side, side

LANGUAGES = ("en", "de", "zh")
_SAY = {"en": english.sentence, "de": german.sentence, "zh": chinese.sentence}
# Each construction with its share of all sentences, in hundredths.
KINDS: tuple[tuple[Callable[[Draw], Plan], int], ...] = (
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
_TRIES = 3000  # at one sentence of a construction, before it counts as exhausted


@dataclass(frozen=True)
class Coreference:
    """What the pronoun of a because-sentence stands for.

    pronoun: word index by language (in Chinese it can be the noun, said again).
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
    clauses: tuple[str, ...]  # the keys of its clauses: what the split goes by

    def alignment(self, source: str, target: str) -> frozenset[tuple[int, int]]:
        """The (source word, target word) pairs that say the same part of the plan."""
        places: dict[str, list[int]] = {}
        for j, says in enumerate(self.sides[target].says):
            for part in says:
                places.setdefault(part, []).append(j)
        return frozenset(
            (i, j)
            for i, says in enumerate(self.sides[source].says)
            for part in says
            for j in places.get(part, ())
        )


def sentences(n: int, seed: int = 0, split: str = "train") -> Iterator[Sentence]:
    """The first `n` sentences of a seed and a split, no English one twice.

    A pure function of its arguments; a smaller `n` gives a prefix.
    Raises: UsageError for an unknown split, DataError where the split holds fewer than `n`.
    """
    if split not in SPLITS:
        raise UsageError(f"split={split!r} is not a split of the garden. Use {', '.join(SPLITS)}.")
    return _generate(n, seed, split)


def pairs(
    n: int, source: str, target: str, seed: int = 0, split: str = "train"
) -> Iterator[tuple[str, str]]:
    """The texts of `sentences` in two languages."""
    for language in (source, target):
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise UsageError(f"the garden does not speak {language!r}. Use two of {known}.")
    chosen = sentences(n, seed, split)
    return ((s.sides[source].text, s.sides[target].text) for s in chosen)


def _generate(n: int, seed: int, split: str) -> Iterator[Sentence]:
    rng = Random(f"garden {seed} {split}")
    draw = Draw(rng, split)
    shares = dict(KINDS)
    seen: set[str] = set()
    made = 0
    while made < n:
        if not shares:
            raise DataError(
                f"the garden's {split!r} split holds only about {made} sentences, "
                f"fewer than n={n}. Ask for fewer."
            )
        maker = rng.choices(list(shares), list(shares.values()))[0]
        sentence = _attempt(draw, maker, seen)
        if sentence is None:  # exhausted: the other constructions go on
            del shares[maker]
            continue
        made += 1
        yield sentence


def _attempt(draw: Draw, maker: Callable[[Draw], Plan], seen: set[str]) -> Sentence | None:
    """A new sentence of a construction: drawn again until it fits, so that shares are kept."""
    for _ in range(_TRIES):
        try:
            plan = maker(draw)
        except NothingFitsError:
            continue
        english_side = side(_SAY["en"](plan), spaced=True)
        if (said := _identity(english_side.text)) not in seen:
            seen.add(said)
            return _realise(plan, english_side)
    return None


def _identity(text: str) -> str:
    """What may not come twice: the sentence, but of a because-sentence the main clause.

    Were it the whole, a candidate of few adjectives would run out of new sentences before the
    other, and the nouns would tell which of the two is right.
    """
    return text.partition(" because ")[0]


def _realise(plan: Plan, english_side: Side) -> Sentence:
    sides = {
        "en": english_side,
        "de": side(_SAY["de"](plan), spaced=True),
        "zh": side(_SAY["zh"](plan), spaced=False),
    }
    return Sentence(
        kind=plan.kind,
        sides=MappingProxyType(sides),
        coreference=_coreference(plan, sides) if plan.antecedent else None,
        clauses=plan.keys(),
    )


def _coreference(plan: Plan, sides: Mapping[str, Side]) -> Coreference:
    assert isinstance(plan.second, State)
    assert isinstance(plan.second.subject, Reference)
    right, wrong = plan.second.subject.noun, plan.candidate(plan.distractor).noun

    def words(role: str) -> dict[str, tuple[int, ...]]:
        path = f"1.{role}."
        return {
            language: tuple(
                i for i, says in enumerate(one.says) if any(part.startswith(path) for part in says)
            )
            for language, one in sides.items()
        }

    return Coreference(
        pronoun={language: _index(one, "2.subject.noun") for language, one in sides.items()},
        antecedent=words(plan.antecedent),
        distractor=words(plan.distractor),
        german=PRONOUNS[right.gender],
        wrong=PRONOUNS[wrong.gender],
    )


def _index(one: Side, part: str) -> int:
    return next(i for i, says in enumerate(one.says) if part in says)
