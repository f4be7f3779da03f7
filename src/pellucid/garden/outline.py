"""The content of a sentence before it has a language: trees of noun phrases and clauses."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.garden.lexicon import Adjective, Noun, Verb

NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PERSONS = ("I", "he", "she", "we", "they")


@dataclass(frozen=True)
class Person:
    """A personal pronoun as subject."""

    word: str


@dataclass(frozen=True)
class QuestionWord:
    """The word for what a question asks: "who", "what" or "where"."""

    word: str


@dataclass(frozen=True)
class Reference:
    """What a pronoun stands for: the subject of a because-clause, the gap of a relative one."""

    noun: Noun
    plural: bool = False


@dataclass(frozen=True)
class Phrase:
    """A noun with what belongs to it; `determiner` is a word of `DETERMINERS` or `NUMBERS`."""

    noun: Noun
    determiner: str = "the"
    plural: bool = False
    adjective: Adjective | None = None
    relative: Action | None = None
    gap: str = "subject"  # what the phrase is in its relative clause


@dataclass(frozen=True)
class Both:
    """Two phrases joined by "and"."""

    first: Phrase
    second: Phrase


@dataclass(frozen=True)
class Place:
    """A preposition (an entry of the tables of each language) and a phrase."""

    preposition: str
    phrase: Phrase


Subject = Phrase | Both | Person | QuestionWord | Reference


@dataclass(frozen=True)
class Action:
    """Someone does something; `time_first` is the order of time and subject.

    tense: "present", "past" or "future".  modal: "", "can", "must" or "want".
    """

    verb: Verb
    subject: Subject
    object: Phrase | Both | QuestionWord | Reference | None = None
    recipient: Phrase | None = None
    place: Place | QuestionWord | None = None
    tense: str = "past"
    negated: bool = False
    modal: str = ""
    time: str = ""
    time_first: bool = False
    often: str = ""


@dataclass(frozen=True)
class State:
    """The subject has a property; `degree` is "", "very", "too" or "so"."""

    subject: Subject
    adjective: Adjective
    degree: str = ""
    past: bool = False
    negated: bool = False


@dataclass(frozen=True)
class Comparison:
    """The subject has more of a property than another phrase."""

    subject: Phrase
    adjective: Adjective
    than: Phrase


@dataclass(frozen=True)
class Existence:
    """There is something somewhere."""

    subject: Phrase
    place: Place


@dataclass(frozen=True)
class Passive:
    """Something was done to the subject by the agent."""

    verb: Verb
    subject: Phrase
    agent: Phrase


Clause = Action | State | Comparison | Existence | Passive


@dataclass(frozen=True)
class Outline:
    """A sentence: one clause, or two with a conjunction between them (or first, if `fronted`)."""

    kind: str
    first: Clause
    conjunction: str = ""
    second: Clause | None = None
    fronted: bool = False
    question: bool = False
    antecedent: str = ""  # the role in the first clause that a because-clause's pronoun stands for
    distractor: str = ""

    def clauses(self) -> tuple[Clause, ...]:
        """Return the clauses of the sentence, relative clauses included."""
        main = (self.first,) if self.second is None else (self.first, self.second)
        return main + tuple(r for c in main for r in _relatives(c))

    def keys(self) -> tuple[str, ...]:
        """Return the lexical content of each clause."""
        return tuple(key(clause) for clause in self.clauses())

    def candidate(self, role: str) -> Phrase:
        """Return the phrase in a role ("subject", "object", "place.phrase") of the first clause."""
        clause = self.first
        assert isinstance(clause, Action)
        roles = {"subject": clause.subject, "object": clause.object}
        phrase = clause.place.phrase if isinstance(clause.place, Place) else roles.get(role)
        if role == "subject":
            phrase = clause.subject
        assert isinstance(phrase, Phrase)
        return phrase


def agreement(subject: Subject) -> str:
    """Return the person of the verb: "I", "one" or "many"."""
    match subject:
        case Person("I"):
            return "I"
        case Person("we" | "they") | Both() | Phrase(plural=True) | Reference(plural=True):
            return "many"
    return "one"


def key(clause: Clause) -> str:
    """Return the lexical content of a clause: its predicate and nouns, pronouns resolved.

    Number, tense, negation, articles, attributes and numerals do not count, so two clauses
    that read alike in any of the languages have one key.
    """
    match clause:
        case State():
            return f"be {clause.adjective.name} | {_names(clause.subject)}"
        case Comparison():
            return f"more {clause.adjective.name} | {_names(clause.subject, clause.than)}"
        case Existence():
            return f"exist | {_names(clause.subject, clause.place)}"
        case Passive():
            return f"{clause.verb.key} | {_names(clause.agent, clause.subject)}"
    parts = (clause.subject, clause.object, clause.recipient, clause.place)
    return f"{clause.verb.key} | {_names(*parts)}"


def _names(*parts: Subject | Place | None) -> str:
    return " | ".join(_name(p) for p in parts if p is not None)


def _name(part: Subject | Place) -> str:
    match part:
        case Phrase() | Reference():
            return part.noun.name
        case Both():
            return f"{part.first.noun.name} + {part.second.noun.name}"
        case Place():
            return f"{part.preposition} {part.phrase.noun.name}"
    return part.word


def _relatives(clause: Clause) -> tuple[Action, ...]:
    phrases = [clause.subject, clause.object if isinstance(clause, Action) else None]
    return tuple(p.relative for p in phrases if isinstance(p, Phrase) and p.relative is not None)
