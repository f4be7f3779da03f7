"""Authority: the methods of the same model, one call after another."""

import asyncio
import threading
import time
import weakref
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from cancellable import CancellableWork
from pellucid.errors import UsageError
from pellucid.serve import worker
from pellucid.serve.engine import Engine
from pellucid.serve.errors import (
    DeadlineExceededError,
    ModelFailedError,
    OverloadedError,
    ShuttingDownError,
)
from pellucid.serve.job import Job, Work
from pellucid.serve.limits import Limits

TEXTS = ["The dog sleeps.", "A cat sees the red house.", "The child eats an apple.", ""]
SEARCHES = [
    {"beam": 4},
    {"beam": 4, "n_best": 2},
    {"beam": 1},
    {"beam": 4, "max_length": 4},
    {"method": "sample", "seed": 5},
    {"method": "sample", "seed": 5, "n_best": 2, "top_p": 0.9},
]


def with_engine(model, use, n_processes: int = 0, **limits: Any):
    """Return the result of a coroutine function that is given an engine, which is then closed."""

    async def main() -> Any:
        engine = Engine(model, "model", Limits(**limits), n_processes)
        try:
            return await use(engine)
        finally:
            await engine.close(5)

    return asyncio.run(main())


LONG = Work(
    "translate",
    ["The dog sleeps."],
    {"beam": 1, "min_length": 999, "max_length": 1000, "alignment": False},
)


async def start_long(engine: Engine) -> asyncio.Task:
    """Start work that ends only if it is given up, and return when it runs."""
    task = asyncio.create_task(engine.run(LONG))
    while not engine.running:
        await asyncio.sleep(0.001)
    return task


async def gather(works: list[Coroutine]) -> list[Any]:
    return await asyncio.gather(*works, return_exceptions=True)


@pytest.fixture(params=[0, 2], ids=["a thread", "two processes"])
def n_processes(request) -> int:
    """Where texts are generated."""
    return request.param


@pytest.mark.parametrize("cache_bytes", [1 << 27, 1 << 10], ids=["together", "in turn"])
def test_texts_that_are_decoded_together_are_those_decoded_alone(loaded, n_processes, cache_bytes):
    model = loaded["en-de"]
    jobs = [(TEXTS[i % 4 :], SEARCHES[i % 6] | {"alignment": False, "first": i}) for i in range(24)]

    async def use(engine: Engine) -> list[Any]:
        return await gather([engine.run(Work("translate", *job)) for job in jobs])

    results = with_engine(model, use, n_processes, cache_bytes=cache_bytes)
    for (texts, settings), result in zip(jobs, results, strict=True):
        assert texts_of(result) == texts_of(model.translate(texts, **settings))


def texts_of(results: list[Any]) -> list[Any]:
    return [texts_of(r) if isinstance(r, list) else (r.text, r.ids) for r in results]


def test_streams_beside_other_calls(loaded, n_processes):
    model, prompts = loaded["gpt2"], ["a b", "c", "the"]
    settings = {"method": "sample", "seed": 1, "max_length": 9}

    async def collect(engine: Engine, prompt: str) -> str:
        *pieces, _ = [p async for p in engine.stream(Work("generate", [prompt], settings))]
        return "".join(pieces)

    async def use(engine: Engine) -> list[Any]:
        return await gather([collect(engine, prompt) for prompt in prompts])

    expected = [model.generate([prompt], **settings)[0].text for prompt in prompts]
    assert with_engine(model, use, n_processes) == expected


def test_requests_that_wait_together_are_one_batch(loaded, monkeypatch):
    model = loaded["classifier"]
    texts = [["good"], ["bad", "good bad"], ["a"], ["b"]]
    expected = [model.classify(each) for each in texts]
    sizes, is_begun, may_end = [], threading.Event(), threading.Event()
    classify = model.classify

    def count(inputs, **settings):
        sizes.append(len(inputs))
        is_begun.set()
        may_end.wait()
        return classify(inputs, **settings)

    monkeypatch.setattr(model, "classify", count)

    async def use(engine: Engine) -> list[Any]:
        first = asyncio.create_task(engine.run(Work("classify", texts[0], {})))
        while not is_begun.is_set():
            await asyncio.sleep(0.001)
        rest = [asyncio.create_task(engine.run(Work("classify", each, {}))) for each in texts[1:]]
        await asyncio.sleep(0.01)
        may_end.set()
        return await gather([first, *rest])

    results = with_engine(model, use)
    assert sizes == [1, 4]
    for result, each in zip(results, expected, strict=True):
        assert [r.labels for r in result] == [e.labels for e in each]
        assert [r.probability for r in result] == pytest.approx([e.probability for e in each])


def test_a_bad_input_fails_alone(loaded):
    model = loaded["bert"]
    gap = "[MASK]"

    async def use(engine: Engine) -> list[Any]:
        texts = [f"a {gap}", "no gap", f"{gap} b"]
        return await gather([engine.run(Work("fill", [text], {"top": 1})) for text in texts])

    good, bad, other = with_engine(model, use)
    assert isinstance(bad, UsageError)
    assert good == model.fill([f"a {gap}"], top=1)
    assert other == model.fill([f"{gap} b"], top=1)


