"""What a run's settings are where the user left them open."""

import itertools
from dataclasses import asdict, fields, replace
from types import SimpleNamespace

import pytest

from pellucid.config.run import AUTOMATIC_SETTINGS, RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.errors import ConfigError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.run_config import build_run
from pellucid.families.transformer import PRESETS
from pellucid.training.defaults import RunContext, complete_settings
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
    config, notes = complete_settings({}, RunContext(n_pairs, on_cpu))
    assert config.size == size
    assert config.model == PRESETS[size]
    assert f"{n_pairs:,} training examples" in notes[0]
    assert size in notes[0]


def test_what_the_user_says_stands():
    given = {
        "size": "base",
        "model": {"dropout": 0.25},
        "tokenizer": {"vocab_size": 777},
        "training": {"max_updates": 50, "warmup": 9},
    }
    config, notes = complete_settings(given, RunContext(10_000, True))
    assert (config.model.dropout, config.model.d_model) == (0.25, 512)
    assert config.tokenizer.vocab_size == 777
    assert (config.training.max_updates, config.training.warmup) == (50, 9)
    assert notes == []


@pytest.mark.parametrize("n_pairs", [1, 10, 1000, 60_000])
def test_warm_up_leaves_room_for_training(n_pairs):
    training = complete_settings({}, RunContext(n_pairs, True))[0].training
    assert 1 <= training.warmup <= max(1, training.max_updates // 4)
    assert 1 <= training.validate_every <= training.max_updates


def test_a_larger_batch_means_fewer_updates():  # authority: the same number of epochs
    one = complete_settings({}, RunContext(29_000, True))[0].training.max_updates
    four = complete_settings({"training": {"accumulate": 4}}, RunContext(29_000, True))[
        0
    ].training.max_updates
    assert four == pytest.approx(one / 4, rel=0.05)


def test_an_unknown_size_is_named():
    with pytest.raises(ConfigError, match="'huge' is not a size for translation"):
        complete_settings({"size": "huge"}, RunContext(100, True))


@pytest.mark.parametrize("size", ["tiny", "rnn"])
def test_the_papers_schedule_has_its_own_peak(size):  # authority: Vaswani et al. 2017, eq. 3
    given = {"size": size, "training": {"schedule": "noam"}}
    config, _ = complete_settings(given, RunContext(29_000, True))
    c, d_model = config.training, config.model.d_model
    assert learning_rate(c.warmup, c, d_model) == pytest.approx((d_model * c.warmup) ** -0.5)
    given = {"size": size, "training": {"schedule": "noam", "rate": 0.5}}
    assert complete_settings(given, RunContext(29_000, True))[0].training.rate == 0.5


@pytest.mark.parametrize("size", [["tiny"], {"tiny": 1}, 3])
def test_a_size_that_is_no_name(size):
    with pytest.raises(ConfigError, match="is not a size"):
        complete_settings({"size": size}, RunContext(100, True))
    with pytest.raises(ConfigError, match="size"):
        build_run({"size": size}, "test")


def test_wrong_types_are_left_to_the_reader_of_configs():
    with pytest.raises(ConfigError, match="max_tokens"):
        complete_settings({"training": {"max_tokens": "many"}}, RunContext(100, True))
    with pytest.raises(ConfigError, match="accumulate=0"):
        complete_settings({"training": {"accumulate": 0}}, RunContext(100, True))
    with pytest.raises(ConfigError, match="training is a section"):
        complete_settings({"training": 5}, RunContext(100, True))


def test_what_is_chosen_is_known_to_the_help():  # authority: every choice, against the defaults
    differ = set()
    start = directory("bert")
    for name, task in TASK_CONFIGS.items():
        for size in ("auto", *task.sizes, "of the start"):
            for n, on_cpu in itertools.product((100, 10_000, 200_001, 10**7), (True, False)):
                given, context = {"task": name, "size": size}, RunContext(n, on_cpu)
                if size == "of the start":
                    given |= {"size": "auto", "start_from": "dir"}
                    context = context._replace(start=start)
                config, _ = complete_settings(given, context)
                plain = RunConfig(
                    task=name,
                    size=config.size,
                    start_from=config.start_from,
                    family=config.family,
                    objective=task(),
                    model=type(config.model)(),
                )
                before, after = _flat(asdict(plain)), _flat(asdict(config))
                changed = {name for name in before if before[name] != after[name]}
                # Presets of published families differ in nearly everything.
                ours = config.family in ("transformer", "rnn")
                translates = name == "translation" and ours and not config.start_from
                differ |= {name for name in changed if translates or not name.startswith("model.")}
    assert differ == AUTOMATIC_SETTINGS


def test_a_start_gives_the_shape(tmp_path):
    start = directory("bert", d_model=48)
    given = {"task": "tagging", "start_from": "dir", "model": {"dropout": 0.3}}
    config, notes = complete_settings(given, RunContext(100, True, start))
    assert (config.family, config.model.d_model, config.model.dropout) == ("bert", 48, 0.3)
    assert "starting from dir: family bert" in notes[0]
    with pytest.raises(ConfigError, match=r"model\.d_model=64.*to start from has 48"):
        complete_settings({**given, "model": {"d_model": 64}}, RunContext(100, True, start))
    with pytest.raises(ConfigError, match=r"size='bert-tiny' and start_from='dir'"):
        complete_settings({**given, "size": "bert-tiny"}, RunContext(100, True, start))
    with pytest.raises(ConfigError, match=r"tokenizer\.vocab_size=77.*has a tokenizer"):
        complete_settings({**given, "tokenizer": {"vocab_size": 77}}, RunContext(100, True, start))
    as_recorded = {**given, "tokenizer": asdict(config.tokenizer)}
    assert complete_settings(as_recorded, RunContext(100, True, start))[0] == config
    resumed = {**given, "family": "bert", "model": asdict(config.model)}
    assert complete_settings(resumed, RunContext(100, True))[0].model == config.model


@pytest.mark.parametrize(("n", "epochs", "batch"), [(4_999, 10, 16), (5_000, 3, 32)])
def test_fine_tuning(n, epochs, batch):  # authority: issue 10, "Training as people expect it"
    given = {"task": "tagging", "start_from": "dir"}
    c = complete_settings(given, RunContext(n, True, directory("bert", d_model=768)))[0].training
    assert (c.epochs, c.batch_examples, c.patience, c.schedule) == (epochs, batch, 3, "linear")
    assert (c.max_updates, c.max_tokens, c.validate_every, c.checkpoint_every) == (0, 0, 0, 0)
    assert c.rate == 5e-5
    assert c.warmup == pytest.approx(0.06 * n * epochs / batch, rel=0.01)


@pytest.mark.parametrize(("width", "rate"), [(1024, 3.75e-5), (384, 1e-4), (128, 3e-4), (64, 3e-4)])
def test_the_rate_of_fine_tuning_follows_the_width(width, rate):  # authority: algebra
    given = {"task": "masked_lm", "start_from": "dir"}
    config, _ = complete_settings(given, RunContext(100, True, directory("bert", d_model=width)))
    assert config.training.rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"max_updates": 7}, (7, 0, 0, 16)),
        ({"epochs": 0.5}, (0, 0.5, 0, 16)),
        ({"max_tokens": 512}, (0, 10, 512, 0)),
        ({"batch_examples": 4, "epochs": 2}, (0, 2, 0, 4)),
    ],
)
def test_one_of_a_pair_replaces_the_other(given, expected):
    settings = {"task": "tagging", "start_from": "dir", "training": given}
    c = complete_settings(settings, RunContext(100, True, directory("bert")))[0].training
    assert (c.max_updates, c.epochs, c.max_tokens, c.batch_examples) == expected


