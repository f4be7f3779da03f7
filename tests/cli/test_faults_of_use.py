"""F1: each verb in each trouble ends with the documented code and says why in a few lines.

Authority: the table of exit codes in docs/cli.md, and what each verb is given, by hand.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

from cli.conftest import TINY
from pellucid.cli.main import VERBS
from pellucid.explorer.page import TEMPLATE

MOST_LINES = 5
LINE = b"A [MASK] dog.\tA dog sleeps.\n"  # a pair, for the verbs that read pairs
OK, USAGE, DATA, CONFIG, RESOURCE, DAMAGED = 0, 2, 3, 4, 5, 6


def command(verb, model, source, target, out):
    """A whole command of each verb."""
    if verb == "explore" and not TEMPLATE.is_file():
        pytest.skip("the explorer's page is not built: make venv")
    train = ["--data.train", source, target, *TINY, "--training.max-updates", "10"]
    rest = {
        "init": ["translation"],
        "train": [*train, "--run-dir", out],
        "translate": [model, "--beam", "1", "--max-length", "8"],
        "evaluate": [model, "--data", source, target, "--max-length", "8", "--output", out],
        "score": [model, "--data", source, target],
        "generate": [model, "--beam", "1", "--max-length", "8"],
        "fill": [beside(model, "filler")],
        "tag": [beside(model, "tagger")],
        "classify": [beside(model, "classifier")],
        "answer": [beside(model, "answerer")],
        "similarity": [beside(model, "filler")],
        "summarize": [model, "--beam", "1", "--max-length", "8"],
        "embed": [model],
        "trace": [model, "--text", "The dog sleeps."],
        "explore": [model, "--text", "The dog sleeps.", "--html", out],
        "import": [Path(model).parent / "published", out],
        "export": [model, out],
        "serve": [model, "--port", "0"],
        "info": [model],
        "verify": [model],
        "average": [model, "--out", out],
        "bench": [model, "--lines", "2", "--repeat", "1", "--data", source, "--max-length", "8"],
        "data check": [source, target],
        "data build": [*train, "--run-dir", out],
        "tokenizer train": [source, target, "--vocab-size", "300", "--out", out],
    }[verb]
    return [*verb.split(), *map(str, rest)]


def beside(model, name):
    """The model of this name in a translator's folder, if there is one."""
    other = Path(model).parent / name
    return other if other.exists() else model


ALL = tuple(VERBS)
END = tuple(verb for verb in ALL if verb != "serve")  # which waits for requests
READ_MODEL = (
    *("translate", "evaluate", "score", "generate", "fill", "tag", "embed", "export"),
    *("classify", "answer", "similarity", "summarize"),
    *("info", "verify", "average", "bench", "serve"),
)
READ_TEXT = ("train", "evaluate", "score", "data check", "data build", "tokenizer train", "bench")
WRITE = ("train", "evaluate", "average", "import", "export", "data build", "tokenizer train")


def check(done, codes):
    assert done.code in ((codes,) if isinstance(codes, int) else codes), done
    assert "Traceback" not in done.err
    if done.code:
        lines = [line for line in done.err.split("\n") if line and not progress(line)]
        assert 1 <= len(lines) <= MOST_LINES, done.err
        assert lines[0].startswith("pellucid: ")
        assert "internal error" not in done.err


def progress(line):
    """What a training says of itself before it meets the trouble."""
    starts = ("learning the", "reading the", "step ", "final ", "resuming")
    return line.startswith(starts) or "training pairs on" in line or " updates of at" in line


@pytest.mark.parametrize("verb", END)
def test_a_whole_command(verb, pellucid, ready, tmp_path):
    done = pellucid(*command(verb, *ready, tmp_path / "out"), stdin=LINE)
    check(done, OK)
    assert done.out


@pytest.mark.parametrize("verb", ALL)
def test_no_arguments(verb, pellucid):
    check(pellucid(*verb.split()), OK if verb in ("init", "info") else USAGE)


@pytest.mark.parametrize("verb", ["", *ALL])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(verb, flag, pellucid):
    done = pellucid(*verb.split(), flag)
    check(done, OK)
    assert "usage: pellucid" in done.out
    assert not done.err


@pytest.mark.parametrize("verb", ALL)
@pytest.mark.parametrize("words", [["--no-such-setting", "3"], ["--device"], ["--beam", "many"]])
def test_unknown_or_unfinished_flags(verb, words, pellucid, ready, tmp_path):
    check(pellucid(*command(verb, *ready, tmp_path / "out"), *words), USAGE)


