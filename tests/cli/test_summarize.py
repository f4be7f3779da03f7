"""From raw text to summaries on the command line.  Authority: the Python verb; counting lines."""

import json

import pytest

import pellucid as package
from pellucid import garden

SMALL = [
    *("--model.d-model", "32", "--model.d-ff", "64", "--model.n-heads", "2"),
    *("--model.n-encoder-layers", "1", "--model.n-decoder-layers", "1"),
    *("--training.max-tokens", "300", "--data.max-length", "40"),
    *("--training.max-updates", "4", "--training.validate-every", "4"),
    *("--training.checkpoint-every", "4", "--tokenizer.vocab-size", "500"),
]
TUNING = ["--training.max-updates", "4", "--data.max-length", "40", "--decoding.max-length", "12"]


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    path = tmp_path_factory.mktemp("documents") / "documents.jsonl"
    sentences = [english for english, _ in garden.pairs(90, "en", "de")]
    rows = [
        {"dialogue": "\n".join(sentences[i : i + 3]), "summary": sentences[i]}
        for i in range(0, 90, 3)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pretrain(pellucid, task, documents, run):
    data = ("--data.train", documents)
    done = pellucid("train", "--task", task, *data, "--run-dir", run, *SMALL)
    assert done.code == 0, done.err
    return done


@pytest.mark.timeout(200)
def test_from_text_to_summaries(pellucid, documents, tmp_path):
    pretrained, run = tmp_path / "bart", tmp_path / "run"
    done = pretrain(pellucid, "denoising", documents, pretrained)
    assert f"pellucid train --task summarization --start-from {pretrained}" in done.out
    done = pellucid(
        *("train", "--task", "summarization", "--start-from", pretrained),
        *("--data.train", documents, "--run-dir", run, *TUNING),
    )
    assert done.code == 0, done.err
    assert "are cut" in done.err
    assert f"pellucid summarize {run} < FILE" in done.out
    lines = ["The dog sleeps.", "", "The cat " + "is here and " * 90, " "]
    text = "".join(line + "\n" for line in lines).encode()
    done = pellucid("summarize", run, stdin=text)
    model = package.load(run)
    wanted = [each.text for each in model.summarize(lines)]
    assert done.out.split("\n") == [*wanted, ""]
    assert wanted[1] == wanted[3] == ""
    assert "1 line was longer than this model reads" in done.err
    records = pellucid("summarize", run, "--jsonl", "--beam", "1", stdin=text).out.split("\n")[:-1]
    records = [json.loads(record) for record in records]
    assert [record["text"] for record in records] == [
        each.text for each in model.summarize(lines, beam=1)
    ]
    assert [record["source_cut"] > 0 for record in records] == [False, False, True, False]
    scores = json.loads(pellucid("evaluate", run, "--data", documents, "--json").out)
    assert set(scores["scores"]) >= {"loss", "rouge1", "rouge2", "rougeL", "rougeLsum"}


@pytest.mark.timeout(200)
def test_span_corruption_from_text_to_scores(pellucid, documents, tmp_path):
    pretrain(pellucid, "span_corruption", documents, tmp_path / "t5")
    scores = json.loads(pellucid("evaluate", tmp_path / "t5", "--data", documents, "--json").out)
    assert set(scores["scores"]) == {"loss", "perplexity"}


def test_wrong_models_and_settings_are_refused(pellucid, tmp_path):
    from cli.writers import write_bert

    done = pellucid("summarize", write_bert(tmp_path / "bert", seed=1), stdin=b"a\n")
    assert done.code == 2
    assert "this model cannot summarize" in done.err
