"""What is made, checked and reported before the first update."""

import shutil
from pathlib import Path

import pytest
import torch

from pellucid import garden
from pellucid.config.read import merge, read_yaml
from pellucid.data.store import ExampleStore
from pellucid.errors import ConfigError, DataError
from pellucid.formats.open_model import open_model
from pellucid.text.published.open import open_tokenizers
from pellucid.training.average import average_checkpoints, find_checkpoints
from pellucid.training.pipeline import build_data, train
from pellucid.training.reporter import Quiet
from training import run_small

pytestmark = pytest.mark.timeout(300)  # whole trainings, on a machine that may be shared

ENCODER = {
    "device": "cpu",
    "tokenizer": {"vocab_size": 300},
    "model": {"d_model": 32, "d_ff": 64, "n_heads": 2, "n_encoder_layers": 1},
    "training": {
        "max_updates": 4,
        "max_tokens": 400,
        "schedule": "inverse-sqrt",  # the others look ahead to max_updates
        "warmup": 2,
        "validate_every": 2,
        "checkpoint_every": 2,
        "precision": "fp32",
        "threads": 1,
    },
}


class Lines(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.work: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)

    def start(self, task: str, completed: int, total: int) -> None:
        self.work.append(task)


@pytest.fixture
def text(tmp_path) -> Path:
    """100 sentences of the garden, a line each, and a folder with them."""
    folder = tmp_path / "text"
    folder.mkdir()
    lines = [f"{english}\n" for english, _ in garden.pairs(100, "en", "de")]
    (folder / "b.txt").write_text("".join(lines[50:]))
    (folder / "a.txt").write_text("".join(lines[:50]))
    return folder


@pytest.fixture
def conll(tmp_path) -> Path:
    path = tmp_path / "t.conll"
    sentences = [
        f"{('Ada', 'Alan')[i % 2]} B-PER\nsaw O\n{('Rome', 'Oslo')[i % 3 > 0]} B-LOC\n{i} O\n\n"
        for i in range(60)
    ]
    path.write_text("".join(sentences))
    return path


def encoder(run, task, files, **over):
    inputs = {"run_dir": str(run), "task": task, "data": {"train": [str(files)]}}
    return merge(merge(ENCODER, inputs), over)


def test_what_is_recognized_is_reported_before_training(text, tmp_path):
    heard = Lines()
    build_data(encoder(tmp_path / "run", "masked_lm", text), reporter=heard)
    report = "\n".join(heard.lines)
    first = (text / "a.txt").read_text().split("\n")[0]  # folders are read in sorted order
    assert f"data: {text}/a.txt and {text}/b.txt" in report
    assert report.count("text=") == 3
    assert first[:40] in report
    assert heard.work == ["encoding"]
    assert "95 examples" in heard.lines[-1]


def same_weights(one, other):
    names = dict(one.named_parameters())
    return all(torch.equal(p, other.get_parameter(name)) for name, p in names.items())


def test_a_tagger_starts_from_a_masked_lm(text, conll, tmp_path):
    pretrained = train(encoder(tmp_path / "mlm", "masked_lm", text)).run
    settings = encoder(tmp_path / "tag", "tagging", conll, start_from=str(pretrained.path))
    del settings["model"], settings["tokenizer"]
    still = merge(settings, {"training": {"rate": 1e-30, "weight_decay": 0.0}})
    tagger = open_model(train({**still, "run_dir": str(tmp_path / "still")}).run.final)
    start = open_model(pretrained.final)
    assert same_weights(start.model.encoder, tagger.model.encoder)  # the rate is next to 0
    assert tagger.tokenizers.source.to_json() == start.tokenizers.source.to_json()
    assert tagger.model.head_configs["tagger"].labels == ("B-LOC", "B-PER", "O")
    # A stopped run goes on without the model that it started from, and ends the same.
    whole = train({**settings, "run_dir": str(tmp_path / "whole")}).run
    cut = merge(settings, {"run_dir": str(tmp_path / "cut"), "training": {"max_updates": 2}})
    train(cut)
    shutil.rmtree(pretrained.path)
    again = train(merge(cut, {"training": {"max_updates": 4}})).run
    assert same_weights(open_model(whole.final).model, open_model(again.final).model)
    with pytest.raises(ConfigError, match="began with task='tagging', now it is 'masked_lm'"):
        train({"task": "masked_lm", "run_dir": cut["run_dir"], "data": {"train": [str(text)]}})
    mean = average_checkpoints(find_checkpoints(again.path))
    assert mean.model.head_configs == tagger.model.head_configs
    shutil.rmtree(again.tokenizers)
    with pytest.raises(DataError, match="tokenizer is missing: the tokenizer that came with"):
        train(merge(cut, {"training": {"max_updates": 5}}))


def test_a_tagger_keeps_the_ids_of_known_labels(conll, tmp_path):  # authority: the file's labels
    first = train(encoder(tmp_path / "first", "tagging", conll)).run
    fewer = tmp_path / "fewer.conll"
    fewer.write_text(conll.read_text().replace("B-LOC", "O"))
    settings = encoder(tmp_path / "second", "tagging", fewer, start_from=str(first.path))
    del settings["model"], settings["tokenizer"]
    second = open_model(train(settings).run.final)
    assert second.model.head_configs["tagger"].labels == ("B-LOC", "B-PER", "O")


