"""Translations per second over HTTP, beside plain servers of transformers and CTranslate2.

python -m benchmarks.serve [--sentences 320] [--clients 16] [--rounds 3] [--workers 2] [--compile]

Servers of the shipped en-de translator (beam 5, fp32) take turns; each client sends one text after
another. `offline` is `translate` of all sentences at once. Then the server alone: one client,
requests at half its greatest rate, and at ten times that rate.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from tests.serve.load import Connections, open_loop

from benchmarks.report import save_results

MODEL, BEAM = "en-de", 5
LOADS = (0.5, 1.0, 10.0)
"""Requests per second, as a multiple of the greatest rate."""


class Target(NamedTuple):
    """A server under test."""

    url: str
    body: dict[str, Any]

    def request(self, text: str) -> dict[str, Any]:
        return {"text": text} | self.body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sentences", type=int, default=320)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="of `pellucid serve`")
    parser.add_argument("--compile", action="store_true", help="of `pellucid serve`")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each open-loop load")
    arguments = parser.parse_args()
    texts = sentences(arguments.sentences)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ["--workers", str(arguments.workers), *["--compile"] * arguments.compile]
        commands = COMMANDS | {"pellucid": [*COMMANDS["pellucid"], *options]}
        targets = {
            n: start(stack, n, command, folder, arguments.threads)
            for n, command in commands.items()
        }
        offline = make_offline(arguments.threads)
        rates: dict[str, list[float]] = {name: [] for name in (*targets, "offline")}
        answers: dict[str, list[str]] = {}
        for turn in range(arguments.rounds + 1):
            for name in rates:
                begin = time.perf_counter()
                if name == "offline":
                    answers[name] = offline(texts)
                else:
                    answers[name] = asyncio.run(closed(targets[name], texts, arguments.clients))
                if turn:  # the first one warms up
                    rates[name].append(len(texts) / (time.perf_counter() - begin))
        medians = {name: statistics.median(each) for name, each in rates.items()}
        load = asyncio.run(measure_load(targets["pellucid"], texts, medians, arguments.seconds))
    report(arguments, medians, rates, answers, load)


def sentences(n: int) -> list[str]:
    """Return source sentences of the built-in corpus."""
    from pellucid import garden

    return [source for source, _ in list(garden.pairs(n + n // 4, "en", "de"))[:n]]


def make_offline(threads: int) -> Any:
    """Return a function that translates all texts at once, as the command line does."""
    import torch

    import pellucid
    from pellucid.allocator import prepare_for_steps

    prepare_for_steps()
    torch.set_num_threads(threads)
    model = pellucid.load(MODEL, device="cpu")

    def translate(texts: Sequence[str]) -> list[str]:
        return [t.text for t in model.translate(texts, beam=BEAM, alignment=False)]

    return translate


COMMANDS = {
    "pellucid": ["-m", "pellucid", "serve", MODEL, "--port", "PORT"],
    "transformers": ["-m", "benchmarks.peer_servers", "transformers", "DIR", "PORT"],
    "ctranslate2": ["-m", "benchmarks.peer_servers", "ctranslate2", "DIR", "PORT"],
}


def start(
    stack: ExitStack, name: str, command: Sequence[str], folder: Path, threads: int
) -> Target:
    """Start a server in a process of its own, and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    directory = folder / name
    if name != "pellucid":
        to = ["--to", "ctranslate2"] if name == "ctranslate2" else []
        export = [sys.executable, "-m", "pellucid", "export", MODEL, str(directory), *to]
        subprocess.run(export, check=True, capture_output=True)
    values = {"PORT": str(port), "DIR": str(directory)}
    command = [sys.executable, *(values.get(each, each) for each in command)]
    environment = {"OMP_NUM_THREADS": str(threads)}
    if name != "pellucid":
        command += ["--threads", str(threads)]
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    path, body = ("/v1/translate", {"beam": BEAM}) if name == "pellucid" else ("/translate", {})
    target = Target(f"http://127.0.0.1:{port}{path}", body)
    for _ in range(1200):  # compiling a step takes a minute
        try:
            first = target.request("A dog.")
            httpx.post(target.url, json=first, timeout=60, trust_env=False).raise_for_status()
            return target
        except httpx.TransportError:
            time.sleep(0.1)
    sys.exit(f"{name}: no answer")


