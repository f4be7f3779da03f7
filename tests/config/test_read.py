"""Reading configs: what is accepted, what is refused and how it is said, and hostile files."""

import math
import os
from dataclasses import dataclass, fields, is_dataclass
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.config.model import ModelConfig
from pellucid.config.read import build, check, merge, read_yaml
from pellucid.config.run import RunConfig
from pellucid.errors import ConfigError


def run_of(text, tmp_path):
    path = tmp_path / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return build(RunConfig, read_yaml(path), str(path))


def test_an_empty_file_is_all_defaults(tmp_path):  # authority: the dataclasses' own defaults
    assert run_of("", tmp_path) == RunConfig()
    assert run_of("# nothing\nmodel:\n", tmp_path) == RunConfig()


def test_reads_what_is_written(tmp_path):  # authority: the file, by hand
    run = run_of(
        "task: translation\n"
        "data: {train: [my.en, my.no], source_language: no, target_language: 'on',"
        " columns: {source: en, target: 3}}\n"
        "model:\n  d_model: 256\n  n_heads: 4\n  dropout: 0\n  scale_embeddings: false\n"
        "training: {eps: 1e-9, betas: [0.9, 0.98], max_updates: 10_000, rate: 5.0e-4}\n",
        tmp_path,
    )
    assert run.data.train == ("my.en", "my.no")
    assert (run.data.source_language, run.data.target_language) == ("no", "on")
    assert run.data.columns == {"source": "en", "target": 3}
    assert (run.model.d_model, run.model.n_heads) == (256, 4)
    assert run.model.dropout == 0.0
    assert isinstance(run.model.dropout, float)
    assert run.model.scale_embeddings is False
    assert (run.training.eps, run.training.rate) == (1e-9, 5e-4)
    assert run.training.betas == (0.9, 0.98)
    assert run.training.max_updates == 10_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {d_modell: 3}", "'model.d_modell' is not a setting. Did you mean model.d_model?"),
        ("model: {d-model: 3}", "'model.d-model' is not a setting. Did you mean model.d_model?"),
        ("seed: 3", "'seed' is not a setting. Did you mean training.seed?"),
        ("zzz: 3", "'zzz' is not a setting. Known in a run: task, size"),
        ("model: {zzz: 3}", "Known in model: vocab_size, "),
        ("model: {d_model: '512'}", "model.d_model is '512', but must be a whole number"),
        ("model: {d_model: 512.0}", "model.d_model is 512.0, but must be a whole number"),
        ("model: {d_model: 1.5}", "model.d_model is 1.5, but must be a whole number"),
        ("model: {d_model: true}", "model.d_model is True, but must be a whole number"),
        ("model: {d_model: null}", "model.d_model is None, but must be a whole number"),
        ("model: {d_model: [512]}", "model.d_model is [512], but must be a whole number"),
        ("model: {d_model: {a: 1}}", "model.d_model is a section, but must be a whole number"),
        ("model: {dropout: '0.1'}", "model.dropout is '0.1', but must be a number"),
        ("model: {dropout: .inf}", "model.dropout is '.inf', but must be a number"),
        ("training: {rate: 1e999}", "training.rate is inf, but must be a number"),
        ("training: {compile: yes}", "training.compile is 'yes', but must be true or false"),
        ("training: {compile: 1}", "training.compile is 1, but must be true or false"),
        ("size: 3", "size is 3, but must be text (in quotes if it looks like a number)"),
        ("data: {train: my.en}", "data.train is 'my.en', but must be a list, each text"),
        ("data: {train: [1]}", "data.train is [1], but must be a list, each text"),
        ("data: {train: [[a]]}", "data.train is a nested value, but must be a list"),
        ("training: {betas: [0.9]}", "must be a list of 2, each a number"),
        ("training: {precision: fp16}", "must be one of fp32, bf16, auto (did you mean bf16?)"),
        ("model: 3", "model is a section of settings, not 3"),
        ("model: [a, [b]]", "model is a section of settings, not a nested value"),
        ("model: {d_model: 100, n_heads: 12}", "model: d_model=100 is not divisible by n_heads=12"),
        ("model: {d_model: 9999999999999999999}", "model.d_model is above 9223372036854775807"),
        ("data: {columns: text}", "data.columns is 'text', but must be a mapping of names"),
        ("data: {columns: [text]}", "data.columns is ['text'], but must be a mapping"),
        ("data: {columns: {text: true}}", "data.columns is a section, but must be a mapping"),
        ("data: {columns: {text: 1.5}}", "data.columns is a section, but must be a mapping"),
        ("data: {columns: {text: [a]}}", "data.columns is a section, but must be a mapping"),
        ("data: {columns: {text: 0}}", "data: columns: text is read from 0"),
        ("model: {n_heads: 0}", "model: n_heads=0 must be at least 1"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        run_of(text, tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/my.yaml: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", ":3: the key 'a' occurs twice"),
        ("model:\n  d_model: 1\n  d_model: 1", ":3: the key 'd_model' occurs twice"),
        ("a: &x 1\nb: *x", ":1: anchors (&) and aliases (*) are not read"),
        ("a:\n  <<: {b: 1}", "'a' is not a setting"),
        ("task: !!python/object/apply:os.system ['true']", ":1: tags (!) are not read"),
        ("a: !!binary aGk=", ":1: tags (!) are not read"),
        ("1: a", ":1: a setting's name must be text"),
        ("[a]: b", ":1: a setting's name must be text"),
        ("true: b", ":1: a setting's name must be text"),
        ("- a\n- b", ":1: not a mapping"),
        ("just words", ":1: not a mapping"),
        ("a: 1\n---\nb: 2", ":2: but found another document"),
        ("\n\na: [1,", ":3: "),
        ("a: b: c", ":1: mapping values are not allowed here"),
        ("a: 1\n\tb: 2", ":2: "),
        ("%YAML 3.0\n---\na: 1", ":1: "),
        (b"a: 1\nb: \xff\xfe", ":2: byte 8 is not UTF-8"),
        ("a: 1\nb: \x00", ":2: holds U+0000"),
        ("a: " + "9" * 5000, ": holds an integer of thousands of digits"),
        ("[" * 100_000, ":1: nested too deeply"),
        ("{a: " * 100_000, ":1: nested too deeply"),
        ("a: " + "x" * 2_000_000, ": larger than 1,000,000 bytes"),
    ],
)
def test_files_that_are_not_plain_mappings(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        run_of(text, tmp_path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_files_that_are_not_there(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, message in [("none", "no such file"), ("", "not a file"), ("fifo", "not a file")]:
        with pytest.raises(ConfigError, match=message):
            read_yaml(tmp_path / name)
    with pytest.raises(ConfigError, match="not a file"):
        read_yaml("/dev/zero")
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml("a\0b")


def test_merge_puts_the_second_over_the_first():  # authority: by hand
    base = {"size": "tiny", "model": {"d_model": 1, "n_heads": 2}, "data": {"train": ["a"]}}
    over = {"model": {"n_heads": 3}, "data": None, "training": {"seed": 4}, "size": "base"}
    merged = merge(base, over)
    assert merged == {
        "size": "base",
        "model": {"d_model": 1, "n_heads": 3},
        "data": {"train": ["a"]},
        "training": {"seed": 4},
    }
    assert base["model"] == {"d_model": 1, "n_heads": 2}


def test_build_takes_tuples_and_names_what_is_missing():  # authority: by hand
    @dataclass(frozen=True, kw_only=True)
    class Needs:
        name: str
        sizes: tuple[int, ...] = ()

    assert build(Needs, {"name": "a", "sizes": (1, 2)}, "flags") == Needs(name="a", sizes=(1, 2))
    with pytest.raises(ConfigError, match="flags: it needs name"):
        build(Needs, {}, "flags")


def test_strictness_has_no_exception():
    """Every field of every section refuses a value of each other kind.

    Authority: Python's own types. An integer for a number is the one thing let through.
    """
    kinds = {int: 7, float: 0.5, bool: True, str: "word"}
    sections = {
        "": RunConfig,
        **{k: v for k, v in get_type_hints(RunConfig).items() if is_dataclass(v)},
    }
    checked = 0
    for section, cls in sections.items():
        for field in fields(cls):
            hint = get_type_hints(cls)[field.name]
            if hint not in kinds:
                continue
            for kind, value in kinds.items():
                if kind is hint or (hint is float and kind is int):
                    continue
                mapping = {field.name: value}
                with pytest.raises(ConfigError, match=f"{field.name} is "):
                    build(RunConfig, {section: mapping} if section else mapping, "test")
                checked += 1
    assert checked > 100


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)

# --- B2: structure-aware mutations. Authority: the promise itself, a config or a ConfigError.

NAMES = [field.name for cls in (RunConfig, ModelConfig) for field in fields(cls)]
NAMES += ["betas", "train", "seed", "beam", "__class__", "__init__", "self", "", "a.b", "\ud800"]
VALUES = [1e308, -1e308, -1, 0, 10**9, 2**63, 10**400, math.nan, math.inf, -math.inf, True, None]
VALUES += ["", "x" * 100_000, "\ud800", "\0", "__import__('os')", b"bytes", {1}, {1: 2}, object()]
VALUES += [[], [[]], {}, {"a": {}}, [1] * 10_000, ["\ud800"], [None], [math.nan], [10**400]]
HOSTILE = st.sampled_from(VALUES)
MUTATED = st.recursive(
    HOSTILE | JSON,
    lambda inner: (
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=6) | st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)
SECTIONS = st.dictionaries(st.sampled_from(NAMES), MUTATED, max_size=6)


def refusal(read):
    """Return the message of a ConfigError, or "" if there is none; other errors are raised."""
    try:
        read()
    except ConfigError as error:
        return str(error)
    return ""


@given(SECTIONS)
@settings(max_examples=500)
def test_any_mapping_builds_or_is_refused_cleanly(mapping):
    output = refusal(lambda: build(RunConfig, mapping, "test"))
    assert len(output.encode()) < 2000  # short, and fit to be printed


@given(st.sampled_from(NAMES), HOSTILE)
@settings(max_examples=500)
def test_any_value_in_the_model_builds_or_is_refused_cleanly(name, value):
    output = refusal(lambda: build(RunConfig, {"model": {name: value}}, "test"))
    assert len(output.encode()) < 2000


def test_nesting_without_end_is_refused():
    deep = {}
    for _ in range(100_000):
        deep = {"model": deep}
    with pytest.raises(ConfigError, match=r"'model.model' is not a setting"):
        build(RunConfig, deep, "test")
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ConfigError, match="a nested value"):
        build(RunConfig, {"data": {"train": deep}}, "test")


@given(st.text(alphabet=st.sampled_from("a:[]{}-,&*!|>'\"%@`#? \n\t0e.~<=\\x\0é")))
@settings(max_examples=1000)
def test_any_yaml_is_a_mapping_or_refused_cleanly(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    output = refusal(lambda: read_yaml(path))
    assert not output or output.startswith(f"{path}:")


def test_names_and_types_are_checked_without_building():  # authority: `build`, setting by setting
    check(RunConfig, {"model": {"d_model": 100, "n_heads": 8}}, "t")  # build refuses the two
    with pytest.raises(ConfigError, match="not divisible"):
        build(RunConfig, {"model": {"d_model": 100, "n_heads": 8}}, "t")
    for mapping, message in (
        ({"model": {"d_modle": 1}}, "Did you mean model.d_model"),
        ({"training": {"seed": "x"}}, r"training\.seed is 'x'"),
        ({"model": 3}, "model is a section"),
    ):
        for read in (check, build):
            with pytest.raises(ConfigError, match=message):
                read(RunConfig, mapping, "t")
