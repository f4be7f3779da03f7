"""Language models through the whole pipeline: memorizing, resuming, saving."""

import json
import math

import pytest
import torch

import pellucid
from pellucid import garden
from pellucid.config.read import merge
from pellucid.errors import ConfigError
from pellucid.training import checkpoints
from pellucid.training.pipeline import train

pytestmark = pytest.mark.timeout(300)
SIZES = ["gpt2-micro", "transfo-xl-micro"]
TEXTS = [english for english, _ in garden.pairs(32, "en", "de")]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in TEXTS))
    return path


def losses_of(run):
    records = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    return {record["step"]: record["loss"] for record in records if "loss" in record}


def settings(text, run, size, **training):
    given = {
        "task": "language_modeling",
        "size": size,
        "run_dir": str(run),
        "device": "cpu",
        "data": {"train": [str(text)], "valid": [str(text)]},
        "tokenizer": {"kind": "char"},
        "model": {"d_model": 48, "d_ff": 96, "n_heads": 3, "n_decoder_layers": 2, "max_length": 32},
        "training": {
            "max_updates": 10,
            "max_tokens": 256,
            "rate": 0.01,
            "warmup": 2,
            "schedule": "constant",
            "validate_every": 5,
            "checkpoint_every": 5,
            "log_every": 1,
            "precision": "fp32",
            "threads": 1,
        },
    }
    return merge(given, {"training": training})


@pytest.mark.parametrize("size", SIZES)
def test_a_run_that_goes_on_is_the_same_run(size, text, tmp_path):
    """Authority: the uninterrupted run. Update 13 is inside an epoch, which has 4 or 5 batches."""
    train(settings(text, tmp_path / "whole", size, max_updates=24))
    train(settings(text, tmp_path / "cut", size, max_updates=13))
    train(settings(text, tmp_path / "cut", size, max_updates=24))
    states = []
    for run in ("whole", "cut"):
        latest = checkpoints.latest_checkpoint(tmp_path / run)
        assert latest.path is not None
        states.append(checkpoints.read_checkpoint(latest.path)[0])
    whole, cut = states
    if size.startswith("transfo"):
        assert whole["buffers"]["memory"].abs().sum() > 0
    for group, tensors in whole.items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, cut[group][name]), (group, name)
    whole, cut = (losses_of(tmp_path / run) for run in ("whole", "cut"))
    assert whole == cut
    assert len(whole) == 24


@pytest.mark.parametrize(
    ("size", "context", "tokens", "rate"),
    [("gpt2-micro", 32, 512, 0.01), ("transfo-xl-micro", 160, 160, 0.005)],  # one row has all
)
def test_32_sentences_are_learned_by_heart(size, context, tokens, rate, text, tmp_path):
    """Authority: the sentences, and arithmetic on the loss."""
    n = 350
    updates = {"max_updates": n, "validate_every": n, "checkpoint_every": n, "log_every": n}
    given = settings(text, tmp_path / "run", size, **updates, max_tokens=tokens, rate=rate)
    dropout = dict.fromkeys(("dropout", "attention_dropout", "activation_dropout"), 0.0)
    over = {"model": {**dropout, "max_length": context}}
    over |= {"training": {"schedule": "cosine", "warmup": 10}}
    trained = train(merge(given, over))
    final = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()][-1]
    n = sum(map(len, TEXTS))
    assert final["valid_bits_per_character"] < 0.5
    assert final["valid_perplexity"] == pytest.approx(math.exp(final["valid_loss"]))
    assert final["valid_bits_per_character"] == pytest.approx(
        final["valid_loss"] / math.log(2) * (n + 32) / n
    )
    model = pellucid.load(str(trained.run.final))
    if size == "gpt2-micro":  # the other has never read a sentence without memory
        continued = model.generate([line[:20] for line in TEXTS], beam=1, max_length=10)
        right = [one.text == line[20:30] for one, line in zip(continued, TEXTS, strict=True)]
        assert sum(right) >= 24


def test_a_control_code_decides_the_text(tmp_path):  # authority: the texts of each code
    kinds = {"animal": "the cat", "colour": "a red"}
    rows = [f"{code}\t{text} {i}" for i in range(16) for code, text in kinds.items()]
    path = tmp_path / "coded.tsv"
    path.write_text("code\ttext\n" + "\n".join(rows) + "\n")
    updates = {"max_updates": 60, "validate_every": 60, "checkpoint_every": 60, "log_every": 60}
    trained = train(settings(path, tmp_path / "run", "ctrl-micro", **updates))
    model = pellucid.load(str(trained.run.final))
    for code, text in kinds.items():
        (best,) = model.generate([""], code=code, beam=1, max_length=10)
        assert best.text.startswith(text)
    with pytest.raises(pellucid.errors.UsageError, match="'plant' is not a control code"):
        model.generate([""], code="plant")


def test_a_setting_that_cannot_be_is_refused_before_training(text, tmp_path):
    given = settings(text, tmp_path / "run", "gpt2-micro")
    with pytest.raises(ConfigError, match=r"stride=33 is more than a window of 32"):
        train(merge(given, {"objective": {"stride": 33}}))
    with pytest.raises(ConfigError, match="mem_len"):
        train(merge(given, {"model": {"mem_len": 8}}))
