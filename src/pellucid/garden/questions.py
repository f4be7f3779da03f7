"""Questions: whether, who, what, where."""

from dataclasses import replace

from pellucid.garden.draw import Draw, NothingFitsError
from pellucid.garden.kinds import about_someone, state
from pellucid.garden.plan import Action, Asked, Person, Phrase, Plan, State


def question(draw: Draw) -> Plan:
    """Yes or no, who, what, where."""
    ask = draw.choice((_whether, _whether, _whether, _is_it, _who, _what, _where))
    return Plan("question", draw.until_kept(lambda: ask(draw)), question=True)


def _whether(draw: Draw) -> Action:
    clause = draw.transitive() if draw.chance(0.7) else draw.intransitive()
    if clause.place is not None and clause.tense == "past":
        raise NothingFitsError
    if clause.subject in (Person("I"), Person("we")):  # who asks that knows the answer
        raise NothingFitsError
    return about_someone(clause)


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
    # "What did she eat?" does not say whether Chinese drinks it, as it does soup.
    if (
        verb.key == "eat"
        or verb.de_preposition
        or verb.en_after
        or verb.aspect == "state"
        or verb.case == "dat"
    ):
        raise NothingFitsError
    return replace(clause, object=Asked("what"))


def _where(draw: Draw) -> Action:
    clause = draw.intransitive()
    if not clause.verb.where or isinstance(clause.subject, Person):
        raise NothingFitsError
    return replace(about_someone(clause), place=Asked("where"), tense="present")
