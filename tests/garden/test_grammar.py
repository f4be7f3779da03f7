"""What each language makes of an outline. Authority: the sentences, written by hand."""

import pytest

from pellucid.garden import Sentence, chinese, english, german
from pellucid.garden.lexicon import adjectives, nouns, verbs
from pellucid.garden.outline import (
    Action,
    Existence,
    Outline,
    Passive,
    Person,
    Phrase,
    Place,
    Reference,
    State,
)
from pellucid.garden.words import write_side


def the(noun: str, **more) -> Phrase:
    return Phrase(nouns()[noun], **more)


def is_so(noun: str, adjective: str, **more) -> State:
    return State(the(noun), next(a for a in adjectives() if a.name == adjective), **more)


def does(verb: str, subject: str, thing: str, **more) -> Action:
    return Action(verbs()[verb], the(subject), the(thing), **more)


def sewn_coat() -> Phrase:
    sewn = Action(verbs()["sew"], the("aunt"), Reference(nouns()["coat"]))
    return the("coat", relative=sewn, gap="object")


def lies(thing: str, place: str, preposition: str = "in") -> Existence:
    return Existence(the(thing, determiner="a"), Place(preposition, the(place)))


def build_outline(clause, **more) -> Outline:
    return Outline("by hand", clause, **more)


def realize(outline: Outline) -> Sentence:
    sides = {
        "en": write_side(english.sentence(outline), spaced=True),
        "de": write_side(german.sentence(outline), spaced=True),
        "zh": write_side(chinese.sentence(outline), spaced=False),
    }
    return Sentence(outline.kind, sides, None, outline.keys())


CASES = [
    # The German verb closes before a relative clause.
    (
        build_outline(Action(verbs()["put on"], Person("she"), sewn_coat())),
        "She put on the coat that the aunt sewed.",
        "Sie zog den Mantel an, den die Tante nähte.",
        "她穿上了阿姨缝的那件大衣。",
    ),
    # A cup stands on a table and lies in a suitcase.
    (
        build_outline(lies("cup", "suitcase")),
        "There is a cup in the suitcase.",
        "Im Koffer liegt eine Tasse.",
        "行李箱里有一个杯子。",
    ),
    (
        build_outline(lies("cup", "table", "on")),
        "There is a cup on the table.",
        "Auf dem Tisch steht eine Tasse.",
        "桌子上有一个杯子。",
    ),
    # What is no matter of degree is said with 是 … 的.
    (
        build_outline(is_so("bottle", "empty")),
        "The bottle is empty.",
        "Die Flasche ist leer.",
        "瓶子是空的。",
    ),
    (
        build_outline(is_so("carpet", "round"), question=True),
        "Is the carpet round?",
        "Ist der Teppich rund?",
        "地毯是圆的吗？",
    ),
    (
        build_outline(is_so("river", "deep")),
        "The river is deep.",
        "Der Fluss ist tief.",
        "河很深。",
    ),
    # 动物 alone would be animals in general; water comes without a cup.
    (
        build_outline(does("drink.animal", "animal", "water", negated=True)),
        "The animal didn't drink the water.",
        "Das Tier trank das Wasser nicht.",
        "那只动物没有喝那些水。",
    ),
    # Weak nouns, dative plural, separable prefixes, kein.
    (
        build_outline(does("call", "boy", "farmer", tense="future")),
        "The boy will call the farmer.",
        "Der Junge wird den Bauern anrufen.",
        "男孩会给农民打电话。",
    ),
    (
        build_outline(
            Action(verbs()["help"], Person("I"), the("child", plural=True), tense="present")
        ),
        "I am helping the children.",
        "Ich helfe den Kindern.",
        "我正在帮助那些孩子。",
    ),
    (
        build_outline(
            Action(verbs()["open"], Person("we"), the("door", determiner="a"), negated=True)
        ),
        "We didn't open a door.",
        "Wir machten keine Tür auf.",
        "我们没有打开门。",
    ),
    (
        build_outline(Passive(verbs()["bite"], the("king"), the("monkey"))),
        "The king was bitten by the monkey.",
        "Der König wurde vom Affen gebissen.",
        "国王被猴子咬了。",
    ),
]


@pytest.mark.parametrize(("outline", "en", "de", "zh"), CASES, ids=[c[1] for c in CASES])
def test_a_plan_is_said_as_people_say_it(outline, en, de, zh):
    assert [s.text for s in realize(outline).sides.values()] == [en, de, zh]


def test_words_are_aligned_as_a_translator_would():
    s = realize(CASES[0][0])
    en, de, zh = (s.sides[language].words for language in ("en", "de", "zh"))
    german_links = {(en[i], de[j]) for i, j in s.alignment("en", "de")}
    assert german_links == {
        *(("She", "Sie"), ("put", "zog"), ("put", "an"), ("on", "zog"), ("on", "an")),
        *(("the", "den"), ("coat", "Mantel"), ("that", "den"), ("the", "die")),
        *(("aunt", "Tante"), ("sewed", "nähte"), (".", ".")),
    }
    chinese_links = {(en[i], zh[j]) for i, j in s.alignment("en", "zh")}
    assert {("She", "她"), ("put", "穿上"), ("put", "了"), ("that", "的")} < chinese_links
    assert {("the", "那"), ("the", "件"), ("aunt", "阿姨"), ("sewed", "缝")} < chinese_links
