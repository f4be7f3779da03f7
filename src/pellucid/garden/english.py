"""Realize outlines as English sentences: agreement, tense, do-support, articles."""

import re

from pellucid.garden.lexicon import Verb
from pellucid.garden.outline import (
    Action,
    Both,
    Clause,
    Comparison,
    Existence,
    Outline,
    Passive,
    Person,
    Phrase,
    Place,
    QuestionWord,
    Reference,
    State,
    Subject,
    agreement,
)
from pellucid.garden.words import Word

PREPOSITIONS = {
    "in": "in",
    "on": "on",
    "under": "under",
    "behind": "behind",
    "in_front_of": "in front of",
    "beside": "next to",
    "above": "over",
    "at": "at",
    "shore": "by",
    "land": "in",
}
BE = {
    False: {"I": "am", "one": "is", "many": "are"},
    True: {"I": "was", "one": "was", "many": "were"},
}
_DOUBLES_CONSONANT = re.compile(r"^[^aeiou]*[aeiou][^aeiouwxy]$")


def sentence(outline: Outline) -> list[Word]:
    """Return the words of an outline, in order."""
    end = Word("?" if outline.question else ".", ("end",))
    if outline.question:
        return [*_question(outline.first, "1."), end]
    first = _clause(outline.first, "1.")
    if outline.second is None:
        return [*first, end]
    conjunction = [Word(outline.conjunction, ("conjunction",))]
    second = _clause(outline.second, "2.")
    if outline.fronted:
        return [*conjunction, *second, Word(",", ("comma",)), *first, end]
    if outline.conjunction == "but":
        conjunction.insert(0, Word(",", ("comma",)))
    return [*first, *conjunction, *second, end]


def _clause(clause: Clause, path: str) -> list[Word]:
    if isinstance(clause, Existence):
        return _existence(clause, path)
    subject = _subject(clause.subject, path + "subject")
    auxiliary, rest = _predicate(clause, path)
    words = [*subject, *auxiliary, *rest]
    if isinstance(clause, Action) and clause.time:
        time = [Word(t, (path + "time",)) for t in clause.time.split()]
        return [*time, *words] if clause.time_first else [*words, *time]
    return words


def _question(clause: Clause, path: str) -> list[Word]:
    auxiliary, rest = _predicate(clause, path, question=True)
    question_words = []
    if isinstance(clause, Action):
        for part in (clause.subject, clause.object, clause.place):
            if isinstance(part, QuestionWord):
                question_words = [Word(part.word, (path + "question_word",))]
    if isinstance(clause.subject, QuestionWord):
        auxiliary, rest = _predicate(clause, path)
        return [*question_words, *auxiliary, *rest]
    return [*question_words, *auxiliary, *_subject(clause.subject, path + "subject"), *rest]


def _existence(clause: Existence, path: str) -> list[Word]:
    be = BE[False][agreement(clause.subject)]
    there = [Word("there"), Word(be, (path + "verb",))]
    place = _place(clause.place, path + "place")
    return [*there, *_phrase(clause.subject, path + "subject"), *place]


def _predicate(clause: Clause, path: str, question: bool = False) -> tuple[list[Word], list[Word]]:
    """Return the auxiliary, which a question moves before the subject, and the rest."""
    person = agreement(clause.subject)
    match clause:
        case State():
            be = BE[clause.past][person]
            parts = (path + "verb", path + "not") if clause.negated else (path + "verb",)
            degree = [Word(clause.degree, (path + "degree",))] if clause.degree else []
            adjective = Word(clause.adjective.name, (path + "adjective",))
            return [Word(be + "n't" * clause.negated, parts)], [*degree, adjective]
        case Comparison():
            words = clause.adjective.comparative.split()
            more = [Word(w, (path + "adjective",)) for w in words]
            than = [Word("than", (path + "than",)), *_phrase(clause.than, path + "other")]
            return [Word(BE[False][person], (path + "verb",))], [*more, *than]
        case Passive():
            done = _words(f"{clause.verb.en[2]} {clause.verb.en_after}", path + "verb")
            by = Word("by", (path + "by",))
            agent = _phrase(clause.agent, path + "agent")
            return [Word(BE[True][person], (path + "passive",))], [*done, by, *agent]
        case Action():
            auxiliary, verb = _verb(clause, path, person, question)
            return auxiliary, [*verb, *_complements(clause, path)]
    raise AssertionError(clause)


