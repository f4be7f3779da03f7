"""Many clients of a server process, and what the system says of it."""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx

T = TypeVar("T")
MOST_CONNECTIONS = 400
"""Of a client: a server closes those above 512 by default."""
WORDS = (
    "The dog sleeps.",
    "A cat sees the red house.",
    "The child eats an apple.",
    "The man sings.",
)


class Process(NamedTuple):
    """A server in a process of its own."""

    address: str
    process: subprocess.Popen

    def memory(self) -> float:
        """MB of memory of all its processes; pages that they share count once."""
        sizes = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids())
        return sum(int(size.split("\nPss:")[1].split()[0]) for size in sizes) / 1e3

    def pids(self) -> list[int]:
        """The processes: its own, and those that generate texts."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def handles(self) -> int:
        """The number of open files and connections."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def threads(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in self.pids())


class Answer(NamedTuple):
    """The answer to a request: status 0 if the connection broke."""

    status: int
    seconds: float
    text: str = ""
    retry_after: str = ""


@contextmanager
def serve_process(*args: str):
    """Yield a server process; end it."""
    command = [sys.executable, "-m", "pellucid", "serve", *args, "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield Process(process.stdout.readline().strip(), process)
        finally:
            process.kill()


def sentence(number: int) -> str:
    """A text that differs from others: two sentences in an order of its own."""
    rng = random.Random(number)
    return " ".join(rng.choice(WORDS) for _ in range(1 + number % 3))


class Connections:
    """A client of one address that needs little of the cores, which the server needs."""

    def __init__(self, url: str) -> None:
        self.url = httpx.URL(url)
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.room = asyncio.Semaphore(MOST_CONNECTIONS)

    async def post(self, record: dict[str, Any]) -> tuple[int, bytes]:
        """Send JSON on an idle connection or a new one, and return the status and the body.

        Raises: OSError, EOFError if the connection breaks.
        """
        async with self.room:
            return await self._post(record)

    async def _post(self, record: dict[str, Any]) -> tuple[int, bytes]:
        host, port = self.url.host, self.url.port
        connection = self.idle.pop() if self.idle else await asyncio.open_connection(host, port)
        reader, writer = connection
        body = json.dumps(record).encode()
        head = f"POST {self.url.path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
        headers = dict(line.split(": ", 1) for line in lines if line)
        response = await reader.readexactly(int(headers["content-length"]))
        self.idle.append(connection)
        return int(status.split()[1]), response


async def translate(client: httpx.AsyncClient, text: str, **settings) -> Answer:
    begin = time.monotonic()
    body = {"model": "en-de", "text": text, **settings}
    try:
        response = await client.post("/v1/translate", json=body)
    except httpx.TransportError:
        return Answer(0, time.monotonic() - begin)
    seconds = time.monotonic() - begin
    if response.status_code == 200:
        return Answer(200, seconds, response.json()["translations"][0]["text"])
    return Answer(response.status_code, seconds, "", response.headers.get("retry-after", ""))


def open_client(address: str) -> httpx.AsyncClient:
    most = MOST_CONNECTIONS
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    return httpx.AsyncClient(base_url=address, timeout=60, limits=limits, trust_env=False)


async def peak_rate(client: httpx.AsyncClient, seconds: float, n_clients: int = 16) -> float:
    """Answers per second of clients that ask again at once."""
    end, count = time.monotonic() + seconds, 0

    async def ask() -> None:
        nonlocal count
        while time.monotonic() < end:
            answer = await translate(client, sentence(count))
            count += answer.status == 200

    await asyncio.gather(*(ask() for _ in range(n_clients)))
    return count / seconds


async def open_loop(
    ask: Callable[[int], Coroutine[Any, Any, T]], rate: float, seconds: float
) -> list[T]:
    """Ask at a constant rate, however slow the answers are. ask: is given the request's number."""
    tasks, begin = [], time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        tasks.append(asyncio.ensure_future(ask(number)))
    return await asyncio.gather(*tasks)


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000)[int(share * 1000) - 1]
