"""`pellucid answer`.  Authority: the Python verb, and counting lines by hand."""

import json
import random

import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

import pellucid as package
from cli.writers import write_answerer, write_bert
from pellucid.cli import answer

USAGE, DATA = 2, 3
LONG = "The old dog sleeps under the table. " * 20
LINES = [
    "Why?\tThe old dog sleeps.",
    "",
    f" Why not ?\t{LONG}",
    " \t ",
    "谁?\t这只动物 。",
    "Why?\t",
]
TEXT = "".join(f"{line}\n" for line in LINES)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_answerer(tmp_path_factory.mktemp("answerer"), seed=3)


@pytest.fixture(scope="module")
def model(directory):
    return package.load(directory, device="cpu")


def expected_of(model, **settings):
    pairs = [tuple(line.split("\t")) for line in LINES if line.strip()]
    answers = iter(model.answer(pairs, **settings))
    return [next(answers) if line.strip() else [] for line in LINES]


def rendered(ranked):
    return "\t".join(f"{each.text}\t{each.probability:.4f}" for each in ranked)


@pytest.mark.parametrize("size", [1, 2, 2000])
def test_a_line_for_each_line(pellucid, directory, model, monkeypatch, size):
    monkeypatch.setattr(answer, "CHUNK_LINES", size)
    lines = pellucid("answer", directory, stdin=TEXT.encode()).out.split("\n")
    assert lines == [*map(rendered, expected_of(model)), ""]
    assert [line.count("\t") for line in lines] == [1, 0, 1, 0, 1, 1, 0]
    assert lines[5] == "\t0.0000"  # there is nothing in the context
    for line, source in zip(lines, LINES, strict=False):
        assert line.split("\t")[0] in source


def test_options(pellucid, directory, model):
    settings = {"top": 3, "answer_tokens": 2, "null_threshold": -100.0}
    flags = ["--top", "3", "--answer-tokens", "2", "--null-threshold", "-100"]
    done = pellucid("answer", directory, *flags, stdin=TEXT.encode())
    answers = expected_of(model, **settings)
    assert done.out.split("\n") == [*map(rendered, answers), ""]
    assert [len(ranked) for ranked in answers] == [3, 0, 3, 0, 3, 1]
    assert all(ranked[0].text == "" for ranked in answers if ranked)
    for wrong in (("--top", "0"), ("--answer-tokens", "0")):
        done = pellucid("answer", directory, *wrong, stdin=TEXT.encode())
        assert (done.code, done.out) == (USAGE, "")


def test_json_lines_have_the_characters(pellucid, directory, model):
    done = pellucid("answer", directory, "--jsonl", "--top", "2", stdin=TEXT.encode())
    records = [json.loads(line) for line in done.out.split("\n")[:-1]]
    assert [record["question"] for record in records] == [s.partition("\t")[0] for s in LINES]
    for record, ranked, line in zip(records, expected_of(model, top=2), LINES, strict=True):
        assert [each["answer"] for each in record["answers"]] == [each.text for each in ranked]
        for each, (_, probability, *_) in zip(record["answers"], ranked, strict=True):
            context = line.partition("\t")[2]
            assert context[each["start"] : each["end"]] == each["answer"]
            assert each["probability"] == pytest.approx(probability, abs=1e-5)


@pytest.mark.parametrize(("line", "n"), [("Why?", 0), ("Why?\ta\tb", 2)])
def test_a_line_without_one_tab_costs_no_other(pellucid, directory, line, n):
    done = pellucid("answer", directory, stdin=f"Why?\ta cat\n{line}\nWhy?\ta\n".encode())
    assert (done.code, done.out.count("\n")) == (DATA, 1)
    assert f"standard input:2: {n} tabs: a line is a question, one tab, and a context" in done.err


def test_a_model_without_answers_is_refused_at_once(pellucid, tmp_path):
    done = pellucid("answer", write_bert(tmp_path / "m", seed=0), stdin=b"")
    assert (done.code, done.out) == (USAGE, "")
    assert "no head 'span'. Heads of this model: mlm" in done.err


NAMES = ["Anna", "Karl", "Miller"]
ANIMALS = ["dog", "cat", "hen"]
SMALL = ["--training.max-updates", "120", "--training.rate", "0.005", "--training.warmup", "10"]


def drawn(seed, n):
    """The answer is the one name among animals; questions are all alike."""
    rng = random.Random(seed)
    for i in range(n):
        name, words = rng.choice(NAMES), rng.choices(ANIMALS, k=4)
        words.insert(rng.randrange(5), name)
        context = " ".join(words) + f" {i}"
        yield "Who is here?", context, name, context.index(name)


def write_squad(path, questions):
    paragraphs = [
        {"context": c, "qas": [{"question": q, "answers": [{"text": a, "answer_start": at}]}]}
        for q, c, a, at in questions
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return path


def test_from_a_file_to_answers(pellucid, tmp_path):
    """Authority: transformers on the saved directory; answers that the words alone decide."""
    start = write_bert(tmp_path / "bert", seed=0)
    train, valid, test = (list(drawn(n, n)) for n in (200, 40, 30))
    train[7] = (*train[7][:3], train[7][3] + 1)  # not where the file says
    files = [write_squad(tmp_path / f"{len(q)}.json", q) for q in (train, valid, test)]
    args = ["--task", "question_answering", "--start-from", start, *SMALL]
    data = ["--data.train", files[0], "--data.valid", files[1], "--run-dir", tmp_path / "run"]
    done = pellucid("train", *args, *data, "--data.max-length", "60")
    assert done.code == 0, done.err
    assert "1 of 200 training examples have an answer that is not where the file says" in done.err
    scores = pellucid("evaluate", tmp_path / "run", "--data", files[2]).out
    lines = "".join(f"{q}\t{c}\n" for q, c, *_ in test)
    answers = pellucid("answer", tmp_path / "run", stdin=lines.encode()).out.split("\n")[:-1]
    texts = [line.split("\t")[0] for line in answers]
    share = sum(text == a for text, (_, _, a, _) in zip(texts, test, strict=True)) / len(test)
    assert share > 0.9  # of 15 spans of words
    assert float(scores.split("exact_match ")[1].split()[0]) == pytest.approx(share, abs=1e-3)

    peer = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "run" / "final").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run" / "final")
    for text, (question, context, *_) in zip(texts, test, strict=True):
        encoding = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
        offsets = encoding.pop("offset_mapping")[0].tolist()
        inside = torch.tensor([kind == 1 for kind in encoding.sequence_ids()])
        with torch.no_grad():
            output = peer(**encoding)
        start, end = (
            x[0].masked_fill(~inside, -1e9) for x in (output.start_logits, output.end_logits)
        )
        best = int((start[:, None] + end + torch.full((len(start),) * 2, -1e9).tril(-1)).argmax())
        first, last = divmod(best, len(start))
        assert text == context[offsets[first][0] : offsets[last][1]]