def test_epochs_without_a_start():
    c = complete_settings({"training": {"epochs": 2, "batch_examples": 8}}, RunContext(800, True))[
        0
    ].training
    assert (c.max_updates, c.epochs, c.max_tokens, c.batch_examples) == (0, 2, 0, 8)
    assert 0 < c.warmup <= 800 * 2 / 8 / 4


@pytest.mark.parametrize("pair", [("max_updates", "epochs"), ("max_tokens", "batch_examples")])
def test_both_of_a_pair_are_refused(pair):
    with pytest.raises(ConfigError, match=rf"training: {pair[0]}=3 and {pair[1]}=3.* exclude"):
        complete_settings({"training": dict.fromkeys(pair, 3)}, RunContext(100, True))
    with pytest.raises(ConfigError, match=rf"{pair[0]}=0 and {pair[1]}=0"):
        complete_settings({"training": dict.fromkeys(pair, 0)}, RunContext(100, True))


def directory(family, **changes):
    """A bundle of which nothing but the shape is looked at."""
    c = replace(PUBLISHED_FAMILIES[family].preset, n_heads=2, **changes)
    return SimpleNamespace(family=family, model_config=c)


@pytest.mark.parametrize("task", TASK_CONFIGS)
def test_settings_of_another_task_are_refused(task):
    own = {field.name for field in fields(TASK_CONFIGS[task])}
    every = [field.name for config in TASK_CONFIGS.values() for field in fields(config)]
    setting = next(name for name in every if name not in own)
    with pytest.raises(ConfigError, match=rf"objective\.{setting}"):
        complete_settings({"task": task, "objective": {setting: 0.1}}, RunContext(100, True))
    with pytest.raises(ConfigError, match="task='juggling' is not known"):
        complete_settings({"task": "juggling"}, RunContext(100, True))


UNUSED = (
    {},
    {"task": "masked_lm"},
    {"task": "classification"},
    {"task": "span_corruption"},
    {"data": {"directions": ["en-de", "de-en"]}},
    {"size": "mbart-tiny", "tokenizer": {"path": "codes"}},
)
USED = ({"task": "denoising"}, {"size": "mbart-tiny"}, {"data": {"train": ["garden"]}})


@pytest.mark.parametrize("settings", UNUSED)
def test_languages_without_effect_are_an_error(settings):  # authority: who reads the setting
    data = {"train": ["news.en", "news.de"], "languages": ["en", "de"]} | settings.get("data", {})
    with pytest.raises(ConfigError, match=r"run\.yaml: data\.languages=en de has no effect here"):
        complete_settings({**settings, "data": data}, RunContext(500, True), "run.yaml")


@pytest.mark.parametrize("settings", USED)
def test_languages_with_an_effect_are_kept(settings):  # authority: as above
    data = {"train": ["news.en", "news.de"], "languages": ["en", "de"]} | settings.get("data", {})
    config, _ = complete_settings({**settings, "data": data}, RunContext(500, True))
    assert config.data.languages == ("en", "de")
