"""Tasks from the command line: help, init, train, evaluate."""

import json
from dataclasses import fields

import pytest
import yaml

from pellucid import garden, load_vectors
from pellucid.cli.task_sections import task_sections
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data.vectors import read_vectors
from pellucid.errors import DataError, UsageError, VerificationError
from pellucid.families.run_config import build_run

SMALL = [
    *("--model.d-model", "32", "--model.d-ff", "64", "--model.n-heads", "2"),
    *("--model.n-encoder-layers", "1", "--tokenizer.vocab-size", "300"),
    *("--training.max-updates", "3", "--training.max-tokens", "300"),
    *("--training.validate-every", "3", "--training.checkpoint-every", "3"),
]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "my text.txt"
    path.write_text("".join(f"{english}\n" for english, _ in garden.pairs(60, "en", "de")))
    return path


@pytest.fixture
def tagged(tmp_path):
    path = tmp_path / "t.conll"
    path.write_text("".join(f"Ada{i} B-PER\nleft O\n\n" for i in range(40)))
    return path


@pytest.mark.parametrize("task", TASK_CONFIGS)
def test_help_shows_the_settings_of_the_task(pellucid, task):  # authority: the dataclasses
    done = pellucid("train", "--task", task, "--help")
    assert done.code == 0
    own = {field.name for field in fields(TASK_CONFIGS[task])}
    for config in TASK_CONFIGS.values():
        for field in fields(config):
            flag = f"--objective.{field.name.replace('_', '-')} "
            assert (flag in done.out) == (field.name in own), flag


@pytest.mark.parametrize("task", TASK_CONFIGS)
def test_init_prints_a_config_that_can_be_used(pellucid, task):  # authority: reading it back
    done = pellucid("init", task)
    assert done.code == 0
    inputs = yaml.safe_load(done.out)
    config = build_run({k: v for k, v in inputs.items() if v is not None}, "init")
    assert config.task == task
    assert type(config.objective) is TASK_CONFIGS[task]
    assert pellucid("init", "juggling").code == 2


def test_init_takes_the_shape_of_a_start(pellucid, text, tmp_path):  # authority: the run's config
    run = tmp_path / "mlm"
    done = pellucid("train", "--task", "masked_lm", "--data.train", text, "--run-dir", run, *SMALL)
    assert done.code == 0, done.err
    done = pellucid("init", "tagging", "--start-from", run)
    assert done.code == 0, done.err
    start = yaml.safe_load((run / "config.yaml").read_text())
    assert "start_from:" in done.out
    assert f"d_model: {start['model']['d_model']}" in done.out


def test_sections_follow_task_and_size(tmp_path):
    tagging, translation = TASK_CONFIGS["tagging"], TASK_CONFIGS["translation"]
    assert task_sections([]) == {"objective": translation, "model": ModelConfig}
    assert task_sections(["--size", "rnn"])["model"] is RNNConfig
    assert task_sections(["--task=tagging"])["objective"] is tagging
    config = tmp_path / "c.yaml"
    config.write_text("task: tagging\n")
    assert task_sections([str(config)])["objective"] is tagging
    assert task_sections([str(config), "--task", "translation"])["objective"] is translation
    (tmp_path / "run").mkdir()
    config.rename(tmp_path / "run" / "config.yaml")
    assert task_sections([str(tmp_path / "run")])["objective"] is tagging
    with pytest.raises(UsageError, match="no task 'juggling'"):
        task_sections(["--task", "juggling"])


def test_masked_lm_from_text_to_scores(pellucid, text, tmp_path):
    run = tmp_path / "a run"
    done = pellucid("train", "--task", "masked_lm", "--data.train", text, *SMALL, "--run-dir", run)
    assert done.code == 0, done.err
    assert f"pellucid fill '{run}'" in done.out  # it can be pasted
    filled = pellucid("fill", run, stdin=b"The [MASK] sleeps.\n")
    assert filled.code == 0
    assert "[MASK]" not in filled.out
    scores = pellucid("evaluate", run, "--data", text, "--json")
    actual = json.loads(scores.out)
    assert actual["task"] == "masked_lm"
    assert set(actual["scores"]) == {"loss", "perplexity", "accuracy"}


def test_tagging_from_conll_to_scores(pellucid, tagged, tmp_path):
    run = tmp_path / "run"
    done = pellucid("train", "--task", "tagging", "--data.train", tagged, *SMALL, "--run-dir", run)
    assert done.code == 0, done.err
    assert len(pellucid("tag", run, stdin=b"Ada7 left now\n\n").out.split("\n")[0].split()) == 3
    scores = pellucid("evaluate", run, "--data", tagged)
    assert scores.code == 0
    assert [line.split()[0] for line in scores.out.split("\n\n")[0].split("\n")] == [
        "loss",
        "accuracy",
        "precision",
        "recall",
        "f1",
    ]
    refused = pellucid("evaluate", run, "--data", tagged, "--tokenised")
    assert refused.code == 2
    assert "--tokenised: for translators, but this model's task is tagging" in refused.err
    other = pellucid("train", run, "--objective.head", "crf")
    assert other.code == 4
    assert "began with objective.head='linear'" in other.err


def test_settings_of_another_task_are_unknown(pellucid, tagged):
    done = pellucid("train", "--task", "tagging", "--data.train", tagged, "--objective.chosen", "1")
    assert done.code == 2
    assert "--objective.chosen" in done.err


def test_word_vectors_from_text_to_neighbors(pellucid, text, tmp_path):
    run = tmp_path / "a run"
    small = ["--model.d-model", "8", "--tokenizer.vocab-size", "300", "--training.max-updates", "3"]
    args = ["--task", "word_vectors", "--data.train", text, "--run-dir", run]
    done = pellucid("train", *args, *small)
    assert done.code == 0, done.err
    assert f"The vectors are in {run}/final" in done.out
    assert "skip-gram model" in (run / "final" / "README.md").read_text()
    vectors = load_vectors(run)
    assert [n.word for n in vectors.nearest("the", top=len(vectors) - 1)].count("the") == 0
    rows = {word: row for row, word in enumerate(vectors.words)}
    values = read_vectors(str(run / "final" / "vectors.txt"), rows, 8).values
    assert (values == vectors.values).all()
    for verb in (["info", run], ["evaluate", run, "--data", text]):
        refused = pellucid(*verb)
        assert refused.code == 3
        assert "holds word vectors, no model" in refused.err
    assert pellucid("average", run, "--out", tmp_path / "mean").code == 2
    (run / "final" / "vectors.txt").write_text("1 2\na 1 2\n")
    with pytest.raises(VerificationError, match=r"vectors\.txt"):
        load_vectors(run)
    with pytest.raises(DataError, match="no word vectors at"):
        load_vectors(tmp_path)
