"""Vectors of words. Authority: brute force; the reader of vector files."""

import numpy as np
import pytest

from pellucid.data.vectors import read_vectors
from pellucid.data.word_vectors import WordVectors, open_word_vectors
from pellucid.errors import DataError, UsageError

WORDS = ("king", "queen", "man", "woman", "apple", "été")
VALUES = np.array(
    [[3, 1, 0], [3, 2, 0], [1, 1, 0.1], [1, 2, 0.1], [0, 0, 7], [1e-30, -2.5, 1 / 3]], np.float32
)


@pytest.fixture
def vectors():
    return WordVectors(WORDS, VALUES)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_nearest_words_by_brute_force(vectors):
    for word, value in zip(WORDS, VALUES, strict=True):
        others = [(w, cosine(value, v)) for w, v in zip(WORDS, VALUES, strict=True) if w != word]
        others.sort(key=lambda pair: -pair[1])
        found = vectors.nearest(word, top=9)
        assert [n.word for n in found] == [w for w, _ in others]
        assert [n.similarity for n in found] == pytest.approx([s for _, s in others], abs=1e-6)
    assert len(vectors.nearest("king", top=2)) == 2
    assert vectors.similarity("king", "man") == pytest.approx(cosine(VALUES[0], VALUES[2]))


def test_analogies_by_brute_force(vectors):  # 3CosAdd of Mikolov et al. 2013
    unit = VALUES / np.linalg.norm(VALUES, axis=1, keepdims=True)
    query = unit[0] - unit[2] + unit[3]  # man : king = woman : ?
    scores = {w: cosine(query, v) for w, v in zip(WORDS, VALUES, strict=True)}
    wanted = sorted(set(WORDS) - {"man", "king", "woman"}, key=lambda w: -scores[w])
    found = vectors.analogy("man", "king", "woman")
    assert [n.word for n in found] == wanted
    assert found[0].word == "queen"
    assert found[0].similarity == pytest.approx(scores["queen"], abs=1e-6)


def test_unknown_words_are_refused(vectors):
    with pytest.raises(UsageError, match=r"'quen' has no vector. Similar: queen"):
        vectors.nearest("quen")
    with pytest.raises(UsageError, match="top=0"):
        vectors.nearest("king", top=0)
    assert "king" in vectors
    assert "King" not in vectors
    assert (vectors["apple"] == VALUES[4]).all()


def test_a_file_is_exact_and_opens_with_the_reader(vectors, tmp_path):
    vectors.save(tmp_path)
    path = tmp_path / "vectors.txt"
    assert path.read_text("utf-8").split("\n")[0] == "6 3"
    again = open_word_vectors(path)
    assert again.words == WORDS
    assert (again.values == VALUES).all()
    rows, values = read_vectors(str(path), {"queen": 4, "été": 1}, width=3)
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == {
        4: VALUES[1].tolist(),
        1: VALUES[5].tolist(),
    }


def test_faults_of_files_have_their_line(tmp_path):
    path = tmp_path / "v.txt"
    for content, message in (
        ("2 2\na 1 2\na 3 4\n", r"v\.txt:3: 'a' appears again"),
        ("3 2\na 1 2\nb 3 4\n", r"line 1 promises 3 words, and there are 2"),
        ("2 2\na 1 2\nb 3\n", r"v\.txt:3: 2 fields|v\.txt:3: 1 fields"),
        ("0 2\n", r"has no vectors"),
    ):
        path.write_text(content)
        with pytest.raises(DataError, match=message):
            open_word_vectors(path)
