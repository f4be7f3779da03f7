"""ROUGE. Authority: the package rouge-score by itself, scores by hand, and brute force."""

import sys

import pytest
from rouge_score import rouge_scorer

from pellucid.errors import DataError, UsageError
from pellucid.metrics import summarization
from pellucid.metrics.summarization import NAMES, _Words, check_rouge, rouge

SUMMARIES = ["The cat sat. It was running home!", "", "a b c d", "Dogs barked\nat the old trees"]
REFERENCES = ["A cat sits. It runs home.", "Nothing here.", "d c b a", "The dogs bark at a tree."]


def values(summaries, references, language="en"):
    return {score.name: score.value for score in rouge(summaries, references, language)}


def test_english_is_as_rouge_score_has_it():
    scorer = rouge_scorer.RougeScorer(list(NAMES), use_stemmer=True)
    lines = [text.replace(". ", ".\n") for text in SUMMARIES]
    wanted = [
        scorer.score(reference.replace(". ", ".\n"), line)
        for reference, line in zip(REFERENCES, lines, strict=True)
    ]
    for name, value in values(SUMMARIES, REFERENCES).items():
        mean = sum(each[name].fmeasure for each in wanted) / len(wanted)
        assert value == pytest.approx(100 * mean, abs=1e-9)


def n_gram_f1(words, reference, n):
    grams = [
        [tuple(side[i : i + n]) for i in range(len(side) - n + 1)] for side in (words, reference)
    ]
    shared = sum(min(grams[0].count(g), grams[1].count(g)) for g in set(grams[0]))
    return 2 * shared / (len(grams[0]) + len(grams[1]))


@pytest.mark.parametrize(
    ("language", "summary", "reference", "words"),
    [
        ("zh", "猫在3月睡觉。", "一只猫在睡觉", (list("猫在3月睡觉"), list("一只猫在睡觉"))),
        (
            "de",
            "Die Bäume, ÄLTER.",
            "die alten Bäume älter",
            (["die", "bäume", "älter"], ["die", "alten", "bäume", "älter"]),
        ),
        (
            "ja",
            "犬 が吠えた abc",
            "犬吠えたabc",
            ([*"犬が吠えた", "abc"], [*"犬吠えた", "abc"]),
        ),
    ],
)
def test_other_languages_have_their_own_words(language, summary, reference, words):
    """Authority: n-grams counted by hand; the longest common subsequence likewise."""
    found = values([summary], [reference], language)
    assert found["rouge1"] == pytest.approx(100 * n_gram_f1(*words, 1))
    assert found["rouge2"] == pytest.approx(100 * n_gram_f1(*words, 2))
    signature = rouge([summary], [reference], language)[0].signature
    assert signature.startswith("nrefs:1|tok:pellucid-words-2|stem:no|f1|version:")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी की किताब", ["हिन्दी", "की", "किताब"]),
        ("বাংলা_ভাষা", ["বাংলা", "ভাষা"]),
        ("عَرَبِيّ ١٢", ["عَرَبِيّ", "١٢"]),
        ("e\u0301t\u0323e\u0323", ["\u00e9\u1e6d\u1eb9"]),
        ("I \u2764\ufe0f U", ["i", "u"]),
        ("ที่ 3", [*"ที่", "3"]),
    ],
)
def test_marks_are_parts_of_words(text, words):  # authority: by hand
    assert _Words().tokenize(text) == words


def test_words_that_differ_in_their_vowels_are_not_equal():
    assert values(["रमा का कताबा हो"], ["राम की किताब है"], "hi")["rouge1"] == 0


def test_an_unknown_language_is_judged_by_its_letters():
    assert "porter" in rouge(["a cat"], ["cats"])[0].signature
    assert values(["cats"], ["cat"], "")["rouge1"] == 100
    assert "pellucid-words" in rouge(["猫"], ["猫睡觉 ok"])[0].signature


def test_sums_are_by_sentence():
    """Two sentences in the other order share all words, but no long subsequence."""
    found = values(["One two three. Four five six."], ["Four five six. One two three."])
    assert found["rougeLsum"] == 100
    assert found["rougeL"] == 50
    found = values(["一二三。四五六！"], ["四五六！一二三。"], "zh")
    assert (found["rougeLsum"], found["rougeL"]) == (100, 50)


def test_faults_are_named(monkeypatch):
    with pytest.raises(DataError, match="1 summaries for 2 references"):
        rouge(["a"], ["a", "b"])
    with pytest.raises(DataError, match="0 summaries"):
        rouge([], [])
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    summarization._scorer.cache_clear()
    with pytest.raises(UsageError, match=r"pip install 'pellucid\[tasks\]'"):
        check_rouge()