def test_a_start_without_what_is_needed_is_refused(conll, pairs_file, tmp_path):
    with pytest.raises(DataError, match="no-model"):
        train(encoder(tmp_path / "run", "tagging", conll, start_from=str(tmp_path / "no-model")))
    translator = train(
        merge(
            run_small.SETTINGS,
            {
                "run_dir": str(tmp_path / "t"),
                "data": {"train": [str(pairs_file)]},
                "training": {"max_updates": 1},
            },
        )
    ).run
    settings = encoder(tmp_path / "run", "tagging", conll, start_from=str(translator.path))
    del settings["model"], settings["tokenizer"]
    with pytest.raises(ConfigError, match="family transformer has no head 'tagger'"):
        train(settings)
    assert not (tmp_path / "run" / "data").exists()  # refused before anything is encoded


def test_an_encoder_does_not_translate(text, pairs_file, tmp_path):
    start = train(encoder(tmp_path / "mlm", "masked_lm", text)).run
    settings = {
        "start_from": str(start.path),
        "run_dir": str(tmp_path / "run"),
        "data": {"train": [str(pairs_file)]},
    }
    with pytest.raises(ConfigError, match="family bert has 1 and 0 layers"):
        train(settings)
    assert not (tmp_path / "run" / "data").exists()


@pytest.mark.parametrize(("name", "value"), [("run_dir", 2026), ("device", 3)])
def test_names_that_are_numbers_are_refused(name, value, text, tmp_path):
    settings = encoder(tmp_path / "run", "masked_lm", text, **{name: value})
    with pytest.raises(ConfigError, match=f"{name} is {value}, but must be text"):
        train(settings)


def test_a_run_that_has_not_started_accepts_another_start(text, conll, tmp_path):
    pretrained = train(encoder(tmp_path / "mlm", "masked_lm", text)).run
    settings = encoder(tmp_path / "tag", "tagging", conll)
    del settings["tokenizer"], settings["model"]
    run = build_data({**settings, "size": "bert-tiny"})
    learned = open_tokenizers(run.tokenizers).source.to_json()
    build_data({**settings, "start_from": str(pretrained.path)})
    start = open_tokenizers(pretrained.tokenizers).source.to_json()
    assert open_tokenizers(run.tokenizers).source.to_json() == start != learned
    recorded = read_yaml(run.config_path)  # as `pellucid train RUN` reads it
    assert build_data(recorded).config() == run.config()
    assert len(list(run.data.iterdir())) == 2  # what the learned tokenizer encoded is gone


def test_data_is_encoded_again_for_other_positions(text, tmp_path):
    settings = {**encoder(tmp_path / "run", "masked_lm", text), "size": "bert-tiny"}
    longest = []
    for positions in (20, 9):
        run = build_data(merge(settings, {"model": {"max_length": positions}}))
        stores = [ExampleStore(path) for path in run.data.iterdir()]
        longest.append(max(int(store.lengths.max()) for store in stores))
        assert len(stores) == 2
    assert longest[0] > longest[1] == 9


def write_pairs(path, n, long_line, words):
    lines = [f"word{i} and more\tWort{i} und mehr\n" for i in range(n)]
    lines[long_line - 1] = f"{'many ' * words}\tviele\n"
    path.write_text("".join(lines))
    return str(path)


def test_examples_beyond_the_positions_are_refused_before_training(tmp_path):  # faults 08 and 09
    train_file = write_pairs(tmp_path / "train.tsv", 60, long_line=7, words=50)
    valid_file = write_pairs(tmp_path / "valid.tsv", 10, long_line=3, words=50)
    short = write_pairs(tmp_path / "short.tsv", 60, long_line=1, words=2)
    positions = {"model": {"positions": "learned", "max_length": 40}}
    for train_on, valid, place in (
        (train_file, short, "train.tsv:7"),
        (short, valid_file, "valid.tsv:3"),
    ):
        data = {"data": {"train": [train_on], "valid": [valid]}, "run_dir": str(tmp_path / "run")}
        settings = merge(merge(run_small.SETTINGS, data), positions)
        with pytest.raises(ConfigError, match=rf"{place} has \d+ tokens.*the model's 40 positions"):
            train(settings)
        assert not list((tmp_path / "run" / "checkpoints").glob("*"))
    # The way out that the message names.
    trained = train(merge(settings, {"data": {"max_length": 30}, "training": {"max_updates": 3}}))
    assert trained.signal is None


def test_a_validation_example_may_be_longer_than_any_batch(tmp_path):  # fault 08
    valid = write_pairs(tmp_path / "valid.tsv", 10, long_line=3, words=2500)
    short = write_pairs(tmp_path / "short.tsv", 60, long_line=1, words=2)
    data = {"train": [short], "valid": [valid], "max_length": 10_000}
    settings = merge(
        run_small.SETTINGS,
        {"data": data, "run_dir": str(tmp_path / "run"), "training": {"max_updates": 1}},
    )
    assert train(settings).progress.step == 1
    with pytest.raises(ConfigError, match=r"valid\.tsv:3 has .*training\.max_tokens=400"):
        train(merge(settings, {"data": {"train": [valid]}, "run_dir": str(tmp_path / "other")}))
