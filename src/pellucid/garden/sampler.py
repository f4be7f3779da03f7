"""Sample meaningful clauses of one split, by rejection."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import TypeVar

from pellucid.garden.lexicon import Adjective, Noun, Verb, adjectives, verbs
from pellucid.garden.outline import NUMBERS, PERSONS, Action, Clause, Person, Phrase, Place, key
from pellucid.garden.split import assign_split

C = TypeVar("C", bound=Clause)
PAST = ("yesterday", "this morning", "last night", "last week")
FUTURE = ("tomorrow", "next week")
_MAX_TRIES = 2000
# Classes that take "my"; verbs with a portion of food or drink ("the milk": 那杯牛奶); and verbs
# for what nobody does on purpose.
_OWNED = frozenset({"kin", "pet", "ware", "vehicle", "clothing", "small"})
_CONSUMING = ("eat", "drink", "cut")
_WORN = "put on"  # one at a time
UNINTENDED_VERBS = (
    *("lose", "fall", "see", "meet", "frighten", "find", "break", "bite", "steal"),
    *("wake", "cry", "laugh", "fall asleep", "run away"),
)


class SampleRejectedError(Exception):
    """The sampled clause does not fit; the caller samples again."""


class Sampler:
    """A source of random phrases and clauses of one split."""

    def __init__(self, rng: Random, split: str) -> None:
        self.rng = rng
        self.split = split

    def choice(self, options):
        """Return a uniformly random element. Raises: SampleRejectedError if there is none."""
        if not options:
            raise SampleRejectedError
        return options[int(self.rng.random() * len(options))]

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < probability

    def is_in_split(self, clause: Clause) -> bool:
        """Return whether the clause belongs to this split."""
        return assign_split(key(clause)) == self.split

    def sample_in_split(self, make: Callable[[], C]) -> C:
        """Return the first sampled clause that belongs to this split."""
        for _ in range(_MAX_TRIES):
            try:
                clause = make()
            except SampleRejectedError:
                continue
            if self.is_in_split(clause):
                return clause
        raise SampleRejectedError

    def verb(self, group: str) -> Verb:
        """Sample a verb of a group of `GROUPS`."""
        return self.choice(verb_group(group))

    def subject(self, nouns: tuple[Noun, ...]) -> Phrase | Person:
        """Sample a phrase, or sometimes a personal pronoun for a person."""
        noun = self.choice(nouns)
        if "person" in noun.classes and self.chance(0.12):
            return Person(self.choice(PERSONS))
        return self.phrase(noun, "subject")

    def phrase(self, noun: Noun, role: str = "object") -> Phrase:
        """Sample a phrase of a noun, with a determiner that suits the role."""
        roll = self.rng.random()
        adjective = self.attribute(noun) if self.chance(0.25) else None
        if noun.mass:
            return Phrase(noun, "bare", adjective=adjective)
        if role == "object":
            roll = 1 - roll  # objects are indefinite as often as subjects are definite
        if roll < 0.52:
            return Phrase(noun, "the", adjective=adjective)
        if "single" in noun.classes:
            return Phrase(noun, "a" if roll > 0.9 else "the", adjective=adjective)
        if roll < 0.60:
            return Phrase(noun, "the", plural=True, adjective=adjective)
        if roll < 0.66:
            return Phrase(noun, "this", plural=self.chance(0.3), adjective=adjective)
        if roll < 0.70 and noun.classes & _OWNED:
            return Phrase(noun, "my")
        if roll < 0.76:
            return Phrase(noun, self.choice(("some", "many")), plural=True, adjective=adjective)
        if roll < 0.85:
            return Phrase(noun, self.number(), plural=True, adjective=adjective)
        return Phrase(noun, "a", adjective=adjective)

    def number(self) -> str:
        """Sample a number word, small numbers more often."""
        return NUMBERS[int(self.rng.random() ** 1.7 * len(NUMBERS))]

    def definite(self, noun: Noun, plural: float = 0.1) -> Phrase:
        """Return a phrase with "the" and no adjective."""
        one = noun.mass or "single" in noun.classes
        return Phrase(noun, "the", plural=not one and self.chance(plural))

    def attribute(self, noun: Noun) -> Adjective | None:
        """Sample an adjective that can stand before the noun; None if there is none."""
        options = attributes(noun)
        if not options:
            return None
        # The fewer nouns an adjective suits, the more often it is used with each.
        return self.rng.choices(options, [1 / len(a.of) for a in options])[0]

    def place(self, options: tuple[tuple[str, Noun], ...]) -> Place:
        """Sample a place, with "the"."""
        # The preposition first; otherwise places with a rare one would hardly be sampled.
        preposition = self.choice(tuple(dict.fromkeys(p for p, _ in options)))
        noun = self.choice([noun for p, noun in options if p == preposition])
        adjective = self.attribute(noun) if self.chance(0.1) else None
        return Place(preposition, Phrase(noun, "the", adjective=adjective))

    def transitive(self) -> Action:
        """Sample a transitive clause of any split, in a tense that suits the verb."""
        verb = self.verb("transitive")
        subject = self.subject(verb.who)
        thing = self.phrase(self.choice(verb.what))
        counted = isinstance(subject, Phrase) and subject.determiner in NUMBERS
        if counted or verb.aspect == "state":
            thing = self.definite(thing.noun)
        if thing.noun.mass and verb.key in _CONSUMING and self.chance(0.5):
            thing = self.definite(thing.noun)
        if verb.key == _WORN and thing.plural:
            thing = Phrase(thing.noun, "the", adjective=thing.adjective)
        check_distinct_nouns(subject, thing)
        return Action(verb, subject, thing, tense=self.tense(verb))

    def intransitive(self) -> Action:
        """Sample an intransitive clause of any split, with a place if the verb needs one."""
        verb = self.verb("intransitive")
        place = self.place(verb.where) if verb.where else None
        return Action(verb, self.subject(verb.who), place=place, tense=self.tense(verb))

    def tense(self, verb: Verb) -> str:
        """Sample a tense in which the verb is natural in all three languages."""
        if verb.aspect in ("state", "dwell"):
            return "present"
        if verb.aspect == "lasting":
            return "present" if self.chance(0.8) else "future"
        roll = self.rng.random()
        if verb.aspect in ("act", "posture") and roll < 0.4:
            return "present"
        return "future" if roll > 0.92 and verb.name not in UNINTENDED_VERBS else "past"

    def timed(self, clause: Action) -> dict[str, object]:
        """Return fields of a time expression: `replace(clause, **timed(clause))`."""
        times = {"past": PAST, "future": FUTURE, "present": ("now",)}[clause.tense]
        if clause.verb.aspect in ("state", "dwell", "posture") and clause.tense == "present":
            return {}
        first = clause.tense == "present" or clause.negated or self.chance(0.6)
        return {"time": self.choice(times), "time_first": first}


def check_distinct_nouns(*parts: object) -> None:
    """Raises: SampleRejectedError if two of these phrases have the same noun."""
    nouns = [p.noun for p in parts if isinstance(p, Phrase)]
    if len(set(nouns)) < len(nouns):
        raise SampleRejectedError


@cache
def attributes(noun: Noun) -> tuple[Adjective, ...]:
    """Return the adjectives that can stand before a noun in all three languages."""
    return tuple(a for a in adjectives() if noun in a.of and a.zh_attributive)


@cache
def predicates(noun: Noun) -> tuple[Adjective, ...]:
    """Return the adjectives that can be true of a noun."""
    return tuple(a for a in adjectives() if noun in a.of)


# Verbs that some other construction uses, or that need a frame of their own.
_GIVING = ("give", "bring", "show", "send", "lend", "tell", "read aloud")
_PUTTING = ("put.stand", "put.lie", "hang", "hide")
_THAT = ("say", "think", "know.that", "hope")
_REASONED = (
    *("cross", "traverse", "climb", "jump over", "go into"),
    *("stop", "hold", "hold.light", "sleep.on"),
)


@cache
def verb_group(group: str) -> tuple[Verb, ...]:
    """Return the verbs of a group: "transitive", "intransitive", or one of `GROUPS`."""
    table = verbs()
    if group in GROUPS:
        return tuple(table[name] for name in GROUPS[group])
    special = {name for names in GROUPS.values() for name in names}
    return tuple(
        v
        for name, v in table.items()
        if (name not in special or name in GROUPS["passive"])
        and bool(v.what) == (group == "transitive")
    )


GROUPS = {
    "giving": _GIVING,
    "putting": _PUTTING,
    "that": _THAT,
    "reasoned": _REASONED,
    "passive": (
        "catch",
        "bite",
        "steal",
        "break",
        "throw away",
        "wake up",
        "invite",
        "frighten",
        "find",
    ),
}
