"""Authorities: the text itself (nothing may be lost), and what a reader would do."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.decoding.long import rejoin, split_long

ALPHABET = list('ab  .!?,;。！？，；”’"」3我们 \n\t\u3000…:')


def shorter(n):
    return lambda text: len(text) <= n


@given(st.text(st.sampled_from(ALPHABET), max_size=80), st.integers(1, 20))
def test_nothing_is_lost(text, n):
    parts = split_long(text, shorter(n))
    assert [c for part in parts for c in part if not c.isspace()] == re.findall(r"\S", text)
    assert "".join(parts) == text or all(part == part.strip() for part in parts)
    at = 0
    for part in parts:  # each stands in the text as it is, spaces alone between them
        actual = text.index(part, at)
        assert not text[at:actual].strip()
        at = actual + len(part)
    assert not text[at:].strip()


@given(st.text(max_size=60), st.integers(1, 20))
def test_every_part_fits(text, n):
    assert all(len(part) <= n for part in split_long(text, shorter(n)))


@pytest.mark.parametrize(
    ("text", "n", "expected"),
    [
        ("One. Two.", 9, ["One. Two."]),
        ("  One. Two.", 11, ["  One. Two."]),  # what fits is not touched
        ("One. Two. Three.", 9, ["One. Two.", "Three."]),
        ('He said "Stop!" Then he left.', 20, ['He said "Stop!"', "Then he left."]),
        ("It is 3.5 m. Is it? Yes!", 13, ["It is 3.5 m.", "Is it? Yes!"]),
        ("I came, I saw; I won.", 14, ["I came, I saw;", "I won."]),
        ("about 1,000,000 of them, say", 24, ["about 1,000,000 of them,", "say"]),
        ("It costs 13.50 euro", 11, ["It costs", "13.50 euro"]),
        ("of 1,000,000 men", 12, ["of 1,000,000", "men"]),
        ("no marks at all", 8, ["no marks", "at all"]),
        ("我爱你。你呢？“好。”他说。", 7, ["我爱你。你呢？", "“好。”他说。"]),
        ("我爱你。你呢？“好。”他说。", 5, ["我爱你。", "你呢？", "“好。”", "他说。"]),
        ("因为下雨，我们没去公园；他去了", 8, ["因为下雨，", "我们没去公园；", "他去了"]),
        ("没有标点的很长的句子", 4, ["没有标点", "的很长的", "句子"]),
        ("short verylongword", 6, ["short", "verylo", "ngword"]),
        ("Wait... what?!  Yes.", 13, ["Wait...", "what?!  Yes."]),
        ("", 0, [""]),
        ("  \n ", 1, []),
    ],
)
def test_where_it_is_cut(text, n, expected):
    assert split_long(text, shorter(n)) == expected


def test_where_nothing_fits_each_character_is_a_part():
    assert split_long("ab c", lambda text: False) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "a b"), ("de", "a b"), ("zh", "ab"), ("ja", "ab"), ("zh-Hant", "ab"), ("", "a b")]
    + [(c, "ab") for c in ("zho", "cmn", "jpn", "ja_XX")],
)
def test_rejoin(language, expected):
    assert rejoin(["a ", "", "b"], language) == expected


def test_needs_no_torch():
    code = "import sys, pellucid.decoding.long; sys.exit('torch' in sys.modules)"
    path = ":".join(sys.path)
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}).returncode == 0
