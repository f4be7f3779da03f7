from collections import Counter, defaultdict

import pytest

from pellucid.garden import LANGUAGES, Sentence

SPLITS = ("train", "test", "valid")
SHARE = 0.2  # of all sentences, as the issue asks


@pytest.fixture(scope="session")
def because(corpus):
    """because(split): the sentences of a split that have an antecedent."""
    return lambda split: tuple(s for s in corpus(split) if s.coreference)


def words(s: Sentence, language: str, indices: tuple[int, ...]) -> str:
    return " ".join(s.sides[language].words[i] for i in indices)


@pytest.mark.parametrize("split", SPLITS)
def test_a_fifth_are_because_sentences(corpus, because, split):  # authority: 4 standard errors
    n = len(corpus(split))
    assert abs(len(because(split)) - SHARE * n) < 4 * (SHARE * (1 - SHARE) * n) ** 0.5


@pytest.mark.parametrize("split", SPLITS)
def test_the_genders_differ_and_the_pronoun_is_right(because, split):  # authority: German articles
    gender = {"der": "er", "den": "er", "die": "sie", "das": "es"}
    for s in because(split):
        c = s.coreference
        assert c is not None
        assert c.german != c.wrong
        assert s.sides["de"].words[c.pronoun["de"]] == c.german
        start = c.antecedent["de"][0]
        article = s.sides["de"].words[start].lower()
        if start == 0 or s.sides["de"].words[start - 1] != "auf":  # "auf der": a dative
            assert gender.get(article, c.german) == c.german
        assert s.sides["en"].words[c.pronoun["en"]] == "it"
        chinese = s.sides["zh"].words[c.pronoun["zh"]]
        assert chinese == "它" or chinese in words(s, "zh", c.antecedent["zh"])
        for language in LANGUAGES:
            assert not set(c.antecedent[language]) & set(c.distractor[language])
            assert c.pronoun[language] > max(c.antecedent[language])


@pytest.mark.parametrize("split", SPLITS)
def test_place_and_noun_tell_nothing(because, split):  # authority: a fair coin, 4 standard errors
    chosen = because(split)
    margin = 4 * 0.5 / len(chosen) ** 0.5
    first = 0
    by_noun = defaultdict(Counter)
    for s in chosen:
        c = s.coreference
        assert c is not None
        first += c.antecedent["en"] < c.distractor["en"]
        by_noun[noun(s, c.antecedent["en"])][True] += 1
        by_noun[noun(s, c.distractor["en"])][False] += 1
    assert abs(first / len(chosen) - 0.5) < margin
    for counts in by_noun.values():
        total = counts.total()
        assert abs(counts[True] / total - 0.5) < 4 * 0.5 / total**0.5


def test_what_the_noun_teaches_does_not_carry_over(
    because,
):  # authority: a baseline, as a model would
    """Learn from training how often each noun (and each pair) is right; guess on the test split."""
    right = Counter()
    for s in because("train"):
        c = s.coreference
        assert c is not None
        pair = noun(s, c.antecedent["en"]), noun(s, c.distractor["en"])
        right[pair] += 1
        right[pair[0]] += 1
        right[pair[1]] -= 1
    scores = (
        lambda a, b: right[a] - right[b],
        lambda a, b: right[a, b] - right[b, a],
        lambda a, b: (a > b) - (a < b),
    )
    tests = because("test")
    for score in scores:
        hits = 0.0
        for s in tests:
            c = s.coreference
            assert c is not None
            lead = score(noun(s, c.antecedent["en"]), noun(s, c.distractor["en"]))
            hits += 0.5 if lead == 0 else lead > 0
        assert abs(hits / len(tests) - 0.5) < 4 * 0.5 / len(tests) ** 0.5


@pytest.mark.parametrize("guess", ["er", "sie", "es"])
def test_no_pronoun_is_the_better_guess(
    because, guess
):  # authority: a fair coin, 4 standard errors
    chosen = [s.coreference for s in because("train")]
    possible = [c for c in chosen if c and guess in (c.german, c.wrong)]
    hits = sum(c.german == guess for c in possible)
    assert abs(hits / len(possible) - 0.5) < 4 * 0.5 / len(possible) ** 0.5


def test_the_adjective_tells(because):  # authority: the issue: an adjective is true of one class
    side = defaultdict(set)
    for s in because("train"):
        c = s.coreference
        assert c is not None
        adjective = s.sides["en"].words[-2]
        animal = s.sides["zh"].words[c.pronoun["zh"]] == "它"
        side[adjective].add(animal)
    assert all(len(which) == 1 for which in side.values())
    assert len(side) >= 35


def noun(s: Sentence, phrase: tuple[int, ...]) -> str:
    return s.sides["en"].words[phrase[-1]]
