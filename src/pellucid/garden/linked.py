"""Sentences of two clauses, or with a clause inside a phrase."""

from dataclasses import replace

from pellucid.garden.kinds import state
from pellucid.garden.lexicon import Noun
from pellucid.garden.outline import Action, Both, Outline, Phrase, Place, Reference, State
from pellucid.garden.sampler import UNWILLED, NothingFitsError, Sampler, differ, predicates

# "Although" joins what is quiet with what disturbs it, "when" what was done with what happened.
_QUIET = ("sleep", "read", "write", "work", "lie")
_LOUD = ("bark", "sing", "cry", "laugh", "dance", "play")
_HAPPENINGS = ("arrive", "wake", "fall asleep", "fall", "come back", "run away")


def coordination(sampler: Sampler) -> Outline:
    """Two phrases with "and", or two clauses with "and" or "but"."""
    if sampler.chance(0.5):
        return Outline("coordination", sampler.sample_in_split(lambda: _joined_phrases(sampler)))
    if sampler.chance(0.5):
        first = _doing(sampler, "past")
        second = replace(_doing(sampler, "past", (first.verb.key,)), negated=True)
        _apart(first, second)
        return Outline("coordination", first, "but", second)
    first, second = _doing(sampler, "present"), _doing(sampler, "present")
    _apart(first, second)
    return Outline("coordination", first, "and", second)


def subordinate(sampler: Sampler) -> Outline:
    """A clause with that, although, while or when: the German verb goes last."""
    word = sampler.choice(("that", "that", "although", "while", "when"))
    if word == "that":
        return _that(sampler)
    if word == "when":
        first, second = _doing(sampler, "past"), _doing(sampler, "past", _HAPPENINGS)
    elif word == "although":
        first, second = _doing(sampler, "present", _QUIET), _doing(sampler, "present", _LOUD)
    else:
        first, second = _doing(sampler, "present"), _doing(sampler, "present")
    _apart(first, second)
    return Outline("subordinate", first, word, second, fronted=sampler.chance(0.4))


def relative(sampler: Sampler) -> Outline:
    """A phrase with a relative clause: behind the noun, before it in Chinese."""
    inner = sampler.sample_in_split(lambda: _plain(sampler.transitive(), "past"))
    gap = sampler.choice(("subject", "object"))
    head = inner.subject if gap == "subject" else inner.object
    if not isinstance(head, Phrase) or head.noun.mass:
        raise NothingFitsError
    # "The nurse whom the bear bit" would be a 被 in Chinese.
    if gap == "object" and (
        inner.verb.de_preposition or inner.verb.key in ("call", "bite", "frighten")
    ):
        raise NothingFitsError
    plural = "single" not in head.noun.classes and sampler.chance(0.25)
    reference = Reference(head.noun, plural)
    if gap == "subject":
        inner = replace(inner, subject=reference)
    else:
        inner = replace(inner, object=reference)
    if gap == "object" and _either_way(head.noun, plural, inner):
        raise NothingFitsError
    head = Phrase(head.noun, "the", plural, relative=inner, gap=gap)
    if gap == "object" and sampler.chance(0.4):
        return Outline("relative", sampler.sample_in_split(lambda: _seeing(sampler, head)))
    return Outline("relative", sampler.sample_in_split(lambda: _predicated(sampler, head)))


def _either_way(noun: Noun, plural: bool, clause: Action) -> bool:
    """Whether German leaves open who acts on whom: "die Frau, die das Kind traf"."""
    subject = clause.subject
    assert isinstance(subject, Phrase)
    is_marked = clause.verb.case == "dat" or subject.plural != plural
    masculine = not plural and "m" in (noun.gender, subject.noun.gender)
    return bool(noun.classes & {"person", "animal"}) and not is_marked and not masculine


def _that(sampler: Sampler) -> Outline:
    verb = sampler.verb("that")
    main = sampler.sample_in_split(lambda: Action(verb, sampler.subject(verb.who), tense="present"))
    if verb.key == "hope":
        second = sampler.sample_in_split(lambda: _hoped(sampler))
    elif sampler.chance(0.3):
        second = sampler.sample_in_split(lambda: state(sampler))
    else:
        second = _doing(sampler, sampler.choice(("past", "present")))
    _apart(main, second)
    return Outline("subordinate", main, "that", second)


