"""Chinese sentences from outlines: measure words, aspect, words before the verb, 把 被 给 的."""

from pellucid.garden.chinese_words import (
    DEGREES,
    LOCATIONS,
    MODALS,
    OFTEN,
    PERSONS,
    TIMES,
    determiner,
)
from pellucid.garden.outline import (
    Action,
    Both,
    Clause,
    Comparison,
    Existence,
    Outline,
    Passive,
    Person,
    Phrase,
    Place,
    QuestionWord,
    Reference,
    State,
    Subject,
)
from pellucid.garden.words import Word


def sentence(outline: Outline) -> list[Word]:
    """Return the words of an outline, in order."""
    end = Word("？" if outline.question else "。", ("end",))
    if outline.question:
        # 深吗, not 很深吗: the degree is what is asked.
        words = [w for w in _clause(outline.first, "1.") if w != Word("很", ("1.verb",))]
        has_question_word = isinstance(outline.first, Action) and any(
            isinstance(part, QuestionWord)
            for part in (outline.first.subject, outline.first.object, outline.first.place)
        )
        return [*words, end] if has_question_word else [*words, Word("吗", ("question",)), end]
    if outline.second is None:
        return [*_clause(outline.first, "1."), end]
    return [*_joined(outline), end]


def _joined(outline: Outline) -> list[Word]:
    assert outline.second is not None
    first, joint, comma = _clause(outline.first, "1."), ("conjunction",), Word("，", ("comma",))
    if outline.conjunction in ("while", "when"):
        # The time comes first, and its clause carries no aspect of its own.
        time = _clause(outline.second, "2.", aspect=False)
        return [*time, Word("的时候", joint), comma, *first]
    second = _clause(outline.second, "2.")
    match outline.conjunction:
        case "although":
            return [Word("虽然", joint), *second, comma, Word("但是", joint), *first]
        case "that":
            return [*first, *second]
        case "and":
            return [*first, Word("，", joint), *second]
        case "but":
            return [*first, comma, Word("但是", joint), *second]
    return [*first, comma, Word("因为", joint), *second]


def _clause(clause: Clause, path: str, aspect: bool = True) -> list[Word]:
    subject = _subject(clause.subject, path + "subject")
    match clause:
        case State():
            return [*subject, *_state(clause, path)]
        case Comparison():
            than = Word("比", (path + "than",))
            other = _phrase(clause.than, path + "other")
            return [*subject, than, *other, Word(clause.adjective.zh, (path + "adjective",))]
        case Existence():
            place = _location(clause.place, path + "place")
            return [*place, Word("有", (path + "verb",)), *subject]
        case Passive():
            agent = [Word("被", (path + "passive", path + "by"))]
            agent += _phrase(clause.agent, path + "agent")
            done = [Word(clause.verb.done, (path + "verb",)), Word("了", (path + "passive",))]
            return [*subject, *agent, *done]
        case Action():
            time = [Word(TIMES[clause.time], (path + "time",))] if clause.time else []
            predicate = _action(clause, path, aspect)
            if clause.time_first:
                return [*time, *subject, *predicate]
            return [*subject, *time, *predicate]
    raise AssertionError(clause)


def _state(clause: State, path: str) -> list[Word]:
    adjective = Word(clause.adjective.zh, (path + "adjective",))
    no = [Word("不", (path + "not",))] if clause.negated else []
    verb = path + "verb"
    if clause.adjective.absolute:
        return [*no, Word("是", (verb,)), adjective, Word("的", (verb,))]
    if clause.negated and not clause.degree:
        return [*no, adjective]
    parts = path + "degree" if clause.degree else verb
    words = [*no, Word(DEGREES[clause.degree], (parts,)), adjective]
    return [*words, Word("了", (parts,))] if clause.degree == "too" else words


def _action(clause: Action, path: str, aspect: bool) -> list[Word]:
    """Return the words after subject and time."""
    words = [Word(OFTEN[clause.often], (path + "often",))] if clause.often else []
    place, verb = clause.place, clause.verb
    auxiliary = _auxiliary(clause) if aspect else []
    words += [Word(text, tuple(path + s for s in parts)) for text, parts in auxiliary]
    if verb.key in ("put", "hang", "hide"):
        return [*words, *_putting(clause, path, aspect)]
    after = verb.aspect in ("posture", "dwell")
    if place is not None and not after:
        # 正在 and the 在 of a place are one: 猫正在桌子下面睡觉.
        if words and words[-1].text == "正在":
            words[-1] = Word("正在", (*words[-1].parts, path + "place.on"))
        else:
            words.append(Word("在", (path + "place.on",)))
        words += _where(place, path)
    marked = aspect and _is_completed(clause)
    words += _core(clause, path, marked)
    if place is not None and after:
        words += [Word("在", (path + "place.on",)), *_where(place, path)]
    return words


