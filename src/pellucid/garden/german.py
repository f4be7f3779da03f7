"""German sentences from outlines: case, verb position, separable prefixes, kein and nicht."""

from itertools import chain, pairwise
from typing import NamedTuple

from pellucid.garden import german_forms as forms
from pellucid.garden.german_words import (
    CONJUNCTIONS,
    DEGREES,
    OFTEN,
    PERSONS,
    PREPOSITIONS,
    QUESTION_WORDS,
    TIMES,
)
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
from pellucid.garden.words import CLOSING, Word


class ClauseFields(NamedTuple):
    """A clause before its words are put in order."""

    subject: list[Word]
    time: list[Word]
    finite: Word
    middle: list[Word]
    prefix: list[Word]  # separable: joined to the finite verb where that comes last
    end: list[Word]  # participle or infinitive


def sentence(outline: Outline) -> list[Word]:
    """Return the words of an outline, in order, without a comma before a comma or full stop."""
    words = _sentence(outline)
    kept = [w for w, next_ in pairwise(words) if w.text != "," or next_.text not in CLOSING]
    return [*kept, words[-1]]


def _sentence(outline: Outline) -> list[Word]:
    end = Word("?" if outline.question else ".", ("end",))
    if outline.question:
        return [*_question(outline.first, "1."), end]
    if outline.second is None:
        return [*_main(outline.first, "1."), end]
    joint = Word(CONJUNCTIONS[outline.conjunction], ("conjunction",))
    comma = Word(",", ("comma",))
    if outline.conjunction == "and":
        return [*_main(outline.first, "1."), joint, *_main(outline.second, "2."), end]
    if outline.conjunction == "but":
        return [*_main(outline.first, "1."), comma, joint, *_main(outline.second, "2."), end]
    last = _last(_fields(outline.second, "2."))
    if outline.fronted:
        return [joint, *last, comma, *_inverted(_fields(outline.first, "1.")), end]
    return [*_main(outline.first, "1."), comma, joint, *last, end]


def _main(clause: Clause, path: str) -> list[Word]:
    fields = _fields(clause, path)
    if isinstance(clause, Existence):
        return [*fields.middle, fields.finite, *fields.subject]
    if isinstance(clause, Action) and clause.time_first:
        return [*fields.time, *_inverted(fields._replace(time=[]))]
    # The verb closes before a relative clause: "zog den Mantel an, den …".
    relative = [w for w in fields.middle if ".relative." in w.parts[0]]
    middle = [w for w in fields.middle if ".relative." not in w.parts[0]]
    closing = [*fields.time, *middle, *fields.prefix, *fields.end, *relative]
    return [*fields.subject, fields.finite, *closing]


def _inverted(fields: ClauseFields) -> list[Word]:
    subject, time, finite, *rest = fields
    return [finite, *subject, *time, *chain.from_iterable(rest)]


def _last(fields: ClauseFields) -> list[Word]:
    finite = fields.finite
    if fields.prefix:
        prefix = fields.prefix[0]
        finite = Word(prefix.text + finite.text, (*finite.parts, *prefix.parts))
    return [*fields.subject, *fields.time, *fields.middle, *fields.end, finite]


def _question(clause: Clause, path: str) -> list[Word]:
    fields = _fields(clause, path, question=True)
    if isinstance(clause, Action):
        for part in (clause.subject, clause.object, clause.place):
            if isinstance(part, QuestionWord):
                return [
                    Word(QUESTION_WORDS[part.word], (path + "question_word",)),
                    *_inverted(fields),
                ]
    return _inverted(fields)


def _fields(clause: Clause, path: str, question: bool = False) -> ClauseFields:
    subject = _subject(clause.subject, path + "subject", "nom")
    who = agreement(clause.subject)
    verb = path + "verb"
    match clause:
        case State():
            middle = [Word("nicht", (path + "not",))] if clause.negated else []
            if clause.degree:
                middle.append(Word(DEGREES[clause.degree], (path + "degree",)))
            middle.append(Word(clause.adjective.de, (path + "adjective",)))
            be = Word(forms.auxiliary("waren" if clause.past else "sein", who), (verb,))
            return ClauseFields(subject, [], be, middle, [], [])
        case Comparison():
            other = _phrase(clause.than, path + "other", "nom")
            more = Word(clause.adjective.de_comparative, (path + "adjective",))
            middle = [more, Word("als", (path + "than",)), *other]
            be = Word(forms.auxiliary("sein", who), (verb,))
            return ClauseFields(subject, [], be, middle, [], [])
        case Existence():
            place = _place(clause.place, path + "place", "dat")
            return ClauseFields(subject, [], Word(_existence_verb(clause), (verb,)), place, [], [])
        case Passive():
            agent = _prepositional("von", clause.agent, path + "agent", "dat", path + "by")
            done = [Word(clause.verb.participle, (verb,))]
            was = Word(forms.auxiliary("wurden", who), (path + "passive",))
            return ClauseFields(subject, [], was, agent, [], done)
        case Action():
            finite, prefix, end = _verb(clause, path, who, question)
            time = [Word(t, (path + "time",)) for t in TIMES.get(clause.time, "").split()]
            return ClauseFields(subject, time, finite, _middle(clause, path), prefix, end)
    raise AssertionError(clause)


