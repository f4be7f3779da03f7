"""Because-sentences: a main clause with two nouns, and a reason that fits only one of them.

Which of the two is right is sampled evenly, whatever the nouns are: neither the position of a noun
nor the noun itself gives it away; only the adjective does.
"""

from pellucid.garden.lexicon import Adjective, Noun, Reason, reasons
from pellucid.garden.outline import Action, Outline, Phrase, Place, Reference, State
from pellucid.garden.sampler import PAST, Sampler, SampleRejectedError, attributes


def because(sampler: Sampler) -> Outline:
    """Sample a because-sentence whose two candidates differ in German gender."""
    reason = sampler.choice(reasons())
    subject = sampler.choice(reason.subjects)
    preposition, other = sampler.choice(reason.objects)
    animal_first = "animal" in subject.classes
    if subject.gender == other.gender:
        raise SampleRejectedError
    main = _main(sampler, reason, subject, (preposition, other))
    if not sampler.is_in_split(main):
        raise SampleRejectedError
    of_animal, of_thing = reason.of_animal, reason.of_thing
    first, second = (of_animal, of_thing) if animal_first else (of_thing, of_animal)
    # Both must be possible before one is sampled; otherwise the choice would depend on the nouns.
    options = [_true_adjectives(sampler, subject, first), _true_adjectives(sampler, other, second)]
    if not all(options):
        raise SampleRejectedError
    right = int(sampler.chance(0.5))
    noun = (subject, other)[right]
    degree = "too" if reason.negated else "so"
    state = State(Reference(noun), sampler.choice(options[right]), degree, past=True)
    roles = ["subject", "place.phrase" if preposition else "object"]
    return Outline(
        "because",
        main,
        "because",
        state,
        antecedent=roles[right],
        distractor=roles[1 - right],
    )


def _main(sampler: Sampler, reason: Reason, subject: Noun, other: tuple[str, Noun]) -> Action:
    preposition, noun = other
    who, what = _phrase(sampler, subject), _phrase(sampler, noun)
    timed = sampler.chance(0.4)
    return Action(
        reason.verb,
        who,
        object=None if preposition else what,
        place=Place(preposition, what) if preposition else None,
        negated=reason.negated,
        time=sampler.choice(PAST) if timed else "",
        time_first=timed,
    )


def _phrase(sampler: Sampler, noun: Noun) -> Phrase:
    """Return the noun with "the" or "this"; an animal sometimes gets a harmless adjective."""
    determiner = "this" if sampler.chance(0.2) else "the"
    colors = [a for a in attributes(noun) if a.absolute] if "animal" in noun.classes else []
    adjective = sampler.choice(colors) if colors and sampler.chance(0.3) else None
    return Phrase(noun, determiner, adjective=adjective)


def _true_adjectives(
    sampler: Sampler, noun: Noun, adjectives: tuple[Adjective, ...]
) -> list[Adjective]:
    """Return the adjectives that are true of the noun in a clause of this split."""
    return [
        a for a in adjectives if noun in a.of and sampler.is_in_split(State(Reference(noun), a))
    ]
