"""`pellucid trace`.  Authority: the trace from Python, and the other verbs."""

import json

import numpy as np
import pytest

import pellucid as package
from pellucid.explain.encode import decode

USAGE = 2
TEXT = "The old dog sleeps."


def test_json_is_the_trace_from_python(pellucid, ready):
    done = pellucid("trace", ready.run, "--text", TEXT, "--json", "--exact")
    trace = package.load(ready.run, device="cpu").trace(TEXT)
    printed = decode(json.loads(done.out))
    assert (printed.source, printed.target) == (trace.source, trace.target)
    assert printed.arrays.keys() == trace.arrays.keys()
    for name, array in trace.arrays.items():
        np.testing.assert_allclose(printed[name], array, atol=1e-6)


def test_the_table_has_what_translate_writes(pellucid, ready):
    reads, writes, *rows = pellucid("trace", ready.run, "--text", TEXT).out.rstrip("\n").split("\n")
    model = package.load(ready.run, device="cpu")
    (translation,) = model.translate([TEXT])
    target = model.trace(TEXT).target
    assert target is not None
    tokens = target.tokens
    assert reads.count(" · ") == len(model.ids(TEXT)) - 1
    assert len(rows) == writes.count(" · ") + 1 == len(tokens) == len(translation.ids) + 1


def test_a_classifier_has_one_row_that_classify_gives(pellucid, writers, ready):
    classifier = writers.tagger.parent / "classifier"
    *_, row = pellucid("trace", classifier, "--text", TEXT).out.rstrip("\n").split("\n")
    label, probability = pellucid("classify", classifier, stdin=TEXT.encode()).out.split()
    head, first, value, *_ = row.split()
    assert (head, first) == ("classifier", label)
    assert float(value) == pytest.approx(float(probability), abs=1e-3)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "there is no text"),
        (["--text", " "], "there is no text"),
        (["--text", "a", "--exact"], "--exact is for --json"),
        (["--text", "a", "--parts", "weights"], "no part 'weights'"),
        (["--text", "a", "--layers", "7"], "there is no layer 7"),
        (["--text", "a", "--head", "mlm"], "there is no head 'mlm'"),
    ],
)
def test_bad_input(pellucid, ready, flags, message):
    done = pellucid("trace", ready.run, *flags)
    assert (done.code, done.out) == (USAGE, "")
    assert message in done.err
