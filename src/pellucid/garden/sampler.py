"""Samples clauses that make sense, each within one split."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import TypeVar

from pellucid.garden.lexicon import Adjective, Noun, Verb, adjectives, verbs
from pellucid.garden.outline import NUMBERS, PERSONS, Action, Clause, Person, Phrase, Place, key
from pellucid.garden.split import split_of

C = TypeVar("C", bound=Clause)
PAST = ("yesterday", "this morning", "last night", "last week")
FUTURE = ("tomorrow", "next week")
_TRIES = 2000
# Classes that "my" suits; verbs for a portion of food or drink ("the milk": 那杯牛奶); and verbs
# for what nobody intends.
_OWNED = frozenset({"kin", "pet", "ware", "vehicle", "clothing", "small"})
_CONSUMING = ("eat", "drink", "cut")
_WORN = "put on"  # one at a time
UNWILLED = (
    *("lose", "fall", "see", "meet", "frighten", "find", "break", "bite", "steal"),
    *("wake", "cry", "laugh", "fall asleep", "run away"),
)


class NothingFitsError(Exception):
    """No clause of this split fits: the caller samples something else."""


class Sampler:
    """A source of random phrases and clauses of one split."""

    def __init__(self, rng: Random, split: str) -> None:
        self.rng = rng
        self.split = split

    def choice(self, options):
        """One of a sequence, evenly."""
        if not options:
            raise NothingFitsError
        return options[int(self.rng.random() * len(options))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.rng.random() < probability

    def is_in_split(self, clause: Clause) -> bool:
        """Whether the clause belongs to this split."""
        return split_of(key(clause)) == self.split

    def sample_in_split(self, make: Callable[[], C]) -> C:
        """The first clause that belongs to this split."""
        for _ in range(_TRIES):
            try:
                clause = make()
            except NothingFitsError:
                continue
            if self.is_in_split(clause):
                return clause
        raise NothingFitsError

    def verb(self, group: str) -> Verb:
        """A verb of a group of `GROUPS`."""
        return self.choice(verb_group(group))

    def subject(self, nouns: tuple[Noun, ...]) -> Phrase | Person:
        """A phrase, now and then a personal pronoun where people are meant."""
        noun = self.choice(nouns)
        if "person" in noun.classes and self.chance(0.12):
            return Person(self.choice(PERSONS))
        return self.phrase(noun, "subject")

    def phrase(self, noun: Noun, role: str = "object") -> Phrase:
        """A phrase about a noun with the determiners that suit a role."""
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
        """A number word, the small ones more often."""
        return NUMBERS[int(self.rng.random() ** 1.7 * len(NUMBERS))]

    def definite(self, noun: Noun, plural: float = 0.1) -> Phrase:
        """A plain phrase with "the"."""
        one = noun.mass or "single" in noun.classes
        return Phrase(noun, "the", plural=not one and self.chance(plural))

    def attribute(self, noun: Noun) -> Adjective | None:
        """An adjective that can stand before the noun, if there is one."""
        options = attributes(noun)
        if not options:
            return None
        # The fewer nouns an adjective suits, the more often it is used with each.
        return self.rng.choices(options, [1 / len(a.of) for a in options])[0]

    def place(self, options: tuple[tuple[str, Noun], ...]) -> Place:
        """A place with "the"."""
        # The preposition first; otherwise places with a rare one would hardly be sampled.
        preposition = self.choice(tuple(dict.fromkeys(p for p, _ in options)))
        noun = self.choice([noun for p, noun in options if p == preposition])
        adjective = self.attribute(noun) if self.chance(0.1) else None
        return Place(preposition, Phrase(noun, "the", adjective=adjective))

    def transitive(self) -> Action:
        """Someone does something to something, in a tense that suits the verb; any split."""
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
        differ(subject, thing)
        return Action(verb, subject, thing, tense=self.tense(verb))

    def intransitive(self) -> Action:
        """Someone does something, somewhere if the verb asks for a place; any split."""
        verb = self.verb("intransitive")
        place = self.place(verb.where) if verb.where else None
        return Action(verb, self.subject(verb.who), place=place, tense=self.tense(verb))

    def tense(self, verb: Verb) -> str:
        """A tense in which a verb is natural in all three languages."""
        if verb.aspect in ("state", "dwell"):
            return "present"
        if verb.aspect == "lasting":
            return "present" if self.chance(0.8) else "future"
        roll = self.rng.random()
        if verb.aspect in ("act", "posture") and roll < 0.4:
            return "present"
        return "future" if roll > 0.92 and verb.name not in UNWILLED else "past"

    def timed(self, clause: Action) -> dict[str, object]:
        """Fields that say when, at the front or later: `replace(clause, **timed(clause))`."""
        times = {"past": PAST, "future": FUTURE, "present": ("now",)}[clause.tense]
        if clause.verb.aspect in ("state", "dwell", "posture") and clause.tense == "present":
            return {}
        first = clause.tense == "present" or clause.negated or self.chance(0.6)
        return {"time": self.choice(times), "time_first": first}


def differ(*parts: object) -> None:
    """Refuse a clause in which one noun plays two parts."""
    nouns = [p.noun for p in parts if isinstance(p, Phrase)]
    if len(set(nouns)) < len(nouns):
        raise NothingFitsError


@cache
def attributes(noun: Noun) -> tuple[Adjective, ...]:
    """The adjectives that can stand before a noun in all three languages."""
    return tuple(a for a in adjectives() if noun in a.of and a.zh_attributive)


@cache
def predicates(noun: Noun) -> tuple[Adjective, ...]:
    """The adjectives that can be true of a noun."""
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
    """The verbs of a group: "transitive", "intransitive", or one of `GROUPS`."""
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