def _auxiliary(clause: Action) -> list[tuple[str, tuple[str, ...]]]:
    """Return the words before the verb for tense, mood and negation, each with its parts."""
    verb, no = clause.verb, [("不", ("not",))] if clause.negated else []
    if clause.modal:
        return [*no, (MODALS[clause.modal], ("modal",))]
    if clause.tense == "future":
        return [*no, ("会", ("tense",))]
    if clause.tense == "past":
        return [("没有", ("not",))] if no else []
    if verb.aspect in ("act", "lasting") and not clause.often:
        asks_where = isinstance(clause.place, QuestionWord)
        return [] if asks_where else [("正在", ("tense",))]
    return no


def _is_completed(clause: Action) -> bool:
    """Return whether 了 marks the verb: a past event that happened, not a state that lasted."""
    if clause.tense != "past" or clause.negated or clause.modal:
        return False
    return clause.verb.aspect in ("act", "event") and clause.place is None


def _core(clause: Action, path: str, marked: bool) -> list[Word]:
    """Return verb and objects. If the verb has "给 ~", the person comes before the verb."""
    parts, verb = path + "verb", clause.verb
    past = clause.tense == "past" and not clause.modal
    before, slot, bare = (verb.done if past else verb.zh).rpartition("~")
    main, *rest = bare.split()
    words = [Word(w, (path + "to",)) for w in before.split()[:1]] if slot else []
    le = [Word("了", (path + "tense",))] if marked else []
    thing = [] if clause.object is None else _object(clause, path)
    if clause.recipient:
        person = _phrase(clause.recipient, path + "recipient")
        if slot:
            return [*words, *person, Word(main, (parts,)), *le, *thing]
        return [Word(main, (parts,)), *le, *person, *thing]
    if slot:
        person = _subject(clause.object, path + "object") if clause.object else []
        end = [Word(w, (parts,)) for w in rest]
        return [*words, *person, Word(main, (parts,)), *le, *end]
    return [Word(main, (parts,)), *le, *thing]


def _object(clause: Action, path: str) -> list[Word]:
    thing = clause.object
    if isinstance(thing, QuestionWord):
        return [Word("什么", (path + "question_word",))]
    if thing is None or isinstance(thing, Reference):
        return []
    if isinstance(thing, Phrase) and clause.negated and thing.determiner == "a":
        return _phrase(thing, path + "object", bare=True)
    # A relative clause before its noun is heavy enough: inside it objects stay bare.
    return _subject(thing, path + "object", after=".relative." not in path)


def _putting(clause: Action, path: str, aspect: bool) -> list[Word]:
    """Return 把 with the object, the verb, and the place."""
    assert isinstance(clause.object, Phrase)
    assert isinstance(clause.place, Place)
    thing = [Word("把", (path + "take",)), *_phrase(clause.object, path + "object")]
    verb = [Word(clause.verb.zh, (path + "verb",)), Word("在", (path + "place.on",))]
    if aspect and clause.tense == "past" and not clause.negated and not clause.modal:
        verb.append(Word("了", (path + "tense",)))
    return [*thing, *verb, *_location(clause.place, path + "place")]


def _where(place: Place | QuestionWord, path: str) -> list[Word]:
    if isinstance(place, QuestionWord):
        return [Word("哪里", (path + "question_word",))]
    return _location(place, path + "place")


def _location(place: Place, path: str) -> list[Word]:
    words = _phrase(place.phrase, path + ".phrase")
    if location := LOCATIONS[place.preposition]:
        words.append(Word(location, (path + ".on",)))
    return words


def _subject(subject: Subject, path: str, after: bool = False) -> list[Word]:
    match subject:
        case Person():
            return [Word(PERSONS[subject.word], (path + ".noun",))]
        case Reference():
            # 它 for a thing would sound odd: the noun is repeated.
            animal = "animal" in subject.noun.classes
            return [Word("它" if animal else subject.noun.zh, (path + ".noun",))]
        case Both():
            joint = Word("和", (path + ".and",))
            first = _phrase(subject.first, path + ".first", after)
            return [*first, joint, *_phrase(subject.second, path + ".second", after)]
        case Phrase():
            return _phrase(subject, path, after)
    return [Word("谁", (path.removesuffix("subject") + "question_word",))]


def _phrase(phrase: Phrase, path: str, after: bool = False, bare: bool = False) -> list[Word]:
    """Return a noun phrase; "the" is 那 after the verb or before a modified noun, else empty."""
    noun = Word(phrase.noun.zh, (path + ".noun",))
    determiners = [] if bare else determiner(phrase, after)
    words = [Word(text, (path + ".determiner",)) for text in determiners]
    if phrase.adjective:
        words += [Word(w, (path + ".adjective",)) for w in phrase.adjective.zh_attributive]
    if phrase.relative is None:
        return [*words, noun]
    inner = path + ".relative."
    clause = phrase.relative
    relative = _action(clause, inner, aspect=phrase.gap == "subject")
    if phrase.gap != "subject":
        relative = [*_subject(clause.subject, inner + "subject"), *relative]
    return [*relative, Word("的", (inner + "that",)), *words, noun]
