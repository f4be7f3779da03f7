"""Sentences of one clause: one function a construction, from a source of clauses to a plan."""

from dataclasses import replace

from pellucid.data.garden.draw import Draw, NothingFitsError, attributes, differ, predicates
from pellucid.data.garden.lexicon import Noun, adjectives, named, nouns, places, verbs
from pellucid.data.garden.plan import (
    Action,
    Asked,
    Comparison,
    Existence,
    Passive,
    Person,
    Phrase,
    Plan,
    State,
)

_STATIVE = ("state", "dwell")
# Where things are put, by verb: in German the accusative ("hide": the dative).
_WHERE = {
    "put.stand": "on:top under:table beside:door in_front_of:window on:bench",
    "put.lie": "on:top under:bed on:chair on:sofa in:container on:bed",
    "hang": "above:sofa above:bed above:table above:door",
    "hide": "in:container under:bed under:sofa under:carpet behind:tree in:garden behind:door",
}
_HABITS = ("help", "visit", "thank", "call", "invite", "drink", "feed", "stroke")


def statement(draw: Draw) -> Plan:
    """Someone does something to something, some time."""
    clause = draw.until_kept(draw.transitive)
    if draw.chance(0.35):
        clause = replace(clause, **draw.timed(clause))
    return Plan("statement", clause)


def negation(draw: Draw) -> Plan:
    """Someone did not do something, or is not so: nicht or kein, 没有 or 不."""
    if draw.chance(0.2):
        return Plan("negation", draw.until_kept(lambda: state(draw, negated=True)))
    clause = draw.until_kept(lambda: _negated(draw))
    if clause.tense == "past" and draw.chance(0.3):
        clause = replace(clause, **draw.timed(clause))
    return Plan("negation", clause)


def question(draw: Draw) -> Plan:
    """Yes or no, who, what, where."""
    ask = draw.choice((_whether, _whether, _whether, _is_it, _who, _what, _where))
    return Plan("question", draw.until_kept(lambda: ask(draw)), question=True)


def place(draw: Draw) -> Plan:
    """Someone does something somewhere."""
    clause = draw.until_kept(draw.intransitive)
    lasted = clause.verb.where and clause.tense == "past"
    if lasted or draw.chance(0.25):
        clause = replace(clause, **draw.timed(clause))
    return Plan("place", clause)


def habit(draw: Draw) -> Plan:
    """What someone often does: the ending of the third person."""
    often = draw.choice(("often", "always", "sometimes", "rarely"))

    def make() -> Action:
        if draw.chance(0.5):
            clause = draw.intransitive()
            if not clause.verb.where or clause.verb.aspect in _STATIVE:
                raise NothingFitsError
        else:
            verb = verbs()[draw.choice(_HABITS)]
            noun = draw.choice(verb.what)
            thing = Phrase(noun, "bare") if noun.mass else draw.definite(noun)
            clause = Action(verb, draw.subject(verb.who), thing)
            differ(clause.subject, thing)
        return replace(clause, tense="present", often=often)

    return Plan("habit", draw.until_kept(make))


def giving(draw: Draw) -> Plan:
    """Someone gives someone something: dative and accusative."""

    def make() -> Action:
        verb = draw.verb("giving")
        subject = draw.subject(verb.who)
        receiver = draw.definite(draw.choice(named("person")), plural=0)
        thing = _indefinite(draw, draw.choice(verb.what))
        if isinstance(subject, Phrase) and subject.plural:
            thing = Phrase(thing.noun, "a")
        differ(subject, receiver)
        tense = "future" if draw.chance(0.12) else "past"
        return Action(verb, subject, thing, recipient=receiver, tense=tense)

    clause = draw.until_kept(make)
    if draw.chance(0.25):
        clause = replace(clause, **draw.timed(clause))
    return Plan("giving", clause)


def putting(draw: Draw) -> Plan:
    """Someone puts something somewhere: 把, and a preposition with the accusative."""

    def make() -> Action:
        verb = draw.verb("putting")
        thing = draw.definite(draw.choice(verb.what), plural=0.15)
        where = draw.place(places(_WHERE[verb.name]))
        differ(thing, where.phrase)
        if "container" in thing.noun.classes and "container" in where.phrase.noun.classes:
            raise NothingFitsError
        return Action(verb, draw.subject(verb.who), thing, place=where, negated=draw.chance(0.12))

    clause = draw.until_kept(make)
    if draw.chance(0.2):
        modal = draw.choice(("must", "want", "can"))
        return Plan("putting", replace(clause, tense="present", modal=modal, negated=False))
    if draw.chance(0.2):
        clause = replace(clause, **draw.timed(clause))
    return Plan("putting", clause)


def passive(draw: Draw) -> Plan:
    """Something was done to someone by someone."""

    def make() -> Passive:
        verb = draw.verb("passive")
        subject = draw.definite(draw.choice(verb.what), plural=0.15)
        agent = draw.phrase(draw.choice(verb.who), "subject")
        if agent.determiner not in ("the", "a"):
            agent = draw.definite(agent.noun)
        differ(subject, agent)
        return Passive(verb, subject, agent)

    return Plan("passive", draw.until_kept(make))


