"""What a run's settings are where the user left them open."""

from dataclasses import asdict

import pytest

from pellucid.config.run import CHOSEN, RunConfig
from pellucid.errors import ConfigError
from pellucid.families.run_config import build_run
from pellucid.families.transformer import PRESETS
from pellucid.training import defaults
from pellucid.training.defaults import complete
from pellucid.training.run_directory import _flat
from pellucid.training.schedules import learning_rate


@pytest.mark.parametrize(
    ("n_pairs", "on_cpu", "size"),
    [
        (500, True, "tiny"),
        (29_000, True, "tiny"),
        (160_000, True, "small"),
        (5_000_000, True, "small"),
        (5_000_000, False, "base"),
    ],
)
def test_size_follows_data_and_machine(n_pairs, on_cpu, size):
    config, notes = complete({}, n_pairs, on_cpu)
    assert config.size == size
    assert config.model == PRESETS[size]
    assert f"{n_pairs:,} training pairs" in notes[0]
    assert size in notes[0]


def test_what_the_user_says_stands():
    given = {
        "size": "base",
        "model": {"dropout": 0.25},
        "tokenizer": {"vocab_size": 777},
        "training": {"max_updates": 50, "warmup": 9},
    }
    config, notes = complete(given, 10_000, on_cpu=True)
    assert (config.model.dropout, config.model.d_model) == (0.25, 512)
    assert config.tokenizer.vocab_size == 777
    assert (config.training.max_updates, config.training.warmup) == (50, 9)
    assert notes == []


@pytest.mark.parametrize("n_pairs", [1, 10, 1000, 60_000])
def test_warm_up_leaves_room_for_training(n_pairs):
    training = complete({}, n_pairs, on_cpu=True)[0].training
    assert 1 <= training.warmup <= max(1, training.max_updates // 4)
    assert 1 <= training.validate_every <= training.max_updates


def test_a_larger_batch_means_fewer_updates():  # authority: the same number of epochs
    one = complete({}, 29_000, on_cpu=True)[0].training.max_updates
    four = complete({"training": {"accumulate": 4}}, 29_000, on_cpu=True)[0].training.max_updates
    assert four == pytest.approx(one / 4, rel=0.05)


def test_an_unknown_size_is_named():
    with pytest.raises(ConfigError, match="'huge' is not known"):
        complete({"size": "huge"}, 100, on_cpu=True)


@pytest.mark.parametrize("size", ["tiny", "rnn"])
def test_the_papers_schedule_has_its_own_peak(size):  # authority: Vaswani et al. 2017, eq. 3
    given = {"size": size, "training": {"schedule": "noam"}}
    config, _ = complete(given, 29_000, on_cpu=True)
    c, d_model = config.training, config.model.d_model
    assert learning_rate(c.warmup, c, d_model) == pytest.approx((d_model * c.warmup) ** -0.5)
    given = {"size": size, "training": {"schedule": "noam", "rate": 0.5}}
    assert complete(given, 29_000, on_cpu=True)[0].training.rate == 0.5


@pytest.mark.parametrize("size", [["tiny"], {"tiny": 1}, 3])
def test_a_size_that_is_no_name(size):
    with pytest.raises(ConfigError, match="is not known"):
        complete({"size": size}, 100, on_cpu=True)
    with pytest.raises(ConfigError, match="size"):
        build_run({"size": size}, "test")


def test_wrong_types_are_left_to_the_reader_of_configs():
    with pytest.raises(ConfigError, match="max_tokens"):
        complete({"training": {"max_tokens": "many"}}, 100, on_cpu=True)
    with pytest.raises(ConfigError, match="accumulate=0"):
        complete({"training": {"accumulate": 0}}, 100, on_cpu=True)
    with pytest.raises(ConfigError, match="training is a section"):
        complete({"training": 5}, 100, on_cpu=True)


def test_what_is_chosen_is_known_to_the_help():  # authority: every choice, against the defaults
    differ = set()
    for size in ("auto", *defaults.SIZES):
        for choice in defaults.CHOICES:
            for on_cpu in (True, False):
                config, _ = complete({"size": size}, int(min(choice.pairs, 10**7)), on_cpu)
                plain = RunConfig(size=config.size, model=type(config.model)())
                before, after = _flat(asdict(plain)), _flat(asdict(config))
                differ |= {name for name in before if before[name] != after[name]}
    assert differ == CHOSEN
