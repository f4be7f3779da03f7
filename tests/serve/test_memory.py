"""E2: memory of requests. Authority: the system's count of resident memory."""

import asyncio
import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from pellucid.errors import ConfigError
from pellucid.serve.limits import Limits
from pellucid.serve.served import ServedModel
from serve.conftest import run_server
from serve.load import open_client, serve_process, translate

SENTENCE = "The dog sees the red house in the garden. "
LONGEST = {"beam": 16, "n_best": 16, "min_length": 500, "max_length": 512, "timeout": 30}
LARGE = [SENTENCE * 476 + "\U0001f600"] * 50
"""50 texts of 20,000 characters: a megabyte of JSON. The last one makes each need 4 bytes."""


def test_the_requests_in_progress_are_limited_together(loaded):
    body = json.dumps({"text": "A cat."}).encode()
    long = json.dumps({"text": "A dog."} | LONGEST).encode()
    limits = Limits(body_bytes=len(long), pending_bytes=len(long) + len(body) - 1)
    with run_server({"en-de": loaded["en-de"]}, limits) as server, ThreadPoolExecutor() as pool:
        first = pool.submit(send, server, long)
        while 'pellucid_running{model="en-de"} 1.0' not in server.client.get("/metrics").text:
            assert not first.done()
        response = send(server, body)
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        assert f"more than {limits.pending_bytes} bytes" in response.json()["error"]["message"]
        assert server.client.get("/health").status_code == 200
        assert first.result().status_code == 200
        end = time.monotonic() + 20
        while send(server, body).status_code != 200:  # the server ends it after its response
            assert time.monotonic() < end


def test_a_request_that_does_not_arrive_takes_little_room(loaded):
    body = json.dumps({"text": "A cat."}).encode()
    with run_server({"en-de": loaded["en-de"]}, Limits(body_bytes=90, pending_bytes=100)) as server:
        head = f"POST /v1/translate HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 90\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as slow:
            slow.sendall(head.encode() + b" " * 89)
            time.sleep(0.2)  # the server reads it
            assert send(server, body).status_code == 200
            time.sleep(0.2)  # the other request has ended for the server too
            slow.sendall(b" ")
            assert slow.recv(20).startswith(b"HTTP/1.1 400")  # it is read to the end


def test_a_client_that_leaves_counts_until_its_texts_are_let_go(loaded):
    """Tokenization cannot be stopped in the middle."""
    model, go_on, begun = ServedModel(loaded["en-de"], "en-de", Limits()), Event(), Event()

    def count(texts):
        begun.set()
        assert go_on.wait(20)
        return [1] * len(texts)

    async def leave():
        task = asyncio.ensure_future(model.count_tokens(["A cat."]))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        await asyncio.sleep(0.1)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    model._count = count
    asyncio.run(leave())


def send(server, body):
    headers = {"Content-Type": "application/json"}
    return server.client.post("/v1/translate", content=body, headers=headers)


def test_one_request_may_be_as_large_as_all():
    with pytest.raises(ConfigError, match="pending_bytes=99 is less than body_bytes=100"):
        Limits(body_bytes=100, pending_bytes=99)


@pytest.mark.campaign
def test_memory_of_a_full_queue_long():
    """The largest requests, and more of the longest searches than the queue takes."""
    with serve_process("en-de") as served:
        report = asyncio.run(fill(served))
    print(json.dumps(report))
    assert report["growth"] <= 200
    assert set(report["large"]) | set(report["long"]) <= {"200", "429", "504"}
    assert report["long"]["429"] > 0
    assert report["large"]["504"] > 0  # two were read


async def fill(served):
    async with open_client(served.address) as client:
        await translate(client, SENTENCE)
        sizes = [idle := served.memory()]

        async def sample() -> None:
            while True:
                sizes.append(served.memory())
                await asyncio.sleep(0.1)

        async def ask(text: str | list[str]) -> str:
            response = await client.post("/v1/translate", json={"text": text} | LONGEST)
            return str(response.status_code)

        sampling = asyncio.ensure_future(sample())
        large = [asyncio.ensure_future(ask(LARGE)) for _ in range(20)]
        await asyncio.sleep(1)  # they are read
        long = await asyncio.gather(*(ask(SENTENCE * 3) for _ in range(110)))
        large = await asyncio.gather(*large)
        sampling.cancel()
        growth = max(sizes) - idle
        return {"idle": idle, "growth": growth, "large": Counter(large), "long": Counter(long)}