def test_a_request_that_is_repeated_alone_is_joined_by_no_other(loaded, monkeypatch):
    model, may_end = loaded["bert"], threading.Event()
    fill = model.fill

    def wait(texts, **settings):
        may_end.wait()
        return fill(texts, **settings)

    monkeypatch.setattr(model, "fill", wait)

    async def use(engine: Engine) -> list[Any]:
        def ask(text: str) -> asyncio.Task:
            return asyncio.create_task(engine.run(Work("fill", [text], {"top": 1})))

        tasks = [ask("first [MASK]")]
        await asyncio.sleep(0.01)
        tasks += [ask("bad"), ask("good [MASK]")]  # one group, which fails
        await asyncio.sleep(0.01)
        may_end.set()
        for _ in range(50):  # others come at any time while it is repeated
            tasks.append(ask("bad too"))
            await asyncio.sleep(0)
        return await gather(tasks)

    first, bad, good, *others = with_engine(model, use)
    assert good == fill(["good [MASK]"], top=1)
    assert len(first) == 1
    assert "'bad'" in str(bad)
    assert all("'bad too'" in str(each) for each in others)


def test_work_that_nobody_waits_for_is_given_up(loaded):
    async def use(engine: Engine) -> None:
        task = await start_long(engine)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(DeadlineExceededError):
            await engine.run(replace(LONG, deadline=time.monotonic() + 0.05))
        decoder = engine._worker._decoder
        end = time.monotonic() + 2
        while decoder.has_work and time.monotonic() < end:
            await asyncio.sleep(0.001)
        assert not decoder.has_work
        assert engine.outcomes == {"cancelled": 1, "late": 1}
        task = await start_long(engine)
        await engine.close(0)
        with pytest.raises(ShuttingDownError):
            await task

    with_engine(loaded["en-de"], use)
    end = time.monotonic() + 5
    while any(thread.name.endswith("-model_0") for thread in threading.enumerate()):
        assert time.monotonic() < end, "its threads do not end"
        time.sleep(0.01)


def test_a_computation_that_nobody_waits_for_is_cancelled(loaded, monkeypatch):
    work = CancellableWork()
    monkeypatch.setattr(worker, "respond", lambda model, record: work.run())

    async def use(engine: Engine) -> Any:
        task = asyncio.create_task(engine.run(Work("explore", [{}], {})))
        await asyncio.to_thread(work.begun.wait, 10)
        task.cancel()
        return await engine.run(Work("classify", ["good"], {}))

    assert len(with_engine(loaded["classifier"], use)) == 1
    assert work.cancelled.is_set()


class Text(str):
    """A string that can have weak references."""


def test_work_that_waits_and_is_given_up_keeps_no_text(loaded, monkeypatch):
    model, may_end = loaded["bert"], threading.Event()
    fill, computed = model.fill, []

    def wait(texts, **settings):
        may_end.wait()
        computed.extend(texts)
        return fill(texts, **settings)

    monkeypatch.setattr(model, "fill", wait)

    async def use(engine: Engine) -> list[Any]:
        first, late, other = (
            Job(Work("fill", [Text(f"{name} [MASK]")], {"top": 1}))
            for name in ("first", "late", "other")
        )
        join = engine._worker.join
        groups = [join(first)]
        while first.start is None:
            await asyncio.sleep(0.001)
        text = weakref.ref(late.work.inputs[0])
        groups += [join(late), join(other)]
        late.stop()
        assert text() is None
        may_end.set()
        return groups[-1].results.result(10)[other]

    assert with_engine(model, use) == fill(["other [MASK]"], top=1)
    assert computed == ["first [MASK]", "other [MASK]"]


def test_a_stream_that_is_given_up_before_it_begins(loaded):
    async def use(engine: Engine) -> None:
        job = Job(LONG)
        job.stop()
        with pytest.raises(UsageError, match="given up"):
            await asyncio.wrap_future(engine._worker.stream(job, print))

    with_engine(loaded["gpt2"], use)


def test_finished_work_is_not_given_up(loaded, monkeypatch):
    stopped = []
    monkeypatch.setattr(Job, "stop", lambda job: stopped.append(job))

    async def use(engine: Engine) -> None:
        await engine.run(Work("classify", ["good"], {}))
        assert not stopped
        with pytest.raises(ModelFailedError):
            await engine.run(Work("classify", ["good"], {"no": "setting"}))
        assert len(stopped) == 1

    with_engine(loaded["classifier"], use)


def test_a_full_queue_refuses_and_waiting_work_has_its_deadline(loaded, n_processes):
    async def use(engine: Engine) -> None:
        running = await start_long(engine)
        late = replace(LONG, deadline=time.monotonic() + 0.05)
        waiting = [asyncio.create_task(engine.run(each)) for each in (late, LONG)]
        await asyncio.sleep(0)
        assert engine.queued == 2
        with pytest.raises(OverloadedError, match="2 requests wait") as refusal:
            await engine.run(LONG)
        assert refusal.value.retry_after >= 1
        with pytest.raises(DeadlineExceededError):
            await waiting[0]
        assert engine.queued == 1
        await engine.close(0)
        for task in (running, waiting[1]):
            with pytest.raises(ShuttingDownError):
                await task
        assert engine.outcomes == {"refused": 1, "late": 1, "failed": 2}

    with_engine(loaded["en-de"], use, n_processes, running=1, queue=2)
