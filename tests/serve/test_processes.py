"""Texts that processes generate. Authority: the operating system, and the same methods here.

That the texts are equal, and that work is given up, is in `test_engine`, for threads too.
"""

import asyncio
import os
import signal
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import torch

from pellucid.cli import serve
from pellucid.errors import UsageError
from pellucid.serve.engine import Engine
from pellucid.serve.errors import ModelFailedError
from pellucid.serve.job import Job, Work
from pellucid.serve.processes import GeneratorProcess
from serve.load import serve_process
from serve.test_engine import LONG, start_long, with_engine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ENDLESS = replace(LONG, settings=LONG.settings | {"min_length": 999_999, "max_length": 1_000_000})


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def has_ended(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ends in time. It may be a zombie that nobody has asked about."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_process_gives_up_work_that_nobody_waits_for(loaded):
    async def use(engine: Engine) -> None:
        for _ in range(3):
            task = asyncio.create_task(engine.run(ENDLESS))
            await asyncio.sleep(0.05)
            task.cancel()
            # The process has one thread for calls: this waits until the other one has ended.
            work = Work("translate", ["The dog sleeps."], {"alignment": False})
            [result] = await asyncio.wait_for(engine.run(work), 30)
            assert result.text == "Der Hund schläft."

    with_engine(loaded["en-de"], use, n_processes=1, running=1)


def test_errors_of_a_model_come_back(loaded, monkeypatch):
    model = loaded["en-de"]

    def fail(session):
        raise ZeroDivisionError

    async def use(engine: Engine) -> None:
        work = Work("translate", ["The dog sleeps."], {"prefix": "a b c d", "max_length": 3})
        with pytest.raises(UsageError, match="leaves no room"):
            await engine.run(work)

    async def use_broken(engine: Engine) -> None:
        with pytest.raises(ModelFailedError, match="ZeroDivisionError"):
            await engine.run(LONG)
        assert not engine.is_broken

    with_engine(model, use, n_processes=1)
    monkeypatch.setattr(model, "in_session", fail)
    with_engine(model, use_broken, n_processes=1)


class Result:
    """What a model of `GeneratorProcess` returns or does."""

    def search(self, job):
        future = Future()
        if job.work.verb == "unsendable":
            future.set_result([lambda: 1])
        elif job.work.verb == "unreadable":
            future.set_result([Unreadable()])
        else:
            future.set_result([job.work.verb])
        return future


class Unreadable:
    def __reduce__(self):
        return int, ("no number",)


def test_results_that_cannot_be_sent_are_errors():
    process = GeneratorProcess(Result)
    assert process.search(Job(Work("plain", (), {}))) == ["plain"]
    with pytest.raises(ModelFailedError, match="the model failed"):
        process.search(Job(Work("unsendable", (), {})))
    assert process.search(Job(Work("plain", (), {}))) == ["plain"]
    with pytest.raises(ModelFailedError, match="has ended"):
        process.search(Job(Work("unreadable", (), {})))
    process._process.join(10)
    assert not process.is_alive


def test_a_process_that_cannot_begin_has_failed():
    def fail():
        raise OSError("no room here")

    process = GeneratorProcess(fail)
    process._process.join(30)
    assert process._process.exitcode == 1


def test_a_process_that_dies_fails_its_work_and_breaks_the_engine(loaded):
    async def use(engine: Engine) -> None:
        task = await start_long(engine)
        before = children(os.getpid())
        assert before
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for again in (task, engine.run(LONG)):
            with pytest.raises(ModelFailedError, match="has ended"):
                await again
        assert all(map(has_ended, before))
        assert engine.is_broken

    with_engine(loaded["en-de"], use, n_processes=1)


@pytest.fixture
def server():
    """A server with two worker processes, its address, and those processes."""
    with serve_process("en-de", "--workers", "2") as (address, process):
        yield process, address, children(process.pid)


@pytest.mark.parametrize(
    ("system", "device", "n"),
    [
        ("linux", "cpu", 1),
        ("linux", "cuda", 0),
        ("darwin", "cpu", 0),
    ],
)
def test_without_a_number_one_process_generates_on_a_cpu(system, device, n, monkeypatch):
    monkeypatch.setattr("pellucid.nn.device.choose_device", lambda _: torch.device(device))
    monkeypatch.setattr(serve.sys, "platform", system)
    assert serve.count_workers(serve.Options(("en-de",))) == n
    assert serve.count_workers(serve.Options(("en-de",), workers=2)) == 2


def translate(address: str) -> str:
    body = {"text": "The dog sleeps."}
    response = httpx.post(f"{address}v1/translate", json=body, timeout=60, trust_env=False)
    return response.json()["translations"][0]["text"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_their_server(server, number):
    process, address, workers = server
    assert len(workers) == 2
    assert translate(address) == "Der Hund schläft."
    process.send_signal(number)
    assert process.wait(30) == (0 if number == signal.SIGTERM else -number)
    assert all(map(has_ended, workers))


def test_a_signal_to_all_processes_ends_them(server):
    process, address, workers = server
    assert translate(address) == "Der Hund schläft."
    for pid in (*workers, process.pid):  # as systemd does, in any order
        os.kill(pid, signal.SIGTERM)
    assert process.wait(30) == 0
    assert all(map(has_ended, workers))


@pytest.mark.parametrize("is_used", [False, True])
def test_a_server_ends_when_one_of_its_processes_dies(server, is_used):
    process, address, workers = server
    if is_used:
        assert translate(address) == "Der Hund schläft."
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 5
    assert "a worker process of en-de died" in err
