"""Sample sentences of two clauses, or with a relative clause."""

from dataclasses import replace

from pellucid.garden.kinds import state
from pellucid.garden.lexicon import Noun
from pellucid.garden.outline import Action, Both, Outline, Phrase, Place, Reference, State
from pellucid.garden.sampler import (
    UNINTENDED_VERBS,
    Sampler,
    SampleRejectedError,
    check_distinct_nouns,
    predicates,
)

# "Although" joins a quiet activity with a loud one, "when" an action with an event.
_QUIET = ("sleep", "read", "write", "work", "lie")
_LOUD = ("bark", "sing", "cry", "laugh", "dance", "play")
_EVENTS = ("arrive", "wake", "fall asleep", "fall", "come back", "run away")


def coordination(sampler: Sampler) -> Outline:
    """Sample two phrases joined by "and", or two clauses joined by "and" or "but"."""
    if sampler.chance(0.5):
        return Outline(
            "coordination", sampler.sample_in_split(lambda: _sample_joined_phrases(sampler))
        )
    if sampler.chance(0.5):
        first = _sample_action(sampler, "past")
        second = replace(_sample_action(sampler, "past", (first.verb.key,)), negated=True)
        _check_no_shared_noun(first, second)
        return Outline("coordination", first, "but", second)
    first, second = _sample_action(sampler, "present"), _sample_action(sampler, "present")
    _check_no_shared_noun(first, second)
    return Outline("coordination", first, "and", second)


def subordinate(sampler: Sampler) -> Outline:
    """Sample a clause with that, although, while or when; in German its verb is last."""
    word = sampler.choice(("that", "that", "although", "while", "when"))
    if word == "that":
        return _sample_that_clause(sampler)
    if word == "when":
        first, second = _sample_action(sampler, "past"), _sample_action(sampler, "past", _EVENTS)
    elif word == "although":
        first, second = (
            _sample_action(sampler, "present", _QUIET),
            _sample_action(sampler, "present", _LOUD),
        )
    else:
        first, second = _sample_action(sampler, "present"), _sample_action(sampler, "present")
    _check_no_shared_noun(first, second)
    return Outline("subordinate", first, word, second, fronted=sampler.chance(0.4))


def relative(sampler: Sampler) -> Outline:
    """Sample a phrase with a relative clause, which in Chinese stands before the noun."""
    inner = sampler.sample_in_split(lambda: _simplify(sampler.transitive(), "past"))
    gap = sampler.choice(("subject", "object"))
    head = inner.subject if gap == "subject" else inner.object
    if not isinstance(head, Phrase) or head.noun.mass:
        raise SampleRejectedError
    # "The nurse whom the bear bit" would be a 被 in Chinese.
    if gap == "object" and (
        inner.verb.de_preposition or inner.verb.key in ("call", "bite", "frighten")
    ):
        raise SampleRejectedError
    plural = "single" not in head.noun.classes and sampler.chance(0.25)
    reference = Reference(head.noun, plural)
    if gap == "subject":
        inner = replace(inner, subject=reference)
    else:
        inner = replace(inner, object=reference)
    if gap == "object" and _is_ambiguous_in_german(head.noun, plural, inner):
        raise SampleRejectedError
    head = Phrase(head.noun, "the", plural, relative=inner, gap=gap)
    if gap == "object" and sampler.chance(0.4):
        return Outline(
            "relative", sampler.sample_in_split(lambda: _sample_with_object(sampler, head))
        )
    return Outline("relative", sampler.sample_in_split(lambda: _sample_with_subject(sampler, head)))


def _is_ambiguous_in_german(noun: Noun, plural: bool, clause: Action) -> bool:
    """Return whether German forms leave the subject open: "die Frau, die das Kind traf"."""
    subject = clause.subject
    assert isinstance(subject, Phrase)
    is_marked = clause.verb.case == "dat" or subject.plural != plural
    masculine = not plural and "m" in (noun.gender, subject.noun.gender)
    return bool(noun.classes & {"person", "animal"}) and not is_marked and not masculine


def _sample_that_clause(sampler: Sampler) -> Outline:
    verb = sampler.verb("that")
    main = sampler.sample_in_split(lambda: Action(verb, sampler.subject(verb.who), tense="present"))
    if verb.key == "hope":
        second = sampler.sample_in_split(lambda: _sample_hoped(sampler))
    elif sampler.chance(0.3):
        second = sampler.sample_in_split(lambda: state(sampler))
    else:
        second = _sample_action(sampler, sampler.choice(("past", "present")))
    _check_no_shared_noun(main, second)
    return Outline("subordinate", main, "that", second)


