"""Because-sentences: a main clause with two nouns, and a reason that fits only one of them.

Which of the two is right is drawn last but one, evenly and whatever the nouns are: neither the
place of a noun nor the noun itself tells anything; only the adjective does.
"""

from pellucid.garden.draw import PAST, Draw, NothingFitsError, attributes
from pellucid.garden.lexicon import Adjective, Noun, Reason, reasons
from pellucid.garden.plan import Action, Phrase, Place, Plan, Reference, State


def because(draw: Draw) -> Plan:
    """A because-sentence whose two candidates differ in German gender."""
    reason = draw.choice(reasons())
    subject = draw.choice(reason.subjects)
    preposition, other = draw.choice(reason.objects)
    animal_first = "animal" in subject.classes
    if subject.gender == other.gender:
        raise NothingFitsError
    main = _main(draw, reason, subject, (preposition, other))
    if not draw.keeps(main):
        raise NothingFitsError
    of_animal, of_thing = reason.of_animal, reason.of_thing
    first, second = (of_animal, of_thing) if animal_first else (of_thing, of_animal)
    # Both sides must be possible before one is drawn: else the choice would depend on the nouns.
    options = [_said(draw, subject, first), _said(draw, other, second)]
    if not all(options):
        raise NothingFitsError
    right = int(draw.chance(0.5))
    noun = (subject, other)[right]
    degree = "too" if reason.negated else "so"
    state = State(Reference(noun), draw.choice(options[right]), degree, past=True)
    roles = ["subject", "place.phrase" if preposition else "object"]
    return Plan(
        "because",
        main,
        "because",
        state,
        antecedent=roles[right],
        distractor=roles[1 - right],
    )


def _main(draw: Draw, reason: Reason, subject: Noun, other: tuple[str, Noun]) -> Action:
    preposition, noun = other
    who, what = _phrase(draw, subject), _phrase(draw, noun)
    timed = draw.chance(0.4)
    return Action(
        reason.verb,
        who,
        object=None if preposition else what,
        place=Place(preposition, what) if preposition else None,
        negated=reason.negated,
        time=draw.choice(PAST) if timed else "",
        time_first=timed,
    )


def _phrase(draw: Draw, noun: Noun) -> Phrase:
    """The noun with "the" or "this", an animal now and then with a harmless adjective."""
    determiner = "this" if draw.chance(0.2) else "the"
    colors = [a for a in attributes(noun) if a.absolute] if "animal" in noun.classes else []
    adjective = draw.choice(colors) if colors and draw.chance(0.3) else None
    return Phrase(noun, determiner, adjective=adjective)


def _said(draw: Draw, noun: Noun, adjectives: tuple[Adjective, ...]) -> list[Adjective]:
    """The adjectives that are true of the noun and, said of it, belong to this split."""
    return [a for a in adjectives if noun in a.of and draw.keeps(State(Reference(noun), a))]
