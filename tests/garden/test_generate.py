import subprocess
import sys
from collections import Counter, defaultdict
from itertools import islice, pairwise

import pytest

from pellucid.errors import DataError, UsageError
from pellucid.garden import LANGUAGES, Sentence, generate, pairs, sentences
from pellucid.garden.lexicon import adjectives, named, nouns, verbs
from pellucid.garden.outline import Outline, Phrase, State
from pellucid.garden.sampler import Sampler, predicates
from pellucid.garden.split import assign_split


def test_is_a_pure_function_of_its_arguments():  # authority: another process, another hash seed
    code = (
        "from pellucid.garden import sentences\n"
        "for s in sentences(200, 7, 'valid'): print(*(x.text for x in s.sides.values()))"
    )
    run = [
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert run[0] == run[1]
    lines = run[0].decode().rstrip("\n").split("\n")
    assert lines == [" ".join(x.text for x in s.sides.values()) for s in sentences(200, 7, "valid")]
    assert list(sentences(50, 7, "valid")) == list(islice(sentences(200, 7, "valid"), 50))
    assert list(sentences(50, 7, "valid")) != list(sentences(50, 8, "valid"))


@pytest.mark.parametrize(("split", "n"), [("train", 20_000), ("valid", 2_000), ("test", 2_000)])
def test_no_english_sentence_comes_twice(corpus, split, n):  # authority: counting
    english = [s.sides["en"].text for s in corpus(split)]
    assert len(english) == n == len(set(english))


@pytest.mark.parametrize("target", ["de", "zh"])
def test_equal_english_is_translated_equally(
    corpus, target
):  # authority: counting, over seeds and splits
    seen: dict[str, str] = {}
    again = 0
    for split, seed in (("train", 0), ("train", 1), ("test", 0)):
        for s in corpus(split, seed):
            text = s.sides[target].text
            again += s.sides["en"].text in seen
            assert seen.setdefault(s.sides["en"].text, text) == text
    assert again > 20  # else nothing was compared


@pytest.mark.parametrize("split", ["valid", "test"])
def test_held_out_clauses_are_not_in_training(
    corpus, split
):  # authority: comparing the clauses themselves
    train = {c for seed in (0, 1) for s in corpus("train", seed) for c in s.clauses}
    held_out = {c for s in corpus(split) for c in s.clauses}
    assert not train & held_out
    assert {assign_split(c) for c in held_out} == {split}


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_clauses_read_unlike_training_ones(
    corpus, language
):  # authority: the words themselves
    train = {c for s in corpus() for c in clause_texts(s, language)}
    for split in ("valid", "test"):
        assert not [c for s in corpus(split) for c in clause_texts(s, language) if c in train]


def clause_texts(s: Sentence, language: str) -> list[str]:
    """The words of each full main or subordinate clause: not one whose subject is a pronoun."""
    side = s.sides[language]
    clauses = defaultdict(list)
    for word, parts in zip(side.words, side.parts, strict=True):
        for number in {part[0] for part in parts if part[0] in "12"}:
            clauses[number].append(word.lower())
    if s.coreference and side.words[s.coreference.pronoun[language]] in PRONOUNS:
        del clauses["2"]
    return [" ".join(words) for words in clauses.values()]


PRONOUNS = {"it", "er", "sie", "es", "它"}


def test_no_noun_comes_twice_in_a_sentence(corpus):  # authority: counting; a pronoun would be due
    names = {form: noun.name for noun in nouns().values() for form in (noun.name, noun.en_plural)}
    for s in corpus():
        english = s.sides["en"]
        message = [
            names[word.lower()]
            for word, parts in zip(english.words, english.parts, strict=True)
            if word.lower() in names and any(part.endswith(".noun") for part in parts)
        ]
        assert len(set(message)) == len(message), english.text


def test_every_word_is_learnable(corpus):  # authority: counting, in all three languages at once
    occurs = Counter()
    entries = defaultdict(set)  # English form -> entries
    for noun in nouns().values():
        entries[noun.name] |= {("noun", noun.name, noun.zh)}
        entries[noun.en_plural] |= {("noun", noun.name, noun.zh)}
    for verb in verbs().values():
        for form in verb.en:
            entries[form] |= {("verb", verb.name, verb.zh.split()[-1])}
    for adjective in adjectives():
        message = (*adjective.zh_attributive[:1], adjective.zh)
        for form in (adjective.name, adjective.comparative.split()[-1]):
            entries[form] |= {("adjective", adjective.name, zh) for zh in message}
    for s in corpus():
        chinese = s.sides["zh"].text
        actual = {
            e[:2] for word in s.sides["en"].words for e in entries[word.lower()] if e[2] in chinese
        }
        occurs.update(actual)
    expected = {e[:2] for several in entries.values() for e in several}
    assert len(expected) >= 300
    assert {e: occurs[e] for e in expected if occurs[e] < 20} == {}


def test_words_and_spans_rebuild_the_text(corpus):  # authority: slicing
    for s in corpus("valid"):
        for language, side in s.sides.items():
            assert tuple(side.text[a:b] for a, b in side.spans) == side.words
            between = [side.text[b:c] for (_, b), (c, _) in pairwise(side.spans)]
            assert set(between) <= ({""} if language == "zh" else {"", " "})
            assert side.spans[0][0] == 0
            assert side.spans[-1][1] == len(side.text)
            assert "  " not in side.text
            assert len(side.parts) == len(side.words)


def test_alignment_is_symmetric_and_covers_content(corpus):  # authority: algebra
    content = {noun.name: (noun.zh, {noun.de, noun.de_oblique}) for noun in nouns().values()}
    for s in corpus("test"):
        for source, target in (("en", "de"), ("de", "zh"), ("zh", "en")):
            forth, back = s.alignment(source, target), s.alignment(target, source)
            assert forth == {(i, j) for j, i in back}
        english = s.sides["en"]
        nouns_of = {
            i for i, parts in enumerate(english.parts) if any(p.endswith("noun") for p in parts)
        }
        to_german = s.alignment("en", "de")
        assert nouns_of <= {i for i, _ in to_german}
        for i, j in to_german:
            if i in nouns_of and english.words[i] in content and s.kind == "description":
                assert s.sides["de"].words[j] in content[english.words[i]][1]


def test_every_kind_has_its_share(corpus):  # authority: the table of shares, 4 standard errors
    n, actual = len(corpus()), Counter(s.kind for s in corpus())
    shares = {maker.__name__: share / 100 for maker, share in generate.KINDS}
    assert actual.keys() == shares.keys()
    for kind, share in shares.items():
        assert abs(actual[kind] - share * n) < 4 * (share * (1 - share) * n) ** 0.5, kind


def test_an_exhausted_split_says_so(monkeypatch):  # authority: counting what can be said
    fruit = named("fruit")

    def fresh(sampler: Sampler) -> Outline:
        noun = sampler.choice(fruit)
        return Outline("description", State(Phrase(noun), predicates(noun)[0]))

    monkeypatch.setattr(generate, "KINDS", ((fresh, 1),))
    with pytest.raises(DataError, match=f"'valid' split holds only about {len(fruit)} sentences"):
        list(sentences(len(fruit) + 1, split="valid"))
    assert len(list(sentences(len(fruit), split="valid"))) == len(fruit)


def test_bad_arguments_are_explained():
    with pytest.raises(UsageError, match="split='dev'"):
        sentences(1, split="dev")
    with pytest.raises(UsageError, match="'fr'"):
        pairs(1, "en", "fr")


def test_lexicon_has_its_size():
    assert len(nouns()) >= 120
    assert len(verbs()) >= 70
    assert len(adjectives()) >= 60
    with pytest.raises(KeyError, match="nonsense"):
        named("nonsense")