def _existence_verb(clause: Existence) -> str:
    """Return the verb: upright things stand, except in a container, where all things lie."""
    packed = clause.place.preposition == "in" and "container" in clause.place.phrase.noun.classes
    stands = "stands" in clause.subject.noun.classes and not packed
    one, many = ("steht", "stehen") if stands else ("liegt", "liegen")
    return many if clause.subject.plural else one


def _verb(
    clause: Action, path: str, who: str, question: bool
) -> tuple[Word, list[Word], list[Word]]:
    """Return the finite verb, the separable prefix, and the words at the end of the clause."""
    verb, parts, tense = clause.verb, path + "verb", path + "tense"
    infinitive = [Word(verb.prefix + verb.infinitive, (parts,))]
    if clause.modal:
        return Word(forms.auxiliary(clause.modal, who), (path + "modal",)), [], infinitive
    if clause.tense == "future":
        return Word(forms.auxiliary("werden", who), (tense,)), [], infinitive
    # Questions about the past use the perfect, as spoken German does.
    if question and clause.tense == "past":
        participle = [Word(verb.participle, (parts,))]
        return Word(forms.auxiliary(verb.auxiliary, who), (tense,)), [], participle
    form = forms.past if clause.tense == "past" else forms.present
    prefix = [Word(verb.prefix, (parts,))] if verb.prefix else []
    return Word(form(verb, who), (parts, tense)), prefix, []


def _middle(clause: Action, path: str) -> list[Word]:
    words = []
    if clause.often:
        words.append(Word(OFTEN[clause.often], (path + "often",)))
    if clause.recipient:
        words += _phrase(clause.recipient, path + "recipient", "dat")
    thing, place = clause.object, clause.place
    preposition, case = clause.verb.de_preposition, clause.verb.case
    no = [Word("nicht", (path + "not",))] if clause.negated else []
    if isinstance(thing, Phrase) and preposition:
        on = path + "on"
        return [*words, *no, *_prepositional(preposition, thing, path + "object", case, on)]
    if clause.negated and isinstance(thing, Phrase) and thing.determiner in ("a", "bare"):
        words += _phrase(thing, path + "object", case, path + "not")
        no = []
    elif isinstance(thing, Phrase | Both):
        words += _subject(thing, path + "object", case)
    words += no
    if isinstance(place, Place):
        moves = clause.verb.key in ("put", "hang")
        words += _place(place, path + "place", "acc" if moves else "dat")
    return words


def _place(place: Place, path: str, case: str) -> list[Word]:
    preposition = PREPOSITIONS[place.preposition]
    return _prepositional(preposition, place.phrase, path + ".phrase", case, path + ".on")


def _prepositional(preposition: str, phrase: Phrase, path: str, case: str, part: str) -> list[Word]:
    words = _phrase(phrase, path, case)
    if phrase.determiner == "the":
        article, *rest = words
        if joined := forms.contraction(preposition, article.text):
            return [Word(joined, (part, *article.parts)), *rest]
    return [Word(preposition, (part,)), *words]


def _subject(subject: Subject, path: str, case: str) -> list[Word]:
    match subject:
        case Person():
            return [Word(PERSONS[subject.word], (path + ".noun",))]
        case Reference():
            return [Word(forms.PRONOUNS[subject.noun.gender], (path + ".noun",))]
        case Both():
            joint = Word("und", (path + ".and",))
            first = _phrase(subject.first, path + ".first", case)
            return [*first, joint, *_phrase(subject.second, path + ".second", case)]
        case Phrase():
            return _phrase(subject, path, case)
    return []


def _phrase(phrase: Phrase, path: str, case: str, no: str = "") -> list[Word]:
    """Return a noun phrase; `no`: path of a negation that becomes the determiner kein."""
    gender = forms.column(phrase)
    determiner = "no" if no else phrase.determiner
    words = [Word(forms.noun_form(phrase, case), (path + ".noun",))]
    if phrase.adjective:
        adjective = forms.adjective_form(phrase.adjective, determiner, gender, case)
        words.insert(0, Word(adjective, (path + ".adjective",)))
    if article := forms.determiner_form(determiner, gender, case):
        parts = (path + ".determiner", no) if no else (path + ".determiner",)
        words.insert(0, Word(article, parts))
    if phrase.relative:
        words += _relative(phrase, path)
    return words


def _relative(phrase: Phrase, path: str) -> list[Word]:
    """Return a relative clause between commas."""
    clause, inner = phrase.relative, path + ".relative."
    assert clause is not None
    case = "nom" if phrase.gap == "subject" else clause.verb.case
    pronoun = forms.relative_pronoun(forms.column(phrase), case)
    fields = _fields(clause, inner)
    if phrase.gap == "subject":
        fields = fields._replace(subject=[])
    comma, close = Word(",", (inner + "comma",)), Word(",", (inner + "close",))
    return [comma, Word(pronoun, (inner + "that",)), *_last(fields), close]
