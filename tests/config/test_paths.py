"""Authority: os.path, and which names are paths, by hand."""

import os

from pellucid.config.paths import with_absolute_paths


def test_paths_become_absolute_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tok").mkdir()
    (tmp_path / "vectors.txt").touch()
    settings = {
        "size": "tiny",
        "run_dir": "runs/one",
        "start_from": "hf://owner/name",
        "data": {"train": ["a.en", "/b/b.de"], "valid": ("texts/*.txt",), "max_length": 9},
        "tokenizer": {"path": "tok"},
        "objective": {
            "source_vectors": "no-such-file",
            "target_vectors": "vectors.txt",
            "vectors": "vectors.txt",
            "teachers": ["tok", "hf://owner/name"],
        },
    }
    assert with_absolute_paths(settings) == {
        **settings,
        "data": {
            "train": (os.path.join(tmp_path, "a.en"), "/b/b.de"),
            "valid": (os.path.join(tmp_path, "texts/*.txt"),),
            "max_length": 9,
        },
        "tokenizer": {"path": str(tmp_path / "tok")},
        "objective": {
            "source_vectors": "no-such-file",
            "target_vectors": str(tmp_path / "vectors.txt"),
            "vectors": str(tmp_path / "vectors.txt"),
            "teachers": (str(tmp_path / "tok"), "hf://owner/name"),
        },
    }
    assert with_absolute_paths({"data": {"train": ["garden"]}}) == {"data": {"train": ("garden",)}}
    assert with_absolute_paths({"data": {"train": 3}}) == {"data": {"train": 3}}
