"""Lines of output in each format.  Authority: the formats' own readers, written here by hand."""

import json
import re

import pytest

from pellucid.cli.render import Format, as_field, one_line, render
from pellucid.inference.translate import Translation

TEXT = b"The dog sleeps.\n\nThe old cat sees the house .\n"
ARGS = ("--max-length", "8", "--beam", "3")


@pytest.fixture
def translate(pellucid, ready):
    def call(*args, stdin=TEXT):
        done = pellucid("translate", ready.run, *ARGS, *args, stdin=stdin)
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith("\n")
        return done.out[:-1].split("\n")

    return call


def test_plain_n_best_and_json_agree(translate):
    plain = translate()
    assert len(plain) == 3
    assert plain[1] == ""
    nbest = [line.split(" ||| ") for line in translate("--n-best", "2")]
    assert [int(fields[0]) for fields in nbest] == [0, 0, 1, 1, 2, 2]
    assert [fields[1] for fields in nbest[::2]] == plain
    assert all(re.fullmatch(r"log_prob= -?[\d.]+ length= \d+", fields[2]) for fields in nbest)
    scores = [float(fields[3]) for fields in nbest]
    assert scores[0] >= scores[1]
    assert scores[4] >= scores[5]
    objects = [json.loads(line) for line in translate("--jsonl", "--n-best", "2")]
    texts = [h["text"] for actual in objects for h in actual["hypotheses"]]
    assert texts == [fields[1] for fields in nbest]
    assert [json.loads(line)["text"] for line in translate("--jsonl")] == plain


def test_alignments_name_real_tokens(translate):
    objects = [json.loads(line) for line in translate("--jsonl", "--alignment")]
    lines = translate("--alignment")
    for actual, line in zip(objects, lines, strict=True):
        text, _, pairs = line.partition(" ||| ")
        assert text == actual["text"]
        pairs = [tuple(map(int, pair.split("-"))) for pair in pairs.split()]
        assert sorted(pairs) == sorted(map(tuple, actual.get("alignment", [])))
        assert sorted(t for _, t in pairs) == list(range(len(actual["tokens"])))
        assert all(0 <= s < len(actual["source_tokens"]) for s, _ in pairs)


@pytest.mark.parametrize(
    ("text", "line"), [("a\nb", "a b"), ("a\r\nb", "a  b"), ("a\u2028b", "a\u2028b"), ("", "")]
)
def test_a_text_is_one_line(text, line):
    """Authority: `wc -l` counts newlines alone."""
    assert one_line(text) == line


@pytest.mark.parametrize("text", ["a ||| b", "|||", "a|||||| b ||", "||| a |", "x &#124; y"])
def test_fields_can_be_split_whatever_the_text(text):
    """Authority: a reader that splits at ` ||| ` and undoes Moses' escape of `|`."""
    t = Translation(text, -0.5, ("a", "b"), (-0.5, -0.5), (1, 2), (3,), True, ((1, 2),), ((0, 1),))
    moses = render(None, 7, [[t]], Format(n_best=True, alignment=True))  # type: ignore[arg-type]
    number, actual, features, score, pairs = moses.removesuffix("\n").split(" ||| ")
    assert (number, score, pairs) == ("7", "-0.5000", "0-1")
    assert features == "log_prob= -1.0000 length= 2"
    plain = render(None, 7, [[t]], Format(alignment=True))  # type: ignore[arg-type]
    assert plain.removesuffix("\n").split(" ||| ") == [actual, "0-1"]
    assert actual == as_field(text)
    if "&#124;" not in text:
        assert actual.replace("&#124;", "|") == text
    whole = render(None, 7, [[t]], Format())  # type: ignore[arg-type]
    assert whole == f"{text}\n"


def test_long_sources_are_split_and_reported_once(pellucid, ready):
    text = b"The dog sleeps. " * 60 + b"\nA cat.\n" + b"The cat sees the dog, and " * 40 + b"\n"
    done = pellucid("translate", ready.run, *ARGS, stdin=text)
    assert (done.code, done.out.count("\n")) == (0, 3)
    assert done.err == "2 lines were longer than training saw; split and rejoined\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(translate, workers):
    lines = [f"The dog sees {i} houses ." if i % 3 else "" for i in range(600)]
    text = "".join(f"{line}\n" for line in lines).encode()
    actual = translate("--jsonl", "--workers", workers, "--beam", "1", stdin=text)
    sources = ["".join(json.loads(line)["source_tokens"]) for line in actual]
    assert len(sources) == 600
    assert [bool(source) for source in sources] == [bool(line) for line in lines]
    numbers = [re.sub(r"\D", "", source) for source in sources]
    assert numbers == [re.sub(r"\D", "", line) for line in lines]
