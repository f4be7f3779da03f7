"""Real processes: pipes, signals, start-up.  Authority: the shell's own conventions, by hand."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from cli.conftest import TINY
from pellucid.cli.main import VERBS

PELLUCID = [sys.executable, "-m", "pellucid"]


def start(*args, **options):
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
    command = [*PELLUCID, *map(str, args)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


def pellucid(*args, stdin=b"", **options):
    process = start(*args, **options)
    out, err = process.communicate(stdin, timeout=100)
    return process.returncode, out, err.decode()


def lines_until(process, words):
    """What it says on stderr until a line has these words."""
    message = []
    for line in process.stderr:
        message.append(line.decode())
        if words in message[-1]:
            return message
    raise AssertionError("".join(message))


def test_help_is_quick():
    """F2: 0.3 s at most, of processor time, which a busy machine does not stretch much."""
    code = (
        "import sys; from pellucid.cli.main import main; code = main(sys.argv[1:]);"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules; sys.exit(code)"
    )
    slow = {}
    for verb in ("", *VERBS):
        command = [sys.executable, "-c", code, *verb.split(), "--help"]
        seconds = processor_seconds(command)
        if seconds > 0.3:  # or the machine was busy
            seconds = min(seconds, processor_seconds(command), processor_seconds(command))
        if seconds > 0.3:
            slow[verb] = seconds
    assert not slow


def processor_seconds(command):
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def test_a_line_is_answered_while_the_pipe_is_open(ready):
    with start("translate", ready.run, "--max-length", "5", "--workers", "2") as process:
        for _ in range(2):
            process.stdin.write(b"The dog sleeps.\n")
            process.stdin.flush()
            assert process.stdout.readline().endswith(b"\n")
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_locale_of_plain_ascii(ready):
    """Authority: bytes are UTF-8 whatever the locale says."""
    env = {**os.environ, "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    env.pop("HOME", None)
    text = "Größe 狗\n".encode()
    code, out, err = pellucid("translate", ready.run, "--jsonl", stdin=text, env=env)
    assert (code, err) == (0, "")
    assert json.loads(out.decode())["source_tokens"][-1] == "</s>"


def test_closed_standard_input(ready):
    command = " ".join([*PELLUCID, "translate", str(ready.run), "<&-"])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "standard input" in done.stderr


def test_closed_standard_output():
    done = subprocess.run(
        ["sh", "-c", " ".join([*PELLUCID, "info", ">&-"])], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert "standard output is closed" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reader_that_has_enough(workers, ready):
    """`| head -1`: quiet, and 141 as of a process that SIGPIPE killed."""
    with start("translate", ready.run, "--max-length", "3", "--workers", workers) as process:
        process.stdin.write(b"The dog sleeps.\n" * 3000)
        process.stdin.close()
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_line_out_for_each_line_in(workers, ready):
    """C5 in small: 20,000 lines, most of them empty; authority: `wc -l` and each line's place."""
    lines = [b"The dog sleeps." if i % 400 == 7 else b"" for i in range(20_000)]
    args = ["translate", ready.run, "--max-length", "3", "--jsonl", "--workers", workers]
    code, out, err = pellucid(*args, stdin=b"".join(line + b"\n" for line in lines))
    assert (code, err) == (0, "")
    *actual, last = out.split(b"\n")
    assert (len(actual), last) == (20_000, b"")
    sources = [bool(json.loads(line)["source_tokens"]) for line in actual]
    assert sources == [bool(line) for line in lines]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_translation_that_is_stopped(number, ready):
    with start("translate", ready.run, "--workers", "2") as process:
        process.stdin.write(b"A dog.\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert process.stderr.read() == b""


def test_a_training_stopped_twice_resumes(ready, tmp_path):
    run = tmp_path / "run"
    args = ["--data.train", ready.source, ready.target, *TINY, "--run-dir", run]
    args += ["--training.max-updates", "100000", "--training.log-every", "10"]
    for number in (signal.SIGTERM, signal.SIGINT):
        with start("train", *args) as process:
            lines_until(process, "step ")
            process.send_signal(number)
            message = process.stderr.read().decode()
            assert process.wait(60) == 128 + number
        assert f"stopped by {number.name} after update" in message
        assert f"Resume: pellucid train {run}" in message
        args = [run]  # what it said to type
    with start("train", run) as process:
        lines_until(process, "resuming from step-")
        with start("train", run) as second:
            message = second.stderr.read().decode()
            assert second.wait(60) == 5
            assert "in use by another training" in message
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(60) == 143
    code, _, err = pellucid("average", run, "--out", tmp_path / "model")
    assert (code, err) == (0, "")  # a stopped run gives a model too


def test_a_finished_run_that_is_extended_and_stopped_says_which_model_it_has(ready, tmp_path):
    run = shutil.copytree(ready.run, tmp_path / "run")
    with start("train", run, "--training.max-updates", "100000") as process:
        lines_until(process, "tokens per second")
        process.send_signal(signal.SIGTERM)
        message = process.stderr.read().decode()
        assert process.wait(60) == 143
    assert f"{run / 'final'} is the model that was finished before. Resume:" in message


def json_lines(text):
    records = [json.loads(line) for line in text.split("\n") if line]
    assert records
    assert all(isinstance(record, dict) for record in records)
    return records


def test_json_lines_of_a_training(ready, tmp_path):
    args = ["--data.train", ready.source, ready.target, *TINY, "--training.max-updates", "5"]
    code, out, err = pellucid("train", *args, "--log-format", "json", "--run-dir", tmp_path / "r")
    assert code == 0
    json_lines(err)
    assert str(tmp_path / "r" / "final") in out.decode()


def long_training(ready, run, *args):
    settings = ["--data.train", ready.source, ready.target, *TINY, "--run-dir", run]
    return ["train", *settings, "--training.log-every", "10", *args]


def test_a_stopped_training_logs_json_to_the_last_line(ready, tmp_path):
    args = long_training(ready, tmp_path / "run", "--training.max-updates", "100000")
    with start(*args, "--log-format", "json") as process:
        lines_until(process, '"step"')
        process.send_signal(signal.SIGTERM)
        last = json_lines(process.stderr.read().decode())[-1]
        assert process.wait(60) == 143
    assert "stopped by SIGTERM" in last["message"]


def test_training_continues_when_nobody_reads_its_log(ready, tmp_path):
    """`train ... 2>&1 | head -2`. Authority: the run ends as one whose log is read."""
    args = long_training(ready, tmp_path / "run", "--training.max-updates", "60")
    with start(*args) as process:
        lines_until(process, "step ")
        process.stderr.close()
        out = process.stdout.read().decode()
        assert process.wait(60) == 0
    assert str(tmp_path / "run" / "final") in out
    assert (tmp_path / "run" / "final" / "model.safetensors").exists()
    assert "step 60" in (tmp_path / "run" / "log.txt").read_text()


def test_both_streams_into_a_pipe_that_is_closed(ready, tmp_path):
    command = " ".join([*PELLUCID, *map(str, long_training(ready, tmp_path / "run"))])
    shell = f"{command} --training.max-updates 30 2>&1 | head -1"
    subprocess.run(["bash", "-c", shell], capture_output=True, check=True)
    assert (tmp_path / "run" / "final" / "model.safetensors").exists()


def test_a_training_without_standard_error(ready, tmp_path):
    command = " ".join([*PELLUCID, *map(str, long_training(ready, tmp_path / "run"))])
    shell = f"{command} --training.max-updates 10 2>&-"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("step ")) == (0, 0)
    assert (tmp_path / "run" / "final" / "model.safetensors").exists()


