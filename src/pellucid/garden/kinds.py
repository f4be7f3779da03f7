"""Sentences of one clause: one function per construction, from a sampler to an outline."""

from dataclasses import replace

from pellucid.garden.lexicon import Noun, adjectives, named, nouns, places, verbs
from pellucid.garden.outline import (
    Action,
    Comparison,
    Existence,
    Outline,
    Passive,
    Phrase,
    State,
)
from pellucid.garden.sampler import (
    UNINTENDED_VERBS,
    Sampler,
    SampleRejectedError,
    check_distinct_nouns,
    predicates,
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
_ANIMAL_WISHES = ("eat", "drink", "sleep", "catch")  # by animals
_HABITS = ("help", "visit", "thank", "call", "invite", "drink", "feed", "stroke")


def statement(sampler: Sampler) -> Outline:
    """Sample a statement: someone does something to something, some with a time."""
    clause = sampler.sample_in_split(sampler.transitive)
    if sampler.chance(0.35):
        clause = replace(clause, **sampler.timed(clause))
    return Outline("statement", clause)


def negation(sampler: Sampler) -> Outline:
    """Sample a negated action or state: nicht or kein, 没有 or 不."""
    if sampler.chance(0.2):
        return Outline("negation", sampler.sample_in_split(lambda: state(sampler, negated=True)))
    clause = sampler.sample_in_split(lambda: _negated(sampler))
    if clause.tense == "past" and sampler.chance(0.3):
        clause = replace(clause, **sampler.timed(clause))
    return Outline("negation", clause)


def place(sampler: Sampler) -> Outline:
    """Sample an intransitive action at a place."""
    clause = sampler.sample_in_split(sampler.intransitive)
    lasted = clause.verb.where and clause.tense == "past"
    if lasted or sampler.chance(0.25):
        clause = replace(clause, **sampler.timed(clause))
    return Outline("place", clause)


def habit(sampler: Sampler) -> Outline:
    """Sample a habitual action in the present: the ending of the third person."""
    often = sampler.choice(("often", "always", "sometimes", "rarely"))

    def make() -> Action:
        if sampler.chance(0.5):
            clause = sampler.intransitive()
            if not clause.verb.where or clause.verb.aspect in _STATIVE:
                raise SampleRejectedError
        else:
            verb = verbs()[sampler.choice(_HABITS)]
            noun = sampler.choice(verb.what)
            thing = Phrase(noun, "bare") if noun.mass else sampler.definite(noun)
            clause = Action(verb, sampler.subject(verb.who), thing)
            check_distinct_nouns(clause.subject, thing)
        return replace(clause, tense="present", often=often)

    return Outline("habit", sampler.sample_in_split(make))


def giving(sampler: Sampler) -> Outline:
    """Sample an act of giving: dative and accusative."""

    def make() -> Action:
        verb = sampler.verb("giving")
        subject = sampler.subject(verb.who)
        receiver = sampler.definite(sampler.choice(named("person")), plural=0)
        thing = _indefinite(sampler, sampler.choice(verb.what))
        if isinstance(subject, Phrase) and subject.plural:
            thing = Phrase(thing.noun, "a")
        check_distinct_nouns(subject, receiver)
        tense = "future" if sampler.chance(0.12) else "past"
        return Action(verb, subject, thing, recipient=receiver, tense=tense)

    clause = sampler.sample_in_split(make)
    if sampler.chance(0.25):
        clause = replace(clause, **sampler.timed(clause))
    return Outline("giving", clause)


def putting(sampler: Sampler) -> Outline:
    """Sample an act of putting: 把, and a preposition with the accusative."""

    def make() -> Action:
        verb = sampler.verb("putting")
        thing = sampler.definite(sampler.choice(verb.what), plural=0.15)
        where = sampler.place(places(_WHERE[verb.name]))
        check_distinct_nouns(thing, where.phrase)
        if "container" in thing.noun.classes and "container" in where.phrase.noun.classes:
            raise SampleRejectedError
        return Action(
            verb, sampler.subject(verb.who), thing, place=where, negated=sampler.chance(0.12)
        )

    clause = sampler.sample_in_split(make)
    if sampler.chance(0.2):
        modal = sampler.choice(("must", "want", "can"))
        return Outline("putting", replace(clause, tense="present", modal=modal, negated=False))
    if sampler.chance(0.2):
        clause = replace(clause, **sampler.timed(clause))
    return Outline("putting", clause)


def passive(sampler: Sampler) -> Outline:
    """Sample a passive clause with its agent."""

    def make() -> Passive:
        verb = sampler.verb("passive")
        subject = sampler.definite(sampler.choice(verb.what), plural=0.15)
        agent = sampler.phrase(sampler.choice(verb.who), "subject")
        if agent.determiner not in ("the", "a"):
            agent = sampler.definite(agent.noun)
        check_distinct_nouns(subject, agent)
        return Passive(verb, subject, agent)

    return Outline("passive", sampler.sample_in_split(make))


def modal(sampler: Sampler) -> Outline:
    """Sample a modal (can, must, want): the infinitive is at the end of the German clause."""
    word = sampler.choice(("can", "must", "want"))

    def make() -> Action:
        clause = sampler.transitive() if sampler.chance(0.6) else sampler.intransitive()
        who = clause.subject
        animal = isinstance(who, Phrase) and "animal" in who.noun.classes
        if animal and (word != "want" or clause.verb.key not in _ANIMAL_WISHES):
            raise SampleRejectedError
        if clause.verb.name in (*UNINTENDED_VERBS, "arrive") or clause.verb.aspect in _STATIVE:
            raise SampleRejectedError
        return replace(clause, tense="present", modal=word)

    clause = sampler.sample_in_split(make)
    return Outline("modal", _deny(clause) if word != "must" and sampler.chance(0.25) else clause)


def description(sampler: Sampler) -> Outline:
    """Sample a noun with a predicative adjective."""
    return Outline("description", sampler.sample_in_split(lambda: state(sampler)))


def comparison(sampler: Sampler) -> Outline:
    """Sample a comparison of two nouns by an adjective."""
    options = [a for a in adjectives() if a.compared]

    def make() -> Comparison:
        adjective = sampler.choice(options)
        alike = sampler.choice(adjective.compared)
        one, other = (
            sampler.definite(sampler.choice(alike)),
            sampler.definite(sampler.choice(alike), 0),
        )
        check_distinct_nouns(one, other)
        return Comparison(one, adjective, other)

    return Outline("comparison", sampler.sample_in_split(make))


def existence(sampler: Sampler) -> Outline:
    """Sample "there is": a thing at a place."""

    def make() -> Existence:
        noun = sampler.choice(named("stands" if sampler.chance(0.5) else "lies"))
        bulky = noun.classes & {"load", "container", "support"}
        where = sampler.place(places(_FLOOR if bulky else _TOP))
        thing = _indefinite(sampler, noun)
        # Not six lamps on a chair.
        if "stands" in noun.classes and where.phrase.noun.classes & {"seat", "container"}:
            thing = Phrase(noun, "a", adjective=thing.adjective)
        return Existence(thing, where)

    return Outline("existence", sampler.sample_in_split(make))


def state(sampler: Sampler, negated: bool = False) -> State:
    """Sample a noun with an adjective that can be true of it."""
    if sampler.chance(0.8):
        adjective = sampler.choice(adjectives())
        noun = sampler.choice(adjective.of)
    else:
        noun = sampler.choice(tuple(n for n in nouns().values() if predicates(n)))
        adjective = sampler.choice(predicates(noun))
    # 不不安 and 不有趣 are not Chinese.
    if negated and adjective.zh[0] in "不有":
        raise SampleRejectedError
    determiner = sampler.choice(("the", "the", "the", "this"))
    one = noun.mass or "single" in noun.classes
    plural = not one and determiner == "the" and sampler.chance(0.25)
    degree = "very" if not negated and not adjective.absolute and sampler.chance(0.35) else ""
    return State(Phrase(noun, determiner, plural), adjective, degree, negated=negated)


def about_someone(clause: Action) -> Action:
    """Return the clause with a definite subject."""
    subject = clause.subject
    if isinstance(subject, Phrase) and subject.determiner not in ("the", "this", "my"):
        subject = Phrase(subject.noun, "the", subject.plural, subject.adjective)
    return replace(clause, subject=subject)


def _indefinite(sampler: Sampler, noun: Noun) -> Phrase:
    phrase = sampler.phrase(noun)
    if phrase.determiner in ("the", "this", "my"):
        adjective = sampler.attribute(noun) if sampler.chance(0.3) else None
        return Phrase(noun, "bare" if noun.mass else "a", adjective=adjective)
    return phrase


def _negated(sampler: Sampler) -> Action:
    clause = sampler.transitive() if sampler.chance(0.8) else sampler.intransitive()
    # A negated progressive is heavy in all three languages; the past replaces it.
    past = clause.tense == "present" and clause.verb.aspect not in _STATIVE
    return _deny(replace(clause, tense="past" if past else clause.tense))


def _deny(clause: Action) -> Action:
    """Negate the clause: definite subject, and no "some", "many" or number after "not"."""
    thing = clause.object
    if isinstance(thing, Phrase) and thing.plural and thing.determiner != "the":
        thing = Phrase(thing.noun, "bare", plural=True)
    return replace(about_someone(clause), object=thing, negated=True)
