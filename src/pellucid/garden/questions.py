"""Questions: whether, who, what, where."""

from dataclasses import replace

from pellucid.garden.kinds import about_someone, state
from pellucid.garden.outline import Action, Outline, Person, Phrase, QuestionWord, State
from pellucid.garden.sampler import Sampler, SampleRejectedError


def question(sampler: Sampler) -> Outline:
    """Sample a question: yes or no, who, what, where."""
    ask = sampler.choice((_whether, _whether, _whether, _is_it, _who, _what, _where))
    return Outline("question", sampler.sample_in_split(lambda: ask(sampler)), question=True)


def _whether(sampler: Sampler) -> Action:
    clause = sampler.transitive() if sampler.chance(0.7) else sampler.intransitive()
    if clause.place is not None and clause.tense == "past":
        raise SampleRejectedError
    if clause.subject in (Person("I"), Person("we")):  # who asks that knows the answer
        raise SampleRejectedError
    return about_someone(clause)


def _is_it(sampler: Sampler) -> State:
    clause = state(sampler)
    return replace(clause, degree="")


def _who(sampler: Sampler) -> Action:
    clause = sampler.transitive()
    if "person" not in clause.verb.who[0].classes:
        raise SampleRejectedError
    return replace(clause, subject=QuestionWord("who"))


def _what(sampler: Sampler) -> Action:
    clause = _whether(sampler)
    thing, verb = clause.object, clause.verb
    if not isinstance(thing, Phrase) or thing.noun.classes & {"person", "animal"}:
        raise SampleRejectedError
    # "What did she eat?" does not say whether Chinese drinks it, as it does soup.
    if (
        verb.key == "eat"
        or verb.de_preposition
        or verb.en_after
        or verb.aspect == "state"
        or verb.case == "dat"
    ):
        raise SampleRejectedError
    return replace(clause, object=QuestionWord("what"))


def _where(sampler: Sampler) -> Action:
    clause = sampler.intransitive()
    if not clause.verb.where or isinstance(clause.subject, Person):
        raise SampleRejectedError
    return replace(about_someone(clause), place=QuestionWord("where"), tense="present")
