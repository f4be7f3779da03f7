"""What is written is read back the same, and a template says what each setting is."""

from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pellucid.config import plain_yaml
from pellucid.config.docs import field_docs
from pellucid.config.read import build, read_yaml
from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.config.write import dump_yaml, template

# Words that YAML 1.1 or 1.2 would take for something else, and text that needs quoting.
TRICKY = [
    "no",
    "on",
    "yes",
    "null",
    "~",
    "1e5",
    "010",
    "1:30",
    "2020-01-01",
    "=",
    "<<",
    "- a",
    "#",
    "",
]
TEXT = st.sampled_from(TRICKY) | st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@pytest.mark.parametrize("write", [dump_yaml, template])
def test_defaults_come_back(tmp_path, write):  # authority: algebra, reading inverts writing
    path = tmp_path / "config.yaml"
    path.write_text(write(RunConfig()), encoding="utf-8")
    assert build(RunConfig, read_yaml(path), "config.yaml") == RunConfig()


@given(TEXT, st.lists(TEXT, max_size=2), st.floats(0, 1e300), st.integers(0, 10**12), st.booleans())
def test_any_config_comes_back(tmp_path_factory, text, files, number, count, truth):
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    base = RunConfig()
    config = replace(
        base,
        run_dir=text,
        data=replace(base.data, train=tuple(files), source_language=text),
        training=replace(base.training, seed=count, clip_norm=number, compile=truth),
    )
    for write in (dump_yaml, template):
        path.write_text(write(config), encoding="utf-8")
        assert build(RunConfig, read_yaml(path), "config.yaml") == config


@given(TEXT.filter(lambda text: not set(text) & set("\x85\u2028\u2029")))  # line ends in 1.1 only
def test_other_readers_agree_on_text(text):  # authority: PyYAML's own reader, YAML 1.1
    message = plain_yaml.dump({"a": text})
    assert yaml.safe_load(message) == {"a": text}
    assert plain_yaml.load(message, "test") == {"a": text}


def test_order_is_the_declarations():  # authority: the dataclass
    lines = dump_yaml(RunConfig()).split("\n")
    tops = [line.split(":")[0] for line in lines if line and line[0].isalpha()]
    assert tops == list(RunConfig.__dataclass_fields__)


def test_a_template_explains_itself():  # authority: the docstrings in the source, by eye
    message = template(RunConfig())
    assert "  # Updates of linear warm-up.\n  warmup: 4000\n" in message
    assert "  # One of post, pre.\n  norm_place: post\n" in message
    assert "\n# Settings of a tokenizer.\ntokenizer:\n" in message
    assert max(len(line) for line in message.split("\n")) <= 100


def test_a_template_says_what_is_chosen():  # authority: by eye
    chosen = {"training.warmup", "training.rate"}
    message = template(RunConfig(), {"training": {"rate": 1.0}}, chosen)
    assert "is chosen by size, text and machine; this is an example.\n  #warmup: 4000\n" in message
    assert message.count("is chosen by") == 1


def test_docs_are_the_literals_below_the_fields():  # authority: the source, by eye
    docs = field_docs(TrainingConfig)
    assert docs["warmup"] == "Updates of linear warm-up."
    assert docs["threads"].startswith("CPU threads per process; 0 means all cores.")
    assert "seed" not in docs
    assert "optimizer" not in docs
