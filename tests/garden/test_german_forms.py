"""Authority: the paradigms of German grammar, written out by hand."""

import pytest

from pellucid.garden import german_forms as forms
from pellucid.garden.lexicon import adjectives, nouns, verbs
from pellucid.garden.outline import Phrase

PARADIGMS = [
    ("chair", "the", "der alte Stuhl, den alten Stuhl, dem alten Stuhl"),
    ("lamp", "the", "die alte Lampe, die alte Lampe, der alten Lampe"),
    ("bed", "the", "das alte Bett, das alte Bett, dem alten Bett"),
    ("chair", "a", "ein alter Stuhl, einen alten Stuhl, einem alten Stuhl"),
    ("lamp", "a", "eine alte Lampe, eine alte Lampe, einer alten Lampe"),
    ("bed", "my", "mein altes Bett, mein altes Bett, meinem alten Bett"),
    ("chair", "this", "dieser alte Stuhl, diesen alten Stuhl, diesem alten Stuhl"),
    ("bed", "this", "dieses alte Bett, dieses alte Bett, diesem alten Bett"),
]
PLURALS = [
    ("chair", "the", "die alten Stühle, die alten Stühle, den alten Stühlen"),
    ("lamp", "this", "diese alten Lampen, diese alten Lampen, diesen alten Lampen"),
    ("bed", "my", "meine alten Betten, meine alten Betten, meinen alten Betten"),
    ("radio", "no", "keine alten Radios, keine alten Radios, keinen alten Radios"),
    ("chair", "some", "einige alte Stühle, einige alte Stühle, einigen alten Stühlen"),
    ("lamp", "many", "viele alte Lampen, viele alte Lampen, vielen alten Lampen"),
    ("bed", "four", "vier alte Betten, vier alte Betten, vier alten Betten"),
]
OLD = next(a for a in adjectives() if a.name == "old" and nouns()["chair"] in a.of)
CASES = [(*row, False) for row in PARADIGMS] + [(*row, True) for row in PLURALS]


@pytest.mark.parametrize(("noun", "determiner", "expected", "plural"), CASES)
def test_articles_and_endings_agree(noun, determiner, expected, plural):
    phrase = Phrase(nouns()[noun], determiner, plural, OLD)
    gender = forms.column(phrase)
    message = []
    for case in ("nom", "acc", "dat"):
        article = forms.determiner_form(determiner, gender, case)
        adjective = forms.adjective_form(OLD, determiner, gender, case)
        message.append(f"{article} {adjective} {forms.noun_form(phrase, case)}")
    assert ", ".join(message) == expected


def test_without_an_article_the_adjective_shows_the_case():
    fresh = next(a for a in adjectives() if a.name == "fresh")
    message = {
        gender: [forms.adjective_form(fresh, "bare", gender, c) for c in ("nom", "acc", "dat")]
        for gender in ("m", "f", "n")
    }
    assert message == {
        "m": ["frischer", "frischen", "frischem"],
        "f": ["frische", "frische", "frischer"],
        "n": ["frisches", "frisches", "frischem"],
    }


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("read", "ich lese, sie liest, wir lesen, er las, wir lasen"),
        ("wait", "ich warte, sie wartet, wir warten, er wartete, wir warteten"),
        (
            "stroke",
            "ich streichle, sie streichelt, wir streicheln, er streichelte, wir streichelten",
        ),
        ("like", "ich mag, sie mag, wir mögen, er mochte, wir mochten"),
        ("know.that", "ich weiß, sie weiß, wir wissen, er wusste, wir wussten"),
        ("invite", "ich lade, sie lädt, wir laden, er lud, wir luden"),
    ],
)
def test_verbs_agree(verb, expected):
    v = verbs()[verb]
    present = [forms.present(v, who) for who in ("I", "one", "many")]
    message = [*present, forms.past(v, "one"), forms.past(v, "many")]
    pronouns = ("ich", "sie", "wir", "er", "wir")
    assert ", ".join(f"{p} {form}" for p, form in zip(pronouns, message, strict=True)) == expected


@pytest.mark.parametrize(
    ("name", "singular", "plural"),
    [
        ("boy", "Junge Jungen Jungen", "Jungen Jungen Jungen"),
        ("bear", "Bär Bären Bären", "Bären Bären Bären"),
        ("child", "Kind Kind Kind", "Kinder Kinder Kindern"),
        ("car", "Auto Auto Auto", "Autos Autos Autos"),
    ],
)
def test_nouns_by_case(name, singular, plural):
    for many, expected in ((False, singular), (True, plural)):
        phrase = Phrase(nouns()[name], plural=many)
        assert [forms.noun_form(phrase, c) for c in ("nom", "acc", "dat")] == expected.split()