def modal(draw: Draw) -> Plan:
    """Someone can, must or wants to do something: the infinitive closes the German clause."""
    word = draw.choice(("can", "must", "want"))

    def make() -> Action:
        clause = draw.transitive() if draw.chance(0.6) else draw.intransitive()
        unwilled = clause.verb.name in ("lose", "fall", "see", "meet", "frighten", "hold", "find")
        if unwilled or clause.verb.aspect in _STATIVE:
            raise NothingFitsError
        return replace(clause, tense="present", modal=word)

    clause = draw.until_kept(make)
    return Plan("modal", replace(clause, negated=word != "must" and draw.chance(0.25)))


def description(draw: Draw) -> Plan:
    """Something is so."""
    return Plan("description", draw.until_kept(lambda: state(draw)))


def comparison(draw: Draw) -> Plan:
    """One thing is more so than another."""
    options = [a for a in adjectives() if a.compared]

    def make() -> Comparison:
        adjective = draw.choice(options)
        alike = draw.choice(adjective.compared)
        one, other = draw.definite(draw.choice(alike)), draw.definite(draw.choice(alike), 0)
        differ(one, other)
        return Comparison(one, adjective, other)

    return Plan("comparison", draw.until_kept(make))


def existence(draw: Draw) -> Plan:
    """There is something somewhere."""

    def make() -> Existence:
        where = draw.place(places("on:top on:chair on:bench under:bed under:table in:room"))
        stands = "stands" if draw.chance(0.5) else "lies"
        thing = _indefinite(draw, draw.choice(named(stands)))
        return Existence(thing, where)

    return Plan("existence", draw.until_kept(make))


def state(draw: Draw, negated: bool = False) -> State:
    """A noun and what can be said of it."""
    noun = draw.choice(tuple(n for n in nouns().values() if predicates(n)))
    adjective = draw.choice(predicates(noun))
    # 不不安 and 不有趣 are not Chinese.
    if negated and adjective.zh[0] in "不有":
        raise NothingFitsError
    determiner = draw.choice(("the", "the", "the", "this", "my"))
    plural = not noun.mass and determiner == "the" and draw.chance(0.25)
    degree = "very" if not negated and not adjective.color and draw.chance(0.35) else ""
    return State(Phrase(noun, determiner, plural), adjective, degree, negated=negated)


def _indefinite(draw: Draw, noun: Noun) -> Phrase:
    phrase = draw.phrase(noun)
    if phrase.determiner in ("the", "this", "my"):
        options = attributes(noun)
        adjective = draw.choice(options) if options and draw.chance(0.3) else None
        return Phrase(noun, "bare" if noun.mass else "a", adjective=adjective)
    return phrase


def _negated(draw: Draw) -> Action:
    clause = draw.transitive() if draw.chance(0.8) else draw.intransitive()
    thing = clause.object
    if isinstance(thing, Phrase) and thing.plural and thing.determiner != "the":
        thing = Phrase(thing.noun, "bare", plural=True)
    # A negated progressive is heavy in all three languages: the past is said instead.
    past = clause.tense == "present" and clause.verb.aspect not in _STATIVE
    subject = clause.subject
    if isinstance(subject, Phrase) and subject.determiner not in ("the", "this", "my"):
        subject = Phrase(subject.noun, "the", subject.plural, subject.adjective)
    tense = "past" if past else clause.tense
    return replace(clause, subject=subject, object=thing, tense=tense, negated=True)


def _whether(draw: Draw) -> Action:
    clause = draw.transitive() if draw.chance(0.7) else draw.intransitive()
    subject = clause.subject
    if isinstance(subject, Phrase) and subject.determiner not in ("the", "this", "my"):
        subject = Phrase(subject.noun, "the", subject.plural, subject.adjective)
    if clause.place is not None and clause.tense == "past":
        raise NothingFitsError
    return replace(clause, subject=subject)


def _is_it(draw: Draw) -> State:
    clause = state(draw)
    return replace(clause, degree="")


def _who(draw: Draw) -> Action:
    clause = draw.transitive()
    if "person" not in clause.verb.who[0].classes:
        raise NothingFitsError
    return replace(clause, subject=Asked("who"))


def _what(draw: Draw) -> Action:
    clause = _whether(draw)
    thing, verb = clause.object, clause.verb
    if not isinstance(thing, Phrase) or thing.noun.classes & {"person", "animal"}:
        raise NothingFitsError
    if verb.de_preposition or verb.en_after or verb.aspect == "state" or verb.case == "dat":
        raise NothingFitsError
    return replace(clause, object=Asked("what"))


def _where(draw: Draw) -> Action:
    clause = draw.intransitive()
    if not clause.verb.where or isinstance(clause.subject, Person):
        raise NothingFitsError
    return replace(clause, place=Asked("where"), tense="present")