def _verb(clause: Action, path: str, person: str, question: bool) -> tuple[list[Word], list[Word]]:
    verb, no = clause.verb, clause.negated
    tense, modal, verb_path = path + "tense", path + "modal", path + "verb"
    negation = (path + "not",) * no
    base = Word(verb.en[0], (verb_path,))
    do = "does" if person == "one" else "do"
    if clause.modal == "want":
        if no or question:
            return [Word(do + "n't" * no, negation)], [*_words("want to", modal), base]
        return [], [*_words(("wants" if person == "one" else "want") + " to", modal), base]
    if clause.modal:
        return [Word(_negate(clause.modal, no), (modal, *negation))], [base]
    if clause.tense == "future":
        return [Word(_negate("will", no), (tense, *negation))], [base]
    if clause.tense == "past":
        if no or question:
            return [Word(_negate("did", no), negation or (tense,))], [base]
        return [], [Word(verb.en[1], (verb_path, tense))]
    if verb.aspect in ("state", "dwell") or clause.often:
        if no or question:
            return [Word(_negate(do, no), negation or (tense,))], [base]
        often = _words(clause.often, path + "often")
        return [], [
            *often,
            Word(_third_person(verb.en[0]) if person == "one" else verb.en[0], (verb_path,)),
        ]
    return [Word(_negate(BE[False][person], no), (tense, *negation))], [
        Word(_present_participle(verb), (verb_path,))
    ]


def _complements(clause: Action, path: str) -> list[Word]:
    words = _words(clause.verb.en_after, path + ("on" if clause.verb.de_preposition else "verb"))
    if clause.recipient:
        words += _phrase(clause.recipient, path + "recipient")
    if isinstance(clause.object, Phrase | Both):
        words += _subject(clause.object, path + "object", clause.negated)
    if isinstance(clause.place, Place):
        words += _place(clause.place, path + "place")
    return words


def _place(place: Place, path: str) -> list[Word]:
    preposition = _words(PREPOSITIONS[place.preposition], path + ".on")
    return [*preposition, *_phrase(place.phrase, path + ".phrase")]


def _subject(subject: Subject, path: str, negated: bool = False) -> list[Word]:
    match subject:
        case Person():
            return [Word(subject.word, (path + ".noun",))]
        case Reference():
            return [Word("it", (path + ".noun",))]
        case Both():
            conjunction = Word("and", (path + ".and",))
            first, second = path + ".first", path + ".second"
            return [*_phrase(subject.first, first), conjunction, *_phrase(subject.second, second)]
        case Phrase():
            return _phrase(subject, path, negated)
    raise AssertionError(subject)


def _phrase(phrase: Phrase, path: str, negated: bool = False) -> list[Word]:
    noun = phrase.noun
    words = [Word(noun.en_plural if phrase.plural else noun.name, (path + ".noun",))]
    if phrase.adjective:
        words.insert(0, Word(phrase.adjective.name, (path + ".adjective",)))
    determiner = phrase.determiner
    if determiner == "bare" and negated:
        determiner = "any"
    if determiner == "this" and phrase.plural:
        determiner = "these"
    if determiner == "a" and words[0].text[0] in "aeiou":
        determiner = "an"
    if determiner != "bare":
        words.insert(0, Word(determiner, (path + ".determiner",)))
    if phrase.relative:
        words += _relative(phrase, path)
    return words


def _relative(phrase: Phrase, path: str) -> list[Word]:
    clause, inner = phrase.relative, path + ".relative."
    assert clause is not None
    pronoun = "who" if "person" in phrase.noun.classes else "that"
    that = Word(pronoun, (inner + "that",))
    auxiliary, rest = _predicate(clause, inner)
    if phrase.gap == "subject":
        return [that, *auxiliary, *rest]
    return [that, *_subject(clause.subject, inner + "subject"), *auxiliary, *rest]


def _words(text: str, *parts: str) -> list[Word]:
    return [Word(word, parts) for word in text.split()]


def _negate(word: str, negated: bool) -> str:
    if not negated:
        return word
    return {"can": "can't", "will": "won't"}.get(word, word + "n't")


def _third_person(base: str) -> str:
    if base == "have":
        return "has"
    if base.endswith(("s", "sh", "ch", "x", "o")):
        return base + "es"
    return base[:-1] + "ies" if re.search("[^aeiou]y$", base) else base + "s"


def _present_participle(verb: Verb) -> str:
    base = verb.en[0]
    if base == "lie":
        return "lying"
    if base.endswith("e") and not base.endswith("ee"):
        return base[:-1] + "ing"
    return base + (base[-1] if _DOUBLES_CONSONANT.match(base) else "") + "ing"
