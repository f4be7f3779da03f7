"""A language model from a file to a score and new text, by commands alone."""

import json
import math

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

from cli.writers import write_bert, write_gpt2
from pellucid.formats.open_model import open_model

SMALL = [
    *("--size", "gpt2-nanogpt", "--model.d-model", "32", "--model.d-ff", "64"),
    *("--model.n-decoder-layers", "1", "--model.max-length", "16", "--tokenizer.kind", "char"),
    *("--training.max-updates", "60", "--training.max-tokens", "256", "--training.rate", "0.01"),
]
KINDS = {"cat": "the cat sat.", "dog": "a dog ran.\nIt ran."}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    rows = "".join(
        f'{{"code": "{c}", "text": {t!r}}}\n'.replace("'", '"') for c, t in KINDS.items()
    )
    (folder / "coded.jsonl").write_text(rows * 20)
    (folder / "plain.txt").write_text("the cat sat.\na dog ran.\n")
    return folder


def test_from_a_file_to_text_and_scores(pellucid, files, tmp_path):
    data = ["--data.train", files / "coded.jsonl", "--data.valid", files / "coded.jsonl"]
    run = tmp_path / "run"
    done = pellucid("train", "--task", "language_modeling", *data, "--run-dir", run, *SMALL)
    assert done.code == 0, done.err
    assert "code: cat 20, dog 20" in done.err

    for code, text in KINDS.items():  # authority: the texts that were learned
        flags = ("--code", code, "--beam", "1", "--max-length", "8")
        done = pellucid("generate", run, *flags, stdin=b"\n" + text[:4].encode() + b"\n")
        lines = [line.replace("\n", " ") for line in (text[:8], text[4:12])]
        assert done.out.split("\n") == [*lines, ""], done.err
    done = pellucid("generate", run, "--code", "cow", stdin=b"\n")
    assert done.code == 2
    assert "'cow' is not a control code of this model. Use cat, dog." in done.err

    # Authority: transformers' log-probabilities; a document of two lines has a newline in it.
    peer, bundle = AutoModelForCausalLM.from_pretrained(run / "final"), open_model(run / "final")
    text = (files / "plain.txt").read_text().rstrip("\n")
    end = bundle.tokenizers.source.id("eos")
    for documents, pieces in (("line", text.split("\n")), ("file", [text])):
        done = pellucid("evaluate", run, "--data", files / "plain.txt", "--documents", documents)
        assert done.code == 0, done.err
        ids = [end, *(i for p in pieces for i in [*bundle.tokenizers.source.encode(p).ids, end])]
        total = 0.0
        for i in range(len(ids) - 1):
            begin = 0 if i < 16 else math.ceil((i + 1 - 16) / 8) * 8
            with torch.no_grad():
                logits = peer(torch.tensor([ids[begin : i + 1]])).logits[0, -1]
            total -= float(logits.log_softmax(-1)[ids[i + 1]])
        assert f"loss {total / (len(ids) - 1):.4f}" in done.out
        bits = total / math.log(2) / sum(map(len, pieces))
        assert f"bits_per_byte {bits:.4f}" in done.out


def test_a_published_model_goes_on_learning(pellucid, files, tmp_path):
    """Authority: the published files; end token, context and head are its own."""
    start = write_gpt2(tmp_path / "gpt2", seed=0)
    run, config = tmp_path / "run", json.loads((start / "config.json").read_text())
    flags = ("--training.max-updates", "3", "--training.batch-examples", "2")
    data = ("--data.train", files / "plain.txt", "--data.valid", files / "plain.txt")
    args = ("--task", "language_modeling", "--start-from", start, "--run-dir", run)
    done = pellucid("train", *args, *data, *flags)
    assert done.code == 0, done.err
    bundle, peer = open_model(run / "final"), GPT2LMHeadModel.from_pretrained(run / "final")
    settings = yaml.safe_load((run / "config.yaml").read_text())
    assert settings["training"]["max_tokens"] == 0  # a flag gives the examples of a batch
    assert bundle.special_ids.end == peer.config.eos_token_id == config["eos_token_id"]
    assert peer.config.n_positions == config["n_positions"]
    ids = torch.tensor([bundle.tokenizers.source.encode("the cat sat.").ids])
    with torch.no_grad():
        ours = bundle.model.heads["lm"](bundle.model(ids))
        torch.testing.assert_close(ours, peer(ids).logits, atol=1e-4, rtol=0)
    before = open_model(start).model.decoder.embedding.weight
    assert not torch.equal(before, bundle.model.decoder.embedding.weight)
    args = ("--task", "language_modeling", "--start-from", write_bert(tmp_path / "bert", seed=0))
    done = pellucid("train", *args, *data, "--run-dir", tmp_path / "other")
    assert done.code == 4
    assert "family bert cannot be trained by language_modeling" in done.err


def test_flags_for_documents_are_not_for_translators(pellucid):
    done = pellucid("evaluate", "en-de", "--data", "a.en", "b.de", "--documents", "file")
    assert done.code == 2
    assert "--documents: not for translations" in done.err
