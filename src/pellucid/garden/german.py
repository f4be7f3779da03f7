"""How German says a plan: case, verb second and verb last, separable prefixes, kein and nicht."""

from itertools import pairwise
from typing import NamedTuple

from pellucid.garden import german_forms as forms
from pellucid.garden.german_words import (
    ASKED,
    CONJUNCTIONS,
    DEGREES,
    OFTEN,
    PERSONS,
    PREPOSITIONS,
    TIMES,
)
from pellucid.garden.plan import (
    Action,
    Asked,
    Both,
    Clause,
    Comparison,
    Existence,
    Passive,
    Person,
    Phrase,
    Place,
    Plan,
    Reference,
    State,
    Subject,
    agreement,
)
from pellucid.garden.words import CLOSING, Word


class Parts(NamedTuple):
    """A clause before its words are put in order."""

    subject: list[Word]
    time: list[Word]
    finite: Word
    middle: list[Word]
    prefix: list[Word]  # separable: joined to the finite verb where that comes last
    end: list[Word]  # participle or infinitive


def sentence(plan: Plan) -> list[Word]:
    """The words of a plan, in order; one comma or stop where two would meet."""
    words = _sentence(plan)
    return [w for w, following in pairwise([*words, words[-1]]) if not _swallowed(w, following)]


def _swallowed(word: Word, following: Word) -> bool:
    return word.text == "," and word is not following and following.text in CLOSING


def _sentence(plan: Plan) -> list[Word]:
    end = Word("?" if plan.question else ".", ("end",))
    if plan.question:
        return [*_question(plan.first, "1."), end]
    if plan.second is None:
        return [*_main(plan.first, "1."), end]
    joint = Word(CONJUNCTIONS[plan.conjunction], ("conjunction",))
    comma = Word(",", ("comma",))
    if plan.conjunction == "and":
        return [*_main(plan.first, "1."), joint, *_main(plan.second, "2."), end]
    if plan.conjunction == "but":
        return [*_main(plan.first, "1."), comma, joint, *_main(plan.second, "2."), end]
    last = _last(_parts(plan.second, "2."))
    if plan.fronted:
        return [joint, *last, comma, *_inverted(_parts(plan.first, "1.")), end]
    return [*_main(plan.first, "1."), comma, joint, *last, end]


def _main(clause: Clause, path: str) -> list[Word]:
    parts = _parts(clause, path)
    if isinstance(clause, Existence):
        return [*parts.middle, parts.finite, *parts.subject]
    if isinstance(clause, Action) and clause.time_first:
        return [*parts.time, *_inverted(parts._replace(time=[]))]
    # The verb closes before a relative clause: "zog den Mantel an, den …".
    relative = [w for w in parts.middle if ".relative." in w.says[0]]
    middle = [w for w in parts.middle if ".relative." not in w.says[0]]
    closing = [*parts.time, *middle, *parts.prefix, *parts.end, *relative]
    return [*parts.subject, parts.finite, *closing]


def _inverted(p: Parts) -> list[Word]:
    return [p.finite, *p.subject, *p.time, *p.middle, *p.prefix, *p.end]


def _last(p: Parts) -> list[Word]:
    finite = p.finite
    if p.prefix:
        prefix = p.prefix[0]
        finite = Word(prefix.text + finite.text, (*finite.says, *prefix.says))
    return [*p.subject, *p.time, *p.middle, *p.end, finite]


def _question(clause: Clause, path: str) -> list[Word]:
    parts = _parts(clause, path, question=True)
    if isinstance(clause, Action):
        for part in (clause.subject, clause.object, clause.place):
            if isinstance(part, Asked):
                return [Word(ASKED[part.word], (path + "asked",)), *_inverted(parts)]
    return _inverted(parts)


