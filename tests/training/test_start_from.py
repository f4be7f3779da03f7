"""Training from published directories. Authority: transformers, which opens the result."""

import json

import pytest
import torch

from pellucid.formats.open_model import open_model
from pellucid.training import prepare
from pellucid.training.pipeline import train
from training.conftest import CHARACTERS
from training.test_fine_tuning import Lines

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.timeout(300)  # whole trainings, on a machine that may be shared

TRAINING = {"max_updates": 3, "precision": "fp32", "threads": 1, "rate": 0.01}


def settings(task, start, data, run, **training):
    return {
        "device": "cpu",
        "task": task,
        "run_dir": str(run),
        "start_from": str(start),
        "data": {"train": [str(data)]},
        "training": TRAINING | training,
    }


def test_a_tagger_from_the_layout_of_bert_base_chinese(
    chinese_bert, chinese_conll, tmp_path, monkeypatch
):
    opened = []

    def remember(path):
        opened.append(open_model(path))
        return opened[-1]

    monkeypatch.setattr(prepare, "open_model", remember)
    heard = Lines()
    run = train(
        settings("tagging", chinese_bert, chinese_conll, tmp_path / "run"), reporter=heard
    ).run
    messages = "\n".join(heard.lines)
    assert "head tagger is initialized: the model to start from has the heads mlm" in messages
    assert "not used of the model to start from: head mlm" in messages
    assert "training texts are longer than 12 positions of the model and are cut" in messages
    assert all(p.is_meta for p in opened[0].model.parameters())  # its memory is free
    files = {path.name for path in run.final.iterdir()}
    assert "generation_config.json" not in files
    reference = transformers.AutoModelForTokenClassification.from_pretrained(run.final).eval()
    assert reference.config.id2label == {0: "B-LOC", 1: "O"}
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.final)
    ids = tokenizer("北京的人", return_tensors="pt")["input_ids"]
    actual = open_model(run.final)
    assert ids[0, 1:-1].tolist() == actual.tokenizers.source.encode("北京的人").ids
    with torch.no_grad():
        expected = reference(ids).logits
        logits = actual.model.heads["tagger"](actual.model(ids))
    assert (logits - expected).abs().max() < 1e-5
    # Other labels: the head's output is new, and nothing else.
    other = tmp_path / "other.conll"
    other.write_text(
        chinese_conll.read_text(encoding="utf-8").replace("LOC", "ORT"), encoding="utf-8"
    )
    heard = Lines()
    train(settings("tagging", run.path, other, tmp_path / "other", rate=1e-30), reporter=heard)
    messages = "\n".join(heard.lines)
    assert "the output of head tagger is initialized" in messages
    assert "other labels (B-LOC, O)" in messages


def test_a_masked_lm_from_the_layout_of_bert_base_chinese(chinese_bert, tmp_path):
    texts = tmp_path / "zh.txt"
    texts.write_text("".join(f"{CHARACTERS[i % 9 :]}\n" for i in range(60)), encoding="utf-8")
    run = train(settings("masked_lm", chinese_bert, texts, tmp_path / "run")).run
    reference = transformers.AutoModelForMaskedLM.from_pretrained(run.final).eval()
    actual = open_model(run.final)
    ids = torch.tensor([[2, 10, 4, 12, 3]])
    with torch.no_grad():
        expected = reference(ids).logits
        logits = actual.model.heads["mlm"](actual.model(ids))
    assert (logits - expected).abs().max() < 1e-5
    config = json.loads((run.final / "config.json").read_text())
    assert config["vocab_size"] == 40