def _hoped(sampler: Sampler) -> Action:
    clause = _doing(sampler, "future")
    if clause.verb.name in UNWILLED:
        raise NothingFitsError
    return clause


def _doing(sampler: Sampler, tense: str, keys: tuple[str, ...] = ()) -> Action:
    """Someone definite does something, in this tense, with one of these verbs if given."""

    def make() -> Action:
        clause = sampler.transitive() if sampler.chance(0.6) else sampler.intransitive()
        if keys and clause.verb.key not in keys:
            raise NothingFitsError
        return _plain(clause, tense)

    return sampler.sample_in_split(make)


def _plain(clause: Action, tense: str) -> Action:
    """The clause in another tense, its subject made definite; refused where that sounds odd."""
    aspect, subject, thing = clause.verb.aspect, clause.subject, clause.object
    natural = {
        "present": ("act", "lasting", "posture"),
        "past": ("act", "event"),
        "future": ("act", "event"),
    }
    if aspect not in natural[tense] or (tense == "past" and clause.place is not None):
        raise NothingFitsError
    if not isinstance(subject, Phrase):
        raise NothingFitsError
    subject = Phrase(subject.noun, "the", subject.plural and subject.determiner == "the")
    if isinstance(thing, Phrase) and thing.determiner not in ("the", "a", "bare"):
        thing = Phrase(thing.noun, "the")
    return replace(clause, subject=subject, object=thing, tense=tense)


def _joined_phrases(sampler: Sampler) -> Action:
    if sampler.chance(0.5):
        clause = sampler.intransitive()
        options = clause.verb.who
        one, other = (
            sampler.definite(sampler.choice(options)),
            sampler.definite(sampler.choice(options)),
        )
        _alike(one, other)
        if clause.verb.aspect not in ("act", "posture", "dwell"):
            raise NothingFitsError
        return replace(clause, subject=Both(one, other), tense="present")
    clause = sampler.transitive()
    nouns = [n for n in clause.verb.what if not n.mass]
    one, other = (Phrase(sampler.choice(nouns), "a") for _ in range(2))
    _alike(one, other)
    differ(clause.subject, one, other)
    if clause.verb.aspect == "state" or clause.verb.case == "dat" or clause.verb.key in ("call",):
        raise NothingFitsError
    return replace(_plain(clause, "past"), object=Both(one, other))


def _alike(one: Phrase, other: Phrase) -> None:
    """Refuse what no one would join: a dog and an animal, a window and a sack."""
    differ(one, other)
    if "animal" in (one.noun.name, other.noun.name) or not one.noun.classes & other.noun.classes:
        raise NothingFitsError


def _predicated(sampler: Sampler, head: Phrase) -> State | Action:
    """What the noun with the relative clause is or does."""
    if sampler.chance(0.5):
        return State(head, sampler.choice(predicates(head.noun)))
    clause = sampler.intransitive()
    if head.noun not in clause.verb.who or clause.verb.aspect not in ("act", "posture"):
        raise NothingFitsError
    assert head.relative is not None
    if isinstance(clause.place, Place):
        differ(clause.place.phrase, head.relative.subject, head.relative.object)
    return replace(clause, subject=head, tense="present")


def _seeing(sampler: Sampler, head: Phrase) -> Action:
    """What someone does with the thing of the relative clause."""
    clause = _plain(sampler.transitive(), "past")
    assert head.relative is not None
    if head.noun not in clause.verb.what or clause.verb.key == head.relative.verb.key:
        raise NothingFitsError
    differ(clause.subject, head, head.relative.subject)
    return replace(clause, object=head)


def _apart(first: Action, second: Action | State) -> None:
    """Refuse two clauses about one noun: it would call for a pronoun."""
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
                    raise NothingFitsError
                seen.add(part.noun)