def _sample_hoped(sampler: Sampler) -> Action:
    clause = _sample_action(sampler, "future")
    if clause.verb.name in UNINTENDED_VERBS:
        raise SampleRejectedError
    return clause


def _sample_action(sampler: Sampler, tense: str, keys: tuple[str, ...] = ()) -> Action:
    """Sample an action of a definite subject in this tense; keys: allowed verbs, () for all."""

    def make() -> Action:
        clause = sampler.transitive() if sampler.chance(0.6) else sampler.intransitive()
        if keys and clause.verb.key not in keys:
            raise SampleRejectedError
        return _simplify(clause, tense)

    return sampler.sample_in_split(make)


def _simplify(clause: Action, tense: str) -> Action:
    """Return the clause in another tense with a definite subject.

    Raises: SampleRejectedError if the result would be unnatural.
    """
    aspect, subject, thing = clause.verb.aspect, clause.subject, clause.object
    natural = {
        "present": ("act", "lasting", "posture"),
        "past": ("act", "event"),
        "future": ("act", "event"),
    }
    if aspect not in natural[tense] or (tense == "past" and clause.place is not None):
        raise SampleRejectedError
    if not isinstance(subject, Phrase):
        raise SampleRejectedError
    subject = Phrase(subject.noun, "the", subject.plural and subject.determiner == "the")
    if isinstance(thing, Phrase) and thing.determiner not in ("the", "a", "bare"):
        thing = Phrase(thing.noun, "the")
    return replace(clause, subject=subject, object=thing, tense=tense)


def _sample_joined_phrases(sampler: Sampler) -> Action:
    if sampler.chance(0.5):
        clause = sampler.intransitive()
        options = clause.verb.who
        one, other = (
            sampler.definite(sampler.choice(options)),
            sampler.definite(sampler.choice(options)),
        )
        _check_same_class(one, other)
        if clause.verb.aspect not in ("act", "posture", "dwell"):
            raise SampleRejectedError
        return replace(clause, subject=Both(one, other), tense="present")
    clause = sampler.transitive()
    nouns = [n for n in clause.verb.what if not n.mass]
    one, other = (Phrase(sampler.choice(nouns), "a") for _ in range(2))
    _check_same_class(one, other)
    check_distinct_nouns(clause.subject, one, other)
    if clause.verb.aspect == "state" or clause.verb.case == "dat" or clause.verb.key in ("call",):
        raise SampleRejectedError
    return replace(_simplify(clause, "past"), object=Both(one, other))


def _check_same_class(one: Phrase, other: Phrase) -> None:
    """Reject phrases that are not joined by "and": a dog and an animal, a window and a sack."""
    check_distinct_nouns(one, other)
    if "animal" in (one.noun.name, other.noun.name) or not one.noun.classes & other.noun.classes:
        raise SampleRejectedError


def _sample_with_subject(sampler: Sampler, head: Phrase) -> State | Action:
    """Sample a main clause whose subject is the phrase with the relative clause."""
    if sampler.chance(0.5):
        return State(head, sampler.choice(predicates(head.noun)))
    clause = sampler.intransitive()
    if head.noun not in clause.verb.who or clause.verb.aspect not in ("act", "posture"):
        raise SampleRejectedError
    assert head.relative is not None
    if isinstance(clause.place, Place):
        check_distinct_nouns(clause.place.phrase, head.relative.subject, head.relative.object)
    return replace(clause, subject=head, tense="present")


def _sample_with_object(sampler: Sampler, head: Phrase) -> Action:
    """Sample a main clause whose object is the phrase with the relative clause."""
    clause = _simplify(sampler.transitive(), "past")
    assert head.relative is not None
    if head.noun not in clause.verb.what or clause.verb.key == head.relative.verb.key:
        raise SampleRejectedError
    check_distinct_nouns(clause.subject, head, head.relative.subject)
    return replace(clause, object=head)


def _check_no_shared_noun(first: Action, second: Action | State) -> None:
    """Reject two clauses with a common noun: the second one would need a pronoun."""
    seen: set[Noun] = set()
    for clause in (first, second):
        parts = [clause.subject]
        if isinstance(clause, Action):
            parts += [clause.object]
            if isinstance(clause.place, Place):
                parts += [clause.place.phrase]
        for part in parts:
            if isinstance(part, Phrase):
                if part.noun in seen:
                    raise SampleRejectedError
                seen.add(part.noun)
