"""The recipes that train for hours: settings, corpus, kept results, table and picture.

Authority: the base model's settings, and texts split by hand. Nothing is trained.
"""

import gzip
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from pellucid.config.read import merge_settings
from pellucid.families.run_config import build_run
from pellucid.families.sizes import SIZES

NOVEL = """Header of the file.
*** START OF THIS BOOK ***
    CHAPTER I

    CHAPTER II

CHAPTER I

“Well, Prince?” said
Anna. It rained!

“Yes.” He left at 5.30 p.m. on foot.

CHAPTER II

Peace.
End of the Project Gutenberg EBook of a novel
Licence.
"""
PLAYS = "\n\n".join(f"KING:\nSpeech {i}.\nNo more." for i in range(31))


@pytest.fixture
def ablations(load):
    return load("ablations")


@pytest.fixture
def objectives(load):
    return load("objectives")


def flatten(config, prefix=""):
    for name, value in config.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_each_ablation_changes_what_it_names(ablations):
    def settings(variant):
        chosen = ablations.choose_settings(variant, Path("/tok"), Path("/runs/model"))
        chosen = merge_settings({"model": asdict(SIZES["tiny"].config)}, chosen)
        config = build_run(chosen, "here")
        return dict(flatten(asdict(config)))

    base, *others = ablations.VARIANTS
    expected = settings(base)
    names = {variant.name for variant in ablations.VARIANTS}
    assert len(names) == len(ablations.VARIANTS)
    for variant in others:
        changed = {name for name, value in settings(variant).items() if value != expected[name]}
        assert changed == {"tokenizer.path", *(name for name, _ in flatten(variant.changes))}


def test_each_objective_is_a_run_of_its_task(objectives, monkeypatch):
    built = []
    monkeypatch.setattr(objectives.pellucid, "train", lambda s: built.append(build_run(s, "here")))
    for objective in objectives.OBJECTIVES:
        for updates in objectives.UPDATES:
            objectives.pretrain(objective, updates, Path("/runs/start"))
    assert [config.task for config in built[::2]] == [o.task for o in objectives.OBJECTIVES]
    assert {config.training.max_updates for config in built} == set(objectives.UPDATES)
    assert all(config.training.warmup < config.training.max_updates for config in built)


def test_the_corpus_has_a_sentence_a_line(objectives, tmp_path):
    for name, text in (("war_and_peace/warandpeace", NOVEL), ("tiny_shakespeare/input", PLAYS)):
        path = tmp_path / f"{name}.txt.gz"
        path.parent.mkdir()
        path.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode("utf-8-sig")))
    objectives.write_corpus(tmp_path, tmp_path / "corpus")
    first, *others = (tmp_path / "corpus" / "valid.txt").read_text("utf-8").split("\n\n")
    assert not others
    assert first.splitlines() == [
        "“Well, Prince?”",
        "said Anna.",
        "It rained!",
        "“Yes.”",
        "He left at 5.30 p.m.",
        "on foot.",
    ]
    chapter, scene, last = (tmp_path / "corpus" / "train.txt").read_text("utf-8").split("\n\n")
    assert chapter == "Peace."
    assert scene.splitlines()[:3] == ["KING: Speech 0.", "No more.", "KING: Speech 1."]
    assert scene.count("KING") == 30
    assert last == "KING: Speech 30.\nNo more.\n"


@dataclass(frozen=True)
class Score:
    value: float


def test_a_kept_result_is_not_computed_again(load, tmp_path):
    keep, run = load("kept_results").keep, tmp_path / "dropout-0.1"
    file = tmp_path / "dropout-0.1.json"
    with pytest.raises(KeyboardInterrupt):
        keep(run, Score, interrupt)
    assert not file.exists()
    assert keep(run, Score, lambda: Score(0.1)) == Score(0.1)
    assert keep(run, Score, interrupt) == Score(0.1)
    assert json.loads(file.read_text("utf-8")) == {"value": 0.1}


def interrupt():
    raise KeyboardInterrupt


def test_tables_and_pictures_have_each_model(ablations, objectives, tmp_path, capsys):
    results = [
        ablations.Result(v.row, v.name, 1_000_000 + i, 5 + i, 40 - i, 39 - i / 4)
        for i, v in enumerate(ablations.VARIANTS)
    ]
    ablations.print_table(results)
    ablations.draw(str(tmp_path / "a.svg"), results)
    table = capsys.readouterr().out.splitlines()
    assert table[2] == "|  | base, seed 1 | 1,000,000 | 5.00 | 40.00 | 39.00 |"
    assert len(table) == 2 + len(results)
    seeds = [
        objectives.Result(o.name, updates, seed, 3_000_000, 0.7 + seed / 100, 0.6 + seed / 50)
        for o in objectives.OBJECTIVES
        for updates in objectives.UPDATES
        for seed in objectives.SEEDS
    ]
    objectives.print_table(seeds)
    objectives.draw(str(tmp_path / "o.svg"), seeds)
    table = capsys.readouterr().out.splitlines()
    row = "| masked tokens | bert-mini | 1 | 3,000,000 | 0.720 ± 0.010 | 0.640 ± 0.020 |"
    assert row in table
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("a.svg", "o.svg"))