@pytest.mark.parametrize("verb", READ_MODEL)
@pytest.mark.parametrize("kind", ["missing", "a file", "empty", "foreign", "no name", "汉字 name"])
def test_no_model(verb, kind, pellucid, ready, tmp_path):
    model = {"no name": "", "汉字 name": "没有 这个"}.get(kind, tmp_path / "model")
    if kind == "a file":
        model.write_text("x")
    if kind in ("empty", "foreign"):
        model.mkdir()
    if kind == "foreign":
        (model / "config.json").write_text('{"model_type": "another"}')
        (model / "model.safetensors").write_bytes(b"12345678")
    done = pellucid(*command(verb, model, *ready[1:], tmp_path / "out"), stdin=LINE)
    if (verb, kind) == ("info", "no name"):
        check(done, OK)  # nothing named: the machine
    else:
        check(done, (USAGE, DATA) if kind == "no name" else (DATA, DAMAGED))


@pytest.mark.parametrize("verb", READ_MODEL)
@pytest.mark.parametrize("what", ["cut", "flipped", "newer"])
def test_a_damaged_model(verb, what, pellucid, ready, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(ready.run if verb == "average" else ready.run / "final", model)
    name = {"newer": "config.json"}.get(what, "model.safetensors")
    files = model.glob("checkpoints/*/weights.safetensors") if verb == "average" else [model / name]
    for file in files:
        data = file.read_bytes()
        flipped = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
        newer = data.replace(b'"format": 1', b'"format": 9')
        file.write_bytes({"cut": data[:-7], "flipped": flipped, "newer": newer}[what])
        if what == "newer" and verb == "average":
            file.unlink()
    done = pellucid(*command(verb, model, *ready[1:], tmp_path / "out"), stdin=LINE)
    check(done, DAMAGED)


@pytest.mark.parametrize("verb", READ_TEXT)
@pytest.mark.parametrize("kind", ["missing", "a folder", "empty", "binary", "UTF-16", "shorter"])
def test_no_text(verb, kind, pellucid, ready, tmp_path):
    source = tmp_path / "bad.en"
    if kind == "a folder":
        source.mkdir()
    elif kind != "missing":
        whole = ready.source.read_bytes()
        source.write_bytes(
            {
                "empty": b"",
                "binary": b"\x80\x00\xff" * 50,
                "UTF-16": whole.decode().encode("utf-16"),
                "shorter": whole[: whole.index(b"\n", 2000) + 1],
            }[kind]
        )
    fine = kind == "shorter" and verb in ("tokenizer train", "bench")
    fine |= kind == "empty" and verb == "tokenizer train"  # the other file has text
    done = pellucid(*command(verb, ready.run, source, ready.target, tmp_path / "out"))
    check(done, OK if fine else DATA if (verb, kind) != ("bench", "empty") else USAGE)
    assert fine or str(source) in done.err + done.out


@pytest.mark.parametrize("verb", WRITE)
@pytest.mark.parametrize("kind", ["below a file", "a device", "someone's"])
def test_nowhere_to_write(verb, kind, pellucid, ready, tmp_path):
    (tmp_path / "file").write_text("mine")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("mine")
    out = {"below a file": tmp_path / "file" / "out", "a device": "/proc/out", "someone's": mine}
    done = pellucid(*command(verb, *ready, out[kind]))
    if verb in ("train", "data build") and kind == "someone's":
        check(done, OK)  # a run may begin in a directory that has other things in it
    else:
        taken = kind == "someone's" and verb != "evaluate"  # which writes a file: no place for it
        check(done, DATA if taken else RESOURCE)
        assert str(out[kind]) in done.err
    assert (tmp_path / "file").read_text() == (mine / "precious").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
@pytest.mark.parametrize("verb", [verb for verb in END if verb != "init"])
def test_no_permission(verb, pellucid, ready, tmp_path):
    args = command(verb, *ready, tmp_path / "out")
    pellucid(*args, stdin=LINE)  # whatever is imported late is imported by now
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    (tmp_path / "out").unlink(missing_ok=True)
    ready.run.parent.chmod(0o700)
    os.seteuid(65534)
    try:
        done = pellucid(*args, stdin=LINE)
    finally:
        os.seteuid(0)
    check(done, (DATA, RESOURCE))


@pytest.mark.parametrize("verb", END)
@pytest.mark.parametrize("home", ["no HOME", "LANG=C"])
def test_a_bare_environment(verb, home, pellucid, ready, tmp_path, monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    if home == "LANG=C":
        for name in ("LANG", "LC_ALL", "LC_CTYPE"):
            monkeypatch.setenv(name, "C")
    check(pellucid(*command(verb, *ready, tmp_path / "out"), stdin=LINE), OK)


@pytest.mark.parametrize("verb", END)
def test_a_path_with_spaces_and_other_letters(verb, pellucid, ready, tmp_path):
    folder = tmp_path / "my 汉字 ü 'quoted'"
    folder.mkdir()
    model = shutil.copytree(ready.run, folder / "run")
    for name in ("published", "filler", "tagger", "classifier", "answerer"):
        shutil.copytree(ready.run.parent / name, folder / name)
    texts = [shutil.copy(file, folder) for file in ready[1:]]
    done = pellucid(
        *command(verb, model, *texts, folder / "out"), stdin="Ein [MASK] 狗.\tEin 狗.\n".encode()
    )
    check(done, OK)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], USAGE, "verb is missing"),
        (["trian"], USAGE, "'train'"),
        (["data"], USAGE, "data check or data build"),
        (["data", "get"], USAGE, "data check"),
        (["init", "cooking"], USAGE, "translation"),
        (["init", "--model.d-modell", "3"], USAGE, "--model.d-model"),
        (["init", "--model.n-heads", "3"], CONFIG, "n_heads=3"),
        (["train", "--data.train", "a.en"], USAGE, "two different"),
        (["train", "--size", "tinny", "--data.train", "TEXTS"], CONFIG, "tiny"),
        (["train", "--training.max-updates", "0", "--data.train", "TEXTS"], CONFIG, "max_updates"),
        (["train", "--task", "dancing", "--data.train", "TEXTS"], USAGE, "dancing"),
        (["average", "x"], USAGE, "--out"),
        (["average", "RUN", "--out", "RUN/final"], USAGE, "is the model of the run"),
        (["import", "RUN/final", "RUN/final/sub"], USAGE, "is in RUN/final, which is read"),
        (["export", "RUN", "RUN/final/sub"], USAGE, "is in RUN/final, which is read"),
        (["train", "--run-dir", "FILE", "--data.train", "TEXTS"], RESOURCE, "FILE is a file"),
        (["train", "--test", "no.en", "no.de", "--data.train", "TEXTS"], DATA, "no.en"),
        (["train", "--test", "FILE", "SHORT", "--data.train", "TEXTS"], DATA, "SHORT"),
        (["train", "--test"], USAGE, "--test"),
        (["translate", "x", "--ensemble"], USAGE, "--ensemble"),
        (["evaluate", "x", "--data"], USAGE, "--data"),
        (["evaluate", "x", "--n-best", "3", "--data", "TEXTS"], USAGE, "--n-best 3"),
        (["bench", "x", "--n-best", "3"], USAGE, "--n-best 3"),
        (["evaluate", "x", "--tokenised", "--against", "y", "--data", "TEXTS"], USAGE, "--against"),
    ],
)
def test_what_is_said(args, code, message, pellucid, ready, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("Ein Hund.\n")
    names = {"RUN": str(ready.run), "FILE": str(ready.source), "SHORT": str(tmp_path / "short")}
    for name, path in names.items():
        args = [arg.replace(name, path) for arg in args]
        message = message.replace(name, path)
    at = args.index("TEXTS") if "TEXTS" in args else len(args)
    done = pellucid(*args[:at], *(ready[1:] if at < len(args) else ()))
    check(done, code)
    assert message in done.err
    assert "step 1" not in done.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nowhere.yaml"], 3, "nowhere.yaml"),
        (["--data.train", "TEXTS", "--size", "tinny"], 4, "tiny"),
        (["--no-such-flag"], 2, "no-such-flag"),
        (["--data.train", "TEXTS", "--run-dir", "/proc/run"], 5, "/proc/run"),
    ],
)
def test_errors_of_a_training_are_json_lines(args, code, message, pellucid, ready):
    files = [str(ready.source), str(ready.target)]
    args = [word for arg in args for word in (files if arg == "TEXTS" else [arg])]
    done = pellucid("train", "--log-format", "json", *args)
    *_, last = [json.loads(line) for line in done.err.split("\n") if line]
    assert (done.code, last["exit_code"]) == (code, code)
    assert message in last["error"]


def test_debug_shows_the_traceback(pellucid):
    done = pellucid("info", "/nowhere", "--debug")
    assert (done.code, "Traceback" in done.err) == (DATA, True)


@pytest.mark.parametrize(
    ("message", "code"),
    [("index out of bounds", 1), ("IOError(Resource temporarily unavailable)", RESOURCE)],
)
def test_a_panic_below_is_one_line(pellucid, monkeypatch, message, code):
    """Authority: pyo3's documentation: a panic is a BaseException of this name."""
    from pellucid.cli import info

    def panic():
        raise type("PanicException", (BaseException,), {})(message)

    monkeypatch.setattr(info, "describe_machine", panic)
    done = pellucid("info")
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert message in done.err


def test_a_fault_of_ours_is_one_line(pellucid, monkeypatch):
    """Authority: exit code 1 of the table."""
    from pellucid.cli import info

    monkeypatch.setattr(info, "describe_machine", lambda: 1 / 0)
    done = pellucid("info")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "--debug" in done.err
