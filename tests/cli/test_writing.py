"""`generate`, `fill`, and `translate` by several models.

Authorities: the verbs of Python, which tests/tasks/test_together.py holds against algebra;
a line of output for each of input, by hand; the exit codes of docs/cli.md.
"""

import json
from typing import Any

import pytest

import pellucid as package
from pellucid.cli import generate

TEXT = b"The dog\nLast week the snake\n\nA\n"
LINES = TEXT.decode().split("\n")[:-1]
USAGE, DATA, CONFIG = 2, 3, 4
DRAW = ("--method", "sample", "--seed", "3")


@pytest.fixture
def written(pellucid, writers):
    def call(*args, stdin=TEXT):
        done = pellucid("generate", writers.model, "--max-length", "9", *args, stdin=stdin)
        assert (done.code, done.err) == (0, "")
        return done.out.removesuffix("\n").split("\n")

    return call


@pytest.mark.parametrize("settings", [("--beam", "1"), DRAW, (*DRAW, "--stop-at", "a", "or")])
def test_pieces_make_up_the_lines(written, settings):
    assert written("--stream", *settings) == written(*settings)


def test_lines_are_those_of_python(written, writers):
    model, second = (package.load(path, device="cpu") for path in writers[:2])
    cases: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        (("--draft", writers.second), {"draft": second}),
        (("--ensemble", writers.second, "--beam", "2"), {"ensemble": [second], "beam": 2}),
        (("--method", "mbr", "--samples", "6"), {"method": "mbr", "samples": 6}),
    ]
    for args, settings in cases:
        actual = [json.loads(line) for line in written("--jsonl", *args)]
        expected = model.generate(LINES, max_length=9, **settings)
        assert [one["text"] for one in actual] == [one.text for one in expected]
        assert [one.get("utility") for one in actual] == [one.utility for one in expected]
        assert written(*args) == [text.replace("\n", " ") for text in (w.text for w in expected)]


def test_samples_depend_only_on_the_line_number(written, monkeypatch):
    text = b"The dog\n" * 9
    whole = written(*DRAW, stdin=text)
    assert len(set(whole)) > 5
    monkeypatch.setattr(generate, "CHUNK_LINES", 2)
    assert written(*DRAW, stdin=text) == whole == written(*DRAW, "--stream", stdin=text)


def test_gaps_are_filled_line_by_line(pellucid, writers):
    text = "The [MASK] dog sleeps under the [MASK].\n\n[MASK] cat\n"
    plain, top, objects = (
        pellucid("fill", writers.filler, *args, stdin=text.encode()).out.split("\n")
        for args in ((), ("--top", "3"), ("--jsonl",))
    )
    actual = [json.loads(line) for line in objects[:-1]]
    assert plain == [*(one["text"] for one in actual), ""]
    assert [len(one["gaps"]) for one in actual] == [2, 0, 1]
    for line, reported, one in zip(text.split("\n"), top, actual, strict=False):
        words = [gap[0]["token"] for gap in one["gaps"]]
        assert all(len(gap) == 5 for gap in one["gaps"])
        assert one["text"] == _by_hand(line, words)
        best = [f"{w['token'].strip()} {w['probability']:.4f}" for g in one["gaps"] for w in g[:3]]
        assert reported.replace(" ||| ", " ") == " ".join(best)
        assert reported.count("|||") == max(0, len(words) - 1)


def _by_hand(line, words):
    line = " " + line
    for word in words:
        begins = word.startswith(" ")
        line = line.replace("[MASK]", word[1:], 1) if begins else line.replace(" [MASK]", word, 1)
    return line.removeprefix(" ")


