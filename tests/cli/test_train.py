"""`train`: a run goes on wherever the command is typed.

Authority: docs/cli.md, and the run that was never interrupted.
"""

import shutil

import pytest

import pellucid as package
from cli.conftest import TINY
from pellucid.errors import DataError


@pytest.fixture
def start_run(pellucid, ready, tmp_path, monkeypatch):
    """A folder with text and a run of 10 updates that names it by relative paths."""
    for file in (ready.source, ready.target):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    args = ["--data.train", "text.en", "text.de", *TINY, "--run-dir", "run"]
    assert pellucid("train", *args, "--training.max-updates", "10").code == 0
    return tmp_path


def test_a_run_resumes_from_another_folder(start_run, pellucid, monkeypatch):
    (start_run / "elsewhere").mkdir()
    monkeypatch.chdir(start_run / "elsewhere")
    done = pellucid("train", "../run", "--training.max-updates", "12")
    assert (done.code, "step 12" in done.err) == (0, True), done.err


def test_text_that_has_moved_is_named_again(start_run, pellucid):
    (start_run / "moved").mkdir()
    names = []
    for name in ("text.en", "text.de"):
        names.append(str(start_run / "moved" / f"new-{name}"))
        (start_run / name).rename(names[-1])
    assert pellucid("train", "run", "--training.max-updates", "12").code == 3
    again = ["train", "run", "--training.max-updates", "12", "--data.train", *names]
    done = pellucid(*again)
    assert (done.code, "step 12" in done.err) == (0, True), done.err
    with open(names[0], "a") as file:
        file.write("Another line.\n")
    with open(names[1], "a") as file:
        file.write("Noch eine.\n")
    done = pellucid(*again)
    assert (done.code, names[0] in done.err) == (3, True), done.err


def test_the_same_command_goes_on(start_run, pellucid):
    args = ["--data.train", "text.en", "text.de", *TINY, "--run-dir", "run"]
    done = pellucid("train", *args, "--training.max-updates", "12")
    assert (done.code, "resuming" in done.err) == (0, True), done.err


def test_python_resumes_a_run_too(ready):
    model = package.train(ready.run)  # finished: nothing is left to train
    sources = ready.source.read_text("utf-8").split("\n")[:3]
    expected = package.load(ready.run).translate(sources)
    assert [each.text for each in model.translate(sources)] == [each.text for each in expected]
    with pytest.raises(DataError, match="not a run: it has no config"):
        package.train(ready.run / "final")
