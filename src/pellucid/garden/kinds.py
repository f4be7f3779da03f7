"""Sentences of one clause: one function a construction, from a source of clauses to a plan."""

from dataclasses import replace

from pellucid.garden.draw import (
    UNWILLED,
    Draw,
    NothingFitsError,
    differ,
    predicates,
)
from pellucid.garden.lexicon import Noun, adjectives, named, nouns, places, verbs
from pellucid.garden.plan import (
    Action,
    Comparison,
    Existence,
    Passive,
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
_FLOOR = "in:room in:nature under:tree behind:door behind:house"
_TOP = "on:top on:chair on:bench under:bed under:table in:container"
_WANTED = ("eat", "drink", "sleep", "catch")  # by animals
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
        who = clause.subject
        animal = isinstance(who, Phrase) and "animal" in who.noun.classes
        if animal and (word != "want" or clause.verb.key not in _WANTED):
            raise NothingFitsError
        if clause.verb.name in (*UNWILLED, "arrive") or clause.verb.aspect in _STATIVE:
            raise NothingFitsError
        return replace(clause, tense="present", modal=word)

    clause = draw.until_kept(make)
    return Plan("modal", _deny(clause) if word != "must" and draw.chance(0.25) else clause)


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
        noun = draw.choice(named("stands" if draw.chance(0.5) else "lies"))
        bulky = noun.classes & {"load", "container", "support"}
        where = draw.place(places(_FLOOR if bulky else _TOP))
        thing = _indefinite(draw, noun)
        # Not six lamps on a chair.
        if "stands" in noun.classes and where.phrase.noun.classes & {"seat", "container"}:
            thing = Phrase(noun, "a", adjective=thing.adjective)
        return Existence(thing, where)

    return Plan("existence", draw.until_kept(make))


def state(draw: Draw, negated: bool = False) -> State:
    """A noun and what can be said of it."""
    if draw.chance(0.8):
        adjective = draw.choice(adjectives())
        noun = draw.choice(adjective.of)
    else:
        noun = draw.choice(tuple(n for n in nouns().values() if predicates(n)))
        adjective = draw.choice(predicates(noun))
    # 不不安 and 不有趣 are not Chinese.
    if negated and adjective.zh[0] in "不有":
        raise NothingFitsError
    determiner = draw.choice(("the", "the", "the", "this"))
    one = noun.mass or "single" in noun.classes
    plural = not one and determiner == "the" and draw.chance(0.25)
    degree = "very" if not negated and not adjective.absolute and draw.chance(0.35) else ""
    return State(Phrase(noun, determiner, plural), adjective, degree, negated=negated)


def about_someone(clause: Action) -> Action:
    """The clause with a definite subject."""
    subject = clause.subject
    if isinstance(subject, Phrase) and subject.determiner not in ("the", "this", "my"):
        subject = Phrase(subject.noun, "the", subject.plural, subject.adjective)
    return replace(clause, subject=subject)


def _indefinite(draw: Draw, noun: Noun) -> Phrase:
    phrase = draw.phrase(noun)
    if phrase.determiner in ("the", "this", "my"):
        adjective = draw.attribute(noun) if draw.chance(0.3) else None
        return Phrase(noun, "bare" if noun.mass else "a", adjective=adjective)
    return phrase


def _negated(draw: Draw) -> Action:
    clause = draw.transitive() if draw.chance(0.8) else draw.intransitive()
    # A negated progressive is heavy in all three languages: the past is said instead.
    past = clause.tense == "present" and clause.verb.aspect not in _STATIVE
    return _deny(replace(clause, tense="past" if past else clause.tense))


def _deny(clause: Action) -> Action:
    """The clause negated: someone definite, and no "some", "many" or number behind "not"."""
    thing = clause.object
    if isinstance(thing, Phrase) and thing.plural and thing.determiner != "the":
        thing = Phrase(thing.noun, "bare", plural=True)
    return replace(about_someone(clause), object=thing, negated=True)