def test_a_line_without_a_gap_is_named(pellucid, writers):
    done = pellucid("fill", writers.filler, stdin=b"A [MASK].\n\nNo gap.\nB [MASK].\n")
    assert (done.code, done.out.count("\n")) == (DATA, 2)
    assert "standard input:3: there is no gap in 'No gap.'" in done.err
    assert "[MASK]" in done.err
    done = pellucid("fill", writers.filler, stdin=b"A [MASK].\n" + b"dog " * 90 + b"[MASK]\n")
    assert (done.code, done.out.count("\n")) == (DATA, 1)
    assert "standard input:2:" in done.err
    assert "this model reads 64" in done.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--ensemble", "FOREIGN"], USAGE, "model 2 of the ensemble has another vocabulary: its"),
        (["--draft", "FOREIGN"], USAGE, "the draft has another vocabulary: its token 1 is '<x>'"),
        (["--draft", "FILLER"], USAGE, "the draft has no language-model head"),
        (["--draft", "nowhere"], DATA, "no model at 'nowhere'"),
        (["--draft", "SECOND", "--beam", "2"], USAGE, "keeps 2"),
        (["--draft", "SECOND", "--method", "mbr"], USAGE, "method=mbr here keeps 32"),
        (["--draft", "SECOND", "--stream"], USAGE, "--stream and --draft"),
        (["--stream", "--jsonl"], USAGE, "--stream and --jsonl"),
        (["--stream", "--beam", "3"], USAGE, "keeps 3"),
        (["--stop-at", ""], USAGE, "an empty stop string"),
        (["--stream", "--stop-at", "a", ""], USAGE, "an empty stop string"),
        (["--top-p", "1.5"], CONFIG, "top_p=1.5"),
        (["--utility", "bleu"], CONFIG, "Use method=mbr"),
        (["--method", "mbr", "--samples", "3", "--n-best", "4"], CONFIG, "Use samples=4"),
        (["--method", "mbr", "--utility", "rouge"], USAGE, "rouge"),
    ],
)
def test_what_cannot_be_is_said_before_any_text_is_read(args, code, message, pellucid, writers):
    names = {name.upper(): path for name, path in writers._asdict().items()}
    done = pellucid("generate", writers.model, *(names.get(arg, arg) for arg in args), stdin=b"")
    assert done.code == code, done
    assert message in " ".join(done.err.split())
    assert len(done.err.split("\n")) <= 4


def test_who_fills_no_gaps_and_who_writes_no_text(pellucid, writers):
    done = pellucid("fill", writers.model, stdin=b"")
    assert (done.code, "no head 'mlm'" in done.err) == (USAGE, True)
    done = pellucid("generate", writers.filler, stdin=b"")
    assert (done.code, "no language-model head" in done.err) == (USAGE, True)
    done = pellucid("fill", writers.filler, "--top", "-1", stdin=b"")
    assert (done.code, "--top -1" in done.err) == (USAGE, True)


def test_translations_of_an_ensemble_and_of_least_risk(pellucid, ready, writers):
    text = b"The dog sleeps.\n\nThe cat sees the house.\n"
    args = ["translate", ready.run, "--max-length", "8", "--alignment", "--jsonl"]
    alone = pellucid(*args, stdin=text)
    twice = pellucid(*args, "--ensemble", ready.run, stdin=text)
    assert alone.code == twice.code == 0
    for one, other in zip(alone.out.split("\n")[:-1], twice.out.split("\n")[:-1], strict=True):
        one, other = json.loads(one), json.loads(other)
        assert other["text"] == one["text"]
        assert other.get("alignment") == one.get("alignment")
        assert other["score"] == pytest.approx(one["score"], abs=1e-5)
    mbr = ["translate", ready.run, "--max-length", "8", "--method", "mbr", "--samples", "5"]
    done = pellucid(*mbr, "--n-best", "2", stdin=text)
    ranked = [line.split(" ||| ") for line in done.out.split("\n")[:-1]]
    risks = [float(fields[2].split("utility= ")[1]) for fields in ranked if fields[1]]
    assert risks[0] >= risks[1]
    assert pellucid(*mbr, stdin=text).out.split("\n")[0] == ranked[0][1]
    other = pellucid("translate", ready.run, "--ensemble", writers.model, stdin=text)
    assert (other.code, "a decoder-only model, the first model" in other.err) == (USAGE, True)
