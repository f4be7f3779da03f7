"""`train`: a run goes on wherever the command is typed.

Authority: docs/cli.md, and the run that was never interrupted.
"""

import shutil

import pytest

from cli.conftest import TINY


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
