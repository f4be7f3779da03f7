"""Names of models. Authority: the directories, made here."""

from pathlib import Path

import pytest

from pellucid.errors import DataError
from pellucid.formats.locate import SHIPPED, locate


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


@pytest.mark.parametrize("name", ["en-de", Path("en-de")])
def test_the_name_of_a_shipped_model(name):
    assert locate(name) == SHIPPED / "en-de"


@pytest.mark.parametrize("name", ["runs/en-de", "./en-de", "nowhere/en-de", "en-de/final"])
def test_a_path_is_not_the_name_of_a_shipped_model(name):
    with pytest.raises(DataError, match=rf"there is no model at '{name}'"):
        locate(name)


@pytest.mark.parametrize("name", ["runs/en-de", "en-de"])
def test_a_run_is_found_when_it_is_finished(name):
    write(Path(name, "config.yaml"))
    with pytest.raises(DataError, match="a run without a final model"):
        locate(name)
    write(Path(name, "final", "config.json"))
    assert locate(name) == Path(name, "final")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_name_in_the_directory_is_not_that_of_a_shipped_model(make):
    make(Path("en-de"))
    with pytest.raises(DataError, match="en-de in this directory holds no model"):
        locate("en-de")


def test_a_directory_comes_before_a_shipped_model():
    write(Path("en-de", "config.json"))
    assert locate("en-de") == Path("en-de")