def test_nohup_keeps_a_training_from_a_closed_terminal(ready, tmp_path):
    """Authority: nohup's manual: SIGHUP is ignored."""
    args = long_training(ready, tmp_path / "run", "--training.max-updates", "200")
    with subprocess.Popen(
        ["nohup", *PELLUCID, *map(str, args)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        lines_until(process, "step ")
        process.send_signal(signal.SIGHUP)
        process.stderr.read()
        assert process.wait(60) == 0


@pytest.mark.campaign
def test_a_million_lines_in_constant_memory(ready, tmp_path):
    """C5: one line out for each, order kept, and no more memory at the end than early on."""
    total, often = 1_000_000, 100_000
    path = tmp_path / "million"
    with open(path, "wb") as file:
        for i in range(total):
            file.write(b"A dog.\n" if i % 1000 == 7 else b"\n")
    sizes, count, began = [], 0, time.monotonic()
    with open(path, "rb") as file, start("translate", ready.run, stdin=file) as process:
        for count, _ in enumerate(process.stdout, 1):
            if count % often == 0 and count < total:
                with open(f"/proc/{process.pid}/statm") as statm:
                    sizes.append(int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        assert (process.wait(60), count) == (0, total)
    spent = time.monotonic() - began
    print(f"{total:,} lines in {spent:.0f} s, resident MiB: {[size >> 20 for size in sizes]}")
    assert sizes[-1] - sizes[0] < 20 << 20
