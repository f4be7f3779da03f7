"""What a run keeps, and what it may change."""

from dataclasses import asdict, replace

import pytest

from pellucid.config.data import DataConfig
from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError
from pellucid.training.run_directory import FREE, RunDirectory, _flat

CONFIG = RunConfig(data=DataConfig(train=("a.en", "a.de")), training=TrainingConfig(seed=4))


def test_the_config_is_kept_as_it_was(tmp_path):
    run = RunDirectory(tmp_path / "run")
    assert run.config() is None
    run.begin(CONFIG)
    assert run.config() == CONFIG
    run.begin(CONFIG)


def test_a_run_may_go_further_but_not_elsewhere(tmp_path):
    run = RunDirectory(tmp_path)
    run.begin(CONFIG)
    further = replace(CONFIG, training=replace(CONFIG.training, max_updates=7))
    run.begin(further)
    assert run.config() == further
    with pytest.raises(ConfigError, match=r"began with training\.seed=4, now it is 5"):
        run.begin(replace(CONFIG, training=replace(CONFIG.training, seed=5)))
    assert run.config() == further


def test_what_may_change_are_settings():
    assert _flat(asdict(CONFIG)).keys() >= FREE


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
