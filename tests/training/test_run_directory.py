"""What a run keeps, and what it may change."""

from dataclasses import asdict, replace

import pytest

from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError, DataError
from pellucid.training.run_directory import MAY_CHANGE, RunDirectory, _flat

CONFIG = RunConfig(data=DataConfig(train=("a.en", "a.de")), training=TrainingConfig(seed=4))
OTHER_SEED = replace(CONFIG, training=TrainingConfig(seed=5))


TEXTS = {"a.en": "1", "a.de": "2"}


def start_run(path, checkpoint=True):
    """A run with one checkpoint or none, and a tokenizer."""
    run = RunDirectory(path)
    run.record_config(CONFIG, TEXTS)
    run.tokenizers.mkdir()
    if checkpoint:
        (path / "checkpoints" / "step-00000001").mkdir(parents=True)
    return run


def test_the_config_is_kept_as_it_was(tmp_path):
    run = RunDirectory(tmp_path / "run")
    assert run.config() is None
    run.record_config(CONFIG, TEXTS)
    assert (run.config(), run.digests()) == (CONFIG, TEXTS)
    run.record_config(CONFIG, TEXTS)


def test_a_run_may_go_further_but_not_elsewhere(tmp_path):
    run = start_run(tmp_path)
    further = replace(CONFIG, training=replace(CONFIG.training, max_updates=7))
    run.record_config(further, TEXTS)
    assert run.config() == run.fixed_config() == further
    with pytest.raises(ConfigError, match=r"began with training\.seed=4, now it is 5"):
        run.record_config(OTHER_SEED, TEXTS)
    with pytest.raises(DataError, match=r"a\.de: this is not the text .* Use another run_dir"):
        run.record_config(further, {"a.en": "1", "a.de": "3"})
    assert (run.config(), run.digests()) == (further, TEXTS)
    assert run.tokenizers.is_dir()


def test_a_finished_model_keeps_its_settings_without_checkpoints(tmp_path):
    run = start_run(tmp_path, checkpoint=False)
    run.final.mkdir()
    with pytest.raises(ConfigError, match="began with"):
        run.record_config(OTHER_SEED, TEXTS)


@pytest.mark.parametrize(
    ("config", "texts", "stays"),
    [
        (OTHER_SEED, TEXTS, True),
        (replace(CONFIG, tokenizer=TokenizerConfig(vocab_size=300)), TEXTS, False),
        (replace(CONFIG, data=replace(CONFIG.data, max_length=9)), TEXTS, False),
        (CONFIG, {"a.en": "1", "a.de": "3"}, False),
        (replace(CONFIG, start_from="model"), TEXTS, False),
        (replace(CONFIG, family="marian"), TEXTS, False),
    ],
)
def test_what_has_trained_nothing_begins_anew(tmp_path, config, texts, stays):
    run = start_run(tmp_path, checkpoint=False)
    (tmp_path / "checkpoints" / "step-best").mkdir(parents=True)  # a name that no run resumes from
    assert run.fixed_config() is None
    run.record_config(config, texts)
    assert (run.config(), run.digests()) == (config, texts)
    assert run.tokenizers.is_dir() == stays


def test_a_named_tokenizer_is_never_deleted(tmp_path):
    mine = tmp_path / "tokenizer"
    mine.mkdir()
    run = RunDirectory(tmp_path)
    with pytest.raises(DataError, match="Move it away, or use another run_dir"):
        run.record_config(CONFIG, TEXTS)
    assert run.config() is None
    named = replace(CONFIG, tokenizer=TokenizerConfig(path=str(mine)))
    for texts in (TEXTS, {**TEXTS, "a.de": "3"}):
        run.record_config(named, texts)
        assert mine.is_dir()


def test_what_may_change_are_settings():
    assert _flat(asdict(CONFIG)).keys() >= MAY_CHANGE


def test_metrics_are_rewound_to_a_size(tmp_path):
    run = RunDirectory(tmp_path)
    run.add_metrics({"step": 1})
    size = run.metrics_size()
    run.add_metrics({"step": 2})
    assert [record["step"] for record in run.metrics()] == [1, 2]
    run.rewind_metrics(size)
    assert [record["step"] for record in run.metrics()] == [1]
    run.rewind_metrics(10**6)
    assert run.metrics_size() == size