def _parts(clause: Clause, path: str, question: bool = False) -> Parts:
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
            return Parts(subject, [], be, middle, [], [])
        case Comparison():
            other = _phrase(clause.than, path + "other", "nom")
            more = Word(clause.adjective.de_comparative, (path + "adjective",))
            middle = [more, Word("als", (path + "than",)), *other]
            be = Word(forms.auxiliary("sein", who), (verb,))
            return Parts(subject, [], be, middle, [], [])
        case Existence():
            place = _place(clause.place, path + "place", "dat")
            return Parts(subject, [], Word(_existing(clause), (verb,)), place, [], [])
        case Passive():
            agent = _prepositional("von", clause.agent, path + "agent", "dat", path + "by")
            done = [Word(clause.verb.participle, (verb,))]
            was = Word(forms.auxiliary("wurden", who), (path + "passive",))
            return Parts(subject, [], was, agent, [], done)
        case Action():
            finite, prefix, end = _verb(clause, path, who, question)
            time = [Word(t, (path + "time",)) for t in TIMES.get(clause.time, "").split()]
            return Parts(subject, time, finite, _middle(clause, path), prefix, end)
    raise AssertionError(clause)


def _existing(clause: Existence) -> str:
    """What is upright stands, but in a bag everything lies."""
    packed = clause.place.preposition == "in" and "container" in clause.place.phrase.noun.classes
    stands = "stands" in clause.subject.noun.classes and not packed
    one, many = ("steht", "stehen") if stands else ("liegt", "liegen")
    return many if clause.subject.plural else one


def _verb(
    clause: Action, path: str, who: str, question: bool
) -> tuple[Word, list[Word], list[Word]]:
    """Finite verb, separated prefix, and what closes the clause."""
    verb, says, tense = clause.verb, path + "verb", path + "tense"
    infinitive = [Word(verb.prefix + verb.infinitive, (says,))]
    if clause.modal:
        return Word(forms.auxiliary(clause.modal, who), (path + "modal",)), [], infinitive
    if clause.tense == "future":
        return Word(forms.auxiliary("werden", who), (tense,)), [], infinitive
    # A question about the past is asked in the perfect, as people speak.
    if question and clause.tense == "past":
        participle = [Word(verb.participle, (says,))]
        return Word(forms.auxiliary(verb.auxiliary, who), (tense,)), [], participle
    form = forms.past if clause.tense == "past" else forms.present
    prefix = [Word(verb.prefix, (says,))] if verb.prefix else []
    return Word(form(verb, who), (says, tense)), prefix, []


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


def _prepositional(preposition: str, phrase: Phrase, path: str, case: str, says: str) -> list[Word]:
    words = _phrase(phrase, path, case)
    if phrase.determiner == "the":
        article, *rest = words
        if joined := forms.contraction(preposition, article.text):
            return [Word(joined, (says, *article.says)), *rest]
    return [Word(preposition, (says,)), *words]


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
    """A noun phrase; `no` is the path of a negation that its determiner takes up as kein."""
    gender = forms.column(phrase)
    determiner = "no" if no else phrase.determiner
    words = [Word(forms.noun_form(phrase, case), (path + ".noun",))]
    if phrase.adjective:
        adjective = forms.adjective_form(phrase.adjective, determiner, gender, case)
        words.insert(0, Word(adjective, (path + ".adjective",)))
    if article := forms.determiner_form(determiner, gender, case):
        says = (path + ".determiner", no) if no else (path + ".determiner",)
        words.insert(0, Word(article, says))
    if phrase.relative:
        words += _relative(phrase, path)
    return words


def _relative(phrase: Phrase, path: str) -> list[Word]:
    """A relative clause between commas."""
    clause, inner = phrase.relative, path + ".relative."
    assert clause is not None
    case = "nom" if phrase.gap == "subject" else clause.verb.case
    pronoun = forms.relative_pronoun(forms.column(phrase), case)
    parts = _parts(clause, inner)
    if phrase.gap == "subject":
        parts = parts._replace(subject=[])
    comma, close = Word(",", (inner + "comma",)), Word(",", (inner + "close",))
    return [comma, Word(pronoun, (inner + "that",)), *_last(parts), close]
