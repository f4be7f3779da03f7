"""Sentences of two clauses, or with a clause inside a phrase."""

from dataclasses import replace

from pellucid.garden.draw import UNWILLED, Draw, NothingFitsError, differ, predicates
from pellucid.garden.kinds import state
from pellucid.garden.lexicon import Noun
from pellucid.garden.plan import Action, Both, Phrase, Place, Plan, Reference, State

# "Although" joins what is quiet with what disturbs it, "when" what was done with what happened.
_QUIET = ("sleep", "read", "write", "work", "lie")
_LOUD = ("bark", "sing", "cry", "laugh", "dance", "play")
_HAPPENINGS = ("arrive", "wake", "fall asleep", "fall", "come back", "run away")


def coordination(draw: Draw) -> Plan:
    """Two phrases with "and", or two clauses with "and" or "but"."""
    if draw.chance(0.5):
        return Plan("coordination", draw.until_kept(lambda: _joined_phrases(draw)))
    if draw.chance(0.5):
        first = _doing(draw, "past")
        second = replace(_doing(draw, "past", (first.verb.key,)), negated=True)
        _apart(first, second)
        return Plan("coordination", first, "but", second)
    first, second = _doing(draw, "present"), _doing(draw, "present")
    _apart(first, second)
    return Plan("coordination", first, "and", second)


def subordinate(draw: Draw) -> Plan:
    """A clause with that, although, while or when: the German verb goes last."""
    word = draw.choice(("that", "that", "although", "while", "when"))
    if word == "that":
        return _that(draw)
    if word == "when":
        first, second = _doing(draw, "past"), _doing(draw, "past", _HAPPENINGS)
    elif word == "although":
        first, second = _doing(draw, "present", _QUIET), _doing(draw, "present", _LOUD)
    else:
        first, second = _doing(draw, "present"), _doing(draw, "present")
    _apart(first, second)
    return Plan("subordinate", first, word, second, fronted=draw.chance(0.4))


def relative(draw: Draw) -> Plan:
    """A phrase with a relative clause: behind the noun, before it in Chinese."""
    inner = draw.until_kept(lambda: _plain(draw.transitive(), "past"))
    gap = draw.choice(("subject", "object"))
    head = inner.subject if gap == "subject" else inner.object
    if not isinstance(head, Phrase) or head.noun.mass:
        raise NothingFitsError
    # "The nurse whom the bear bit" would be a 被 in Chinese.
    if gap == "object" and (
        inner.verb.de_preposition or inner.verb.key in ("call", "bite", "frighten")
    ):
        raise NothingFitsError
    plural = "single" not in head.noun.classes and draw.chance(0.25)
    reference = Reference(head.noun, plural)
    if gap == "subject":
        inner = replace(inner, subject=reference)
    else:
        inner = replace(inner, object=reference)
    if gap == "object" and _either_way(head.noun, plural, inner):
        raise NothingFitsError
    head = Phrase(head.noun, "the", plural, relative=inner, gap=gap)
    if gap == "object" and draw.chance(0.4):
        return Plan("relative", draw.until_kept(lambda: _seeing(draw, head)))
    return Plan("relative", draw.until_kept(lambda: _said_of(draw, head)))


def _either_way(noun: Noun, plural: bool, clause: Action) -> bool:
    """Whether German would not tell who does it to whom: "die Frau, die das Kind traf"."""
    subject = clause.subject
    assert isinstance(subject, Phrase)
    told = clause.verb.case == "dat" or subject.plural != plural
    masculine = not plural and "m" in (noun.gender, subject.noun.gender)
    return bool(noun.classes & {"person", "animal"}) and not told and not masculine


def _that(draw: Draw) -> Plan:
    verb = draw.verb("that")
    main = draw.until_kept(lambda: Action(verb, draw.subject(verb.who), tense="present"))
    if verb.key == "hope":
        second = draw.until_kept(lambda: _hoped(draw))
    elif draw.chance(0.3):
        second = draw.until_kept(lambda: state(draw))
    else:
        second = _doing(draw, draw.choice(("past", "present")))
    _apart(main, second)
    return Plan("subordinate", main, "that", second)


def _hoped(draw: Draw) -> Action:
    clause = _doing(draw, "future")
    if clause.verb.name in UNWILLED:
        raise NothingFitsError
    return clause


def _doing(draw: Draw, tense: str, keys: tuple[str, ...] = ()) -> Action:
    """Someone definite does something, in this tense, with one of these verbs if given."""

    def make() -> Action:
        clause = draw.transitive() if draw.chance(0.6) else draw.intransitive()
        if keys and clause.verb.key not in keys:
            raise NothingFitsError
        return _plain(clause, tense)

    return draw.until_kept(make)


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


def _joined_phrases(draw: Draw) -> Action:
    if draw.chance(0.5):
        clause = draw.intransitive()
        options = clause.verb.who
        one, other = draw.definite(draw.choice(options)), draw.definite(draw.choice(options))
        _alike(one, other)
        if clause.verb.aspect not in ("act", "posture", "dwell"):
            raise NothingFitsError
        return replace(clause, subject=Both(one, other), tense="present")
    clause = draw.transitive()
    nouns = [n for n in clause.verb.what if not n.mass]
    one, other = (Phrase(draw.choice(nouns), "a") for _ in range(2))
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


def _said_of(draw: Draw, head: Phrase) -> State | Action:
    """What the noun with the relative clause is or does."""
    if draw.chance(0.5):
        return State(head, draw.choice(predicates(head.noun)))
    clause = draw.intransitive()
    if head.noun not in clause.verb.who or clause.verb.aspect not in ("act", "posture"):
        raise NothingFitsError
    assert head.relative is not None
    if isinstance(clause.place, Place):
        differ(clause.place.phrase, head.relative.subject, head.relative.object)
    return replace(clause, subject=head, tense="present")


def _seeing(draw: Draw, head: Phrase) -> Action:
    """What someone does with the thing of the relative clause."""
    clause = _plain(draw.transitive(), "past")
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
