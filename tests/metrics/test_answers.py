"""Scores of answers.

Authority: the official scripts, written again by their definitions in another way (words by one
regular expression, common units by brute force); cases by hand.
"""

import random
import string
from re import findall

import pytest

from pellucid.metrics.answers import (
    choose_scorer,
    is_chinese,
    longest_common,
    normalize_answer,
    score_cmrc,
    score_squad,
    score_squad2,
    segment_mixed,
)

WORDS = ["The", "the", "a", "an", "A.", "cat", "Cat's", "U.S.", "  ", "--", "dog", "theme", "é", ""]
WORDS += ["3,000", "naïve", "a-an", "\u00a0", "“the”", "the_cat", "中文"]


def squad_words(text):
    kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
    # \w+ and the runs of other characters: an article is a whole \w+ run
    parts = findall(r"\w+|[^\w]+", kept)
    return "".join(" " if p in ("a", "an", "the") else p for p in parts).split()


def overlap(one, other):
    rest, n = list(other), 0
    for word in one:
        if word in rest:
            rest.remove(word)
            n += 1
    return n


def harmonic(n, predicted, reference):
    return 2 * n / (predicted + reference) if n else 0.0


def by_definition(prediction, references, version):
    words, best = squad_words(prediction), []
    if version == 2:
        references = [r for r in references if squad_words(r)] or [""]
    for reference in references:
        other = squad_words(reference)
        f1 = harmonic(overlap(words, other), len(words), len(other))
        if version == 2 and not (words and other):
            f1 = float(words == other)
        best.append((float(words == other), f1))
    return tuple(max(column) for column in zip(*best, strict=True))


def drawn(rng, words):
    return rng.choice([" ", "", "  "]).join(rng.choices(words, k=rng.randint(0, 5)))


def test_squad():
    rng = random.Random(1)
    for _ in range(4000):
        prediction = drawn(rng, WORDS)
        references = [drawn(rng, WORDS) for _ in range(rng.randint(1, 3))]
        expected = by_definition(prediction, references, 1)
        assert score_squad(prediction, references) == pytest.approx(expected), prediction
        references = references[: rng.randint(0, 3)]
        expected = by_definition(prediction, references, 2)
        assert score_squad2(prediction, references) == pytest.approx(expected), prediction


@pytest.mark.parametrize(
    ("prediction", "references", "first", "second"),
    [
        ("the Cat!", ["cat"], (1, 1), (1, 1)),
        ("a cat sat", ["cat", "the cat sat down"], (0, 0.8), (0, 0.8)),
        ("the", ["an"], (1, 0), (1, 1)),  # no words: equal, but without common words
        ("", [], None, (1, 1)),
        ("the", [], None, (1, 1)),
        ("cat", [], None, (0, 0)),
        ("", ["cat"], (0, 0), (0, 0)),
        ("", ["the", "cat"], (1, 0), (0, 0)),  # 2.0 ignores a reference without words
        ("cat cat", ["cat"], (0, 2 / 3), (0, 2 / 3)),
    ],
)
def test_squad_by_hand(prediction, references, first, second):
    assert score_squad2(prediction, references) == pytest.approx(second)
    if first:
        assert score_squad(prediction, references) == pytest.approx(first)


def test_articles_are_whole_words():
    assert normalize_answer("The  theme, an A-team and a.a") == "theme ateam and aa"


CHARACTERS = [
    "中",
    "文",
    "字",
    "。",
    "，",
    "“",
    "…",
    "ab",
    "a",
    " ",
    "1",
    ".",
    "-",
    "A",
    "'s",
    "，",
]


def mixed_by_definition(text):
    """Units of text without words of more than one kind: what NLTK splits is tested elsewhere."""
    ignored = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
    kept = "".join(c for c in text.strip().lower() if c not in ignored)
    return kept, [unit for part in kept.split() for unit in findall("[一-龥]|[^一-龥]+", part)]


def longest_by_brute_force(one, other):
    runs = {tuple(other[i:j]) for i in range(len(other)) for j in range(i + 1, len(other) + 1)}
    return max(
        (
            j - i
            for i in range(len(one))
            for j in range(i + 1, len(one) + 1)
            if tuple(one[i:j]) in runs
        ),
        default=0,
    )


def test_cmrc():
    rng = random.Random(2)
    plain = [c for c in CHARACTERS if c not in (".", "'s")]
    for _ in range(3000):
        prediction, *references = ("".join(rng.choices(plain, k=rng.randint(0, 8))) for _ in "123")
        (kept, units), expected = mixed_by_definition(prediction), []
        for reference in references:
            other, others = mixed_by_definition(reference)
            n = longest_by_brute_force(units, others)
            expected.append((float(kept == other), harmonic(n, len(units), len(others))))
        best = tuple(max(column) for column in zip(*expected, strict=True))
        assert score_cmrc(prediction, references) == pytest.approx(best), (prediction, references)


def test_cmrc_by_hand():
    assert segment_mixed("《三国》 is 1.5 NOT-bad, isn't it.") == [
        *("三", "国", "is", "1.5", "notbad", ",", "is", "n't", "it", ".")
    ]
    assert score_cmrc("1994年被任命", ["1994年。", "被任命"]) == pytest.approx((0, 2 * 3 / 8))
    assert score_cmrc("光荣和ω-force", ["光荣和Ω-Force"]) == (1, 1)
    assert longest_common("abcde", "xbcdy") == 3
    assert score_cmrc("", []) == (1, 1)
    assert score_cmrc("中", []) == (0, 0)


def test_the_scorer_follows_the_data():  # authority: by hand
    english, chinese = ["a text", "1998"], ["一段文字", "another"]
    assert choose_scorer("", english, [["a"], ["b"]]) is score_squad
    assert choose_scorer("en", chinese, [["a"], []]) is score_squad2
    assert choose_scorer("", [*chinese, "文"], [["a"], ["b"]]) is score_cmrc
    assert choose_scorer("zh-Hans", english, [["a"], []]) is score_cmrc
    assert not is_chinese("", english + chinese)
    assert not is_chinese("", ["Beijing (北京) is the capital of China (中国)."])
    assert not is_chinese("", ["東京都は日本の首都である。", "大阪市は大阪府の都市"])
    assert is_chinese("", ["北京是中国的首都（Beijing）。", "“東京の”是日文，不是中文，她这样说。"])