async def translate(connections: Connections, target: Target, text: str) -> str:
    """Return the translation of a text by any of the servers."""
    status, body = await connections.post(target.request(text))
    if status != httpx.codes.OK:
        sys.exit(f"{target.url}: status {status}: {body.decode()}")
    record = json.loads(body)
    return record["translation"] if "translation" in record else record["translations"][0]["text"]


async def closed(target: Target, texts: Sequence[str], clients: int) -> list[str]:
    """Return the translations, asked for by clients that each wait for their answer."""
    answers = [""] * len(texts)
    numbers, connections = iter(range(len(texts))), Connections(target.url)

    async def ask() -> None:
        for i in numbers:
            answers[i] = await translate(connections, target, texts[i])

    await asyncio.gather(*(ask() for _ in range(clients)))
    return answers


class Load(NamedTuple):
    """Responses to requests that came at a fixed rate."""

    goodput: float  # good responses per second, while requests came
    refused: int
    failed: int
    p50: float
    p99: float


async def open_load(target: Target, texts: Sequence[str], rate: float, seconds: float) -> Load:
    """Send requests at a rate, whether or not earlier ones are answered."""
    begin, connections = time.perf_counter(), Connections(target.url)

    async def ask(number: int) -> tuple[int, float, float]:
        sent = time.perf_counter()
        try:
            status, _ = await connections.post(target.request(texts[number % len(texts)]))
        except (OSError, EOFError):
            status = 0
        end = time.perf_counter()
        return status, end - sent, end - begin

    answers = await open_loop(ask, rate, seconds)
    statuses = [status for status, *_ in answers]
    good = [(took, end) for status, took, end in answers if status == httpx.codes.OK]
    times = sorted(took for took, _ in good)
    return Load(
        sum(end <= seconds for _, end in good) / seconds,
        statuses.count(429),
        sum(status not in (200, 429) for status in statuses),
        times[len(times) // 2],
        times[int(0.99 * (len(times) - 1))],
    )


async def measure_load(
    target: Target, texts: Sequence[str], medians: dict[str, float], seconds: float
) -> dict[str, Any]:
    """Measure single requests, half of the greatest rate, that rate, and ten times it."""
    single, connections = [], Connections(target.url)
    for text in texts[:60]:
        begin = time.perf_counter()
        await translate(connections, target, text)
        single.append(time.perf_counter() - begin)
    rate = medians["pellucid"]
    loads = {n: await open_load(target, texts, n * rate, seconds) for n in LOADS}
    return {"single": statistics.median(single)} | {str(n): x._asdict() for n, x in loads.items()}


def report(
    arguments: argparse.Namespace,
    medians: dict[str, float],
    rates: dict[str, list[float]],
    answers: dict[str, list[str]],
    load: dict[str, Any],
) -> None:
    """Print the figures, and save them."""
    print(
        f"\n{arguments.clients} clients, {arguments.threads} threads, {arguments.workers} workers,"
        f" beam {BEAM}"
    )
    for name, median in medians.items():
        equal = sum(a == b for a, b in zip(answers[name], answers["offline"], strict=True))
        print(
            f"  {name:14s} {median:7.1f} translations/s   {median / medians['offline']:.2f} of"
            f" offline   equal text {equal / len(answers['offline']):.1%}"
        )
    print(f"  one client     p50 {1000 * load['single']:.0f} ms")
    for n in ("0.5", "1.0", "10.0"):
        x = load[n]
        print(
            f"  load x {n:4s}    {x['goodput']:7.1f}/s   p50 {1000 * x['p50']:.0f} ms"
            f"   p99 {1000 * x['p99']:.0f} ms   refused {x['refused']}   failed {x['failed']}"
        )
    found = {
        "pellucid / offline": medians["pellucid"] / medians["offline"],
        "pellucid / transformers": medians["pellucid"] / medians["transformers"],
        "pellucid / ctranslate2": medians["pellucid"] / medians["ctranslate2"],
        "goodput at 10 times the load / peak": load["10.0"]["goodput"]
        / max(medians["pellucid"], load["1.0"]["goodput"]),
        "p99 at half load / a single request": load["0.5"]["p99"] / load["single"],
    }
    for name, value in found.items():
        print(f"  {name:38s} {value:.2f}")
    facts = {"medians": medians, "rates": rates, "load": load, "ratios": found}
    save_results(f"serve-workers{arguments.workers}{'-compiled' * arguments.compile}", facts)


if __name__ == "__main__":
    main()
