"""Hostile text (specs/reliability.md C3, C4): refused, repaired, or cut in linear time."""

import re
import time

import pytest

from pellucid.data.check import BREAKS
from pellucid.data.languages import CODE, TWO_CODES
from pellucid.errors import DataError
from pellucid.text.guard import MAX_CHARACTERS, SURROGATE, repair
from pellucid.text.untrained import KINDS, RUNS, SPELLED

HOSTILE = [
    unit * (100_000 // len(unit))
    for unit in (
        *"a '.<-\n\t\u3000\u0301我あアーé1\x00\u2028\ufffd",
        "a ", " a", "'s", "s'", "''", "a'", "<s>", "</s>", "<", "</", "<pad", "  \n", "\r\n",
        "a\u0301", "我a", "あア", "ーあ", "1a", "1 ", ".a", "\u200d👩", "ab\t", "▁", "▁ ", "##",
        "# ", "\ud800", "\U000f0000", "en.", "en-de", "aa-aa_", "'re", "'ve ",
        "  ", "\u00a0 ", "e\u0301\u0301", "<unk>", "</w>", "aA", "한",
    )
]  # fmt: skip


def test_hostile_texts_take_no_longer_than_others(kind, trained):
    """Authority: linear time. Fifty texts of 100 kB; a quadratic regex would take minutes."""
    tokenizer = trained[kind]
    assert len(HOSTILE) >= 50
    for text in HOSTILE if kind == "byte-bpe" else HOSTILE[:: len(KINDS)]:
        start = time.process_time()
        tokenizer.encode_batch([text])
        assert time.process_time() - start < 2, text[:10]
    for text in HOSTILE:
        start = time.process_time()
        tokenizer.normalize(text)
        assert time.process_time() - start < 0.5, text[:10]


@pytest.mark.parametrize("regex", [SURROGATE, BREAKS, CODE, TWO_CODES])
def test_our_own_regexes_are_linear(regex):
    for text in HOSTILE:
        start = time.process_time()
        regex.fullmatch(text)
        regex.sub("", text)
        assert time.process_time() - start < 0.5, text[:10]


def test_no_regex_repeats_a_repetition():
    """Authority: the known cause of exponential time, (a+)+ and its kind."""
    nested = re.compile(r"[+*}][+*{]|\([^()]*[+*}][^()]*\)[+*{]")
    assert nested.search("(?:a+b)*")
    for regex in (RUNS, SPELLED, *(r.pattern for r in (SURROGATE, BREAKS, CODE, TWO_CODES))):
        plain = re.sub(r"\[[^]]*\]+", "C", re.sub(r"\\p\{\w+\}", "P", regex))
        assert not nested.search(plain), regex


def test_a_text_too_long_is_refused_at_once(trained):
    for use in (trained["byte-bpe"].encode, lambda text: trained["byte-bpe"].encode_batch([text])):
        start = time.process_time()
        with pytest.raises(DataError, match="10,000,000 characters"):
            use("x" * 10_000_000)
        assert time.process_time() - start < 0.2
    trained["byte-bpe"].encode("x " * (MAX_CHARACTERS // 2))


def test_lone_surrogates_are_replaced_and_counted():
    assert repair("a\ud800b\udfff\udc00") == ("a\ufffdb\ufffd\ufffd", 3)
    assert repair("a😀") == ("a😀", 0)
    assert repair("plain") == ("plain", 0)
