"""Pretraining objectives end to end: 32 examples are memorized, and a run is resumed.

Authority: memorized examples score far above chance; the uninterrupted run.
"""

import pytest

from pellucid import garden
from pellucid.config.read import merge
from pellucid.training.pipeline import train
from training.conftest import figures

pytestmark = pytest.mark.timeout(300)  # whole trainings, on a machine that may be shared

SMALL = {
    "device": "cpu",
    "tokenizer": {"vocab_size": 300},
    "model": {
        "d_model": 32,
        "d_ff": 64,
        "n_heads": 2,
        "n_encoder_layers": 1,
        "dropout": 0.0,
        "attention_dropout": 0.0,
    },
    "training": {
        "max_tokens": 800,
        "schedule": "constant",
        "rate": 0.003,
        "warmup": 0,
        "log_every": 50,
        "validate_every": 500,
        "checkpoint_every": 500,
        "precision": "fp32",
        "threads": 1,
    },
}
TASKS = {
    "masked_lm": {"objective": {"whole_words": True}, "training": {"rate": 0.01}},
    "next_sentence": {
        "task": "masked_lm",
        "objective": {"pairs": "next_sentence"},
        "training": {"rate": 0.01},
    },
    "sentence_order": {
        "task": "masked_lm",
        "size": "albert-tiny",
        "objective": {"pairs": "sentence_order", "whole_words": True},
        "model": {"d_embedding": 16},
    },
    "replaced_token": {
        "size": "electra-mini",
        "model": {"d_model": 64, "d_ff": 128, "d_embedding": 16},
        "training": {"rate": 0.005},
    },
    "distillation": {},
    "word_vectors": {
        "objective": {"subsample": 0.0},
        "training": {"rate": 0.02},
    },
}
BY_HEART = {
    "masked_lm": (300, {"valid_accuracy": 0.45}),
    "next_sentence": (300, {"valid_pair_accuracy": 0.84}),
    "sentence_order": (300, {"valid_pair_accuracy": 0.84}),
    "replaced_token": (300, {"valid_precision": 0.8, "valid_recall": 0.35}),
    "word_vectors": (300, {"valid_loss": -2.3}),
    "distillation": (250, {"valid_accuracy": 0.25}),
}
"""Updates, and a bound of what was learned: from below, or from above if negative."""


@pytest.fixture(scope="session")
def documents(tmp_path_factory):
    """32 documents of two sentences, with blank lines between."""
    path = tmp_path_factory.mktemp("documents") / "documents.txt"
    sentences = [english for english, _ in garden.pairs(64, "en", "de")]
    pairs = zip(sentences[::2], sentences[1::2], strict=True)
    path.write_text("\n".join(f"{first}\n{second}\n" for first, second in pairs), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def teacher(documents):
    """A masked language model of two layers."""
    run = documents.parent / "teacher"
    given = {"task": "masked_lm", "run_dir": str(run), "data": {"train": [str(documents)]}}
    shape = {"model": {"n_encoder_layers": 2}, "training": {"max_updates": 40, "rate": 0.01}}
    train(merge(SMALL, {**given, **shape}))
    return run


@pytest.fixture
def of_task(name, request):
    """The settings of a small run of a task."""
    if name == "word_vectors":  # it has no layers
        return {**merge(SMALL, {"task": name, **TASKS[name]}), "model": {"d_model": 32}}
    if name != "distillation":
        return merge(SMALL, {"task": name, **TASKS[name]})
    teacher = request.getfixturevalue("teacher")
    small = {section: values for section, values in SMALL.items() if section != "tokenizer"}
    given = {"task": name, "objective": {"teacher": str(teacher)}, "training": {"rate": 0.01}}
    return merge(small, given)


def complete(of_task, documents, run, updates, **training):
    data = {"train": [str(documents)], "valid": [str(documents)], "documents": "blank_line"}
    given = {"data": data, "run_dir": str(run), "training": {"max_updates": updates, **training}}
    return merge(of_task, given)


@pytest.mark.parametrize("name", BY_HEART)
def test_learns_32_examples_by_heart(name, of_task, documents, tmp_path):
    updates, least = BY_HEART[name]
    train(complete(of_task, documents, tmp_path, updates))
    scores = figures(tmp_path)[-1]
    for metric, bound in least.items():
        assert scores[metric] > bound if bound > 0 else scores[metric] < -bound, str(scores)


@pytest.mark.parametrize("name", TASKS)
def test_a_resumed_run_is_the_uninterrupted_one(name, of_task, documents, tmp_path):
    often = {"log_every": 1, "checkpoint_every": 3}
    for run, updates in (("stopped", 3), ("stopped", 6), ("whole", 6)):
        train(complete(of_task, documents, tmp_path / run, updates, **often))
    assert figures(tmp_path / "stopped")[-3:] == figures(tmp_path / "whole")[-3:]
    whole = tmp_path / "whole"
    paths = [*whole.glob("*/model.safetensors"), *whole.glob("*/vectors.txt")]
    files = [path.relative_to(whole) for path in paths]
    assert files
    for file in files:
        assert (tmp_path / "stopped" / file).read_bytes() == (whole / file).read_bytes(), file
