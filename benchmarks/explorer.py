"""Time and memory of a trace, and the size of its page, on shapes with random weights.

python -m benchmarks.explorer [--shapes base gpt2]

A text has 40 tokens on each side. A page holds all that `pellucid explore --html` writes, but for
the tree of a search; it is usable when its first figure is drawn. Beside GPT-2's shape:
transformers with `output_attentions` and `output_hidden_states`, a part of what a trace has.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import pellucid
from benchmarks.memory import process_mib
from benchmarks.report import save_results
from pellucid.config.head import LANGUAGE_MODEL
from pellucid.config.model import ModelConfig
from pellucid.explain.rows import Rows, TracedText
from pellucid.explain.tokens import align_read
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.explorer.attribution import describe_attribution
from pellucid.explorer.compare import ComparedModels, respond_compared
from pellucid.explorer.content import describe_effects, describe_text
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.page import render_page
from pellucid.explorer.request import TextRequest
from pellucid.explorer.respond import respond
from pellucid.explorer.stream import describe_stream
from pellucid.families import bart, bert, gpt2
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import Inputs
from pellucid.nn.model import build

LENGTH, LONG = 40, 512
STATES = 16
"""Arrays that the page asks for at once."""
TEXT = "The old dog sleeps in the garden because it was too tired to run after the cat. "
MIB = 1 << 20
SHAPES = {
    "base": ModelConfig(vocab_size=32_000, d_model=512, n_heads=8, d_ff=2048),
    "bert": replace(bert.BASE, vocab_size=30_522),
    "gpt2": replace(gpt2.SMALL, vocab_size=50_257),
    "bart": replace(bart.BASE, vocab_size=50_265),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--memory", action="store_true", help="only print the peak with a long text"
    )
    parser.add_argument("--texts", type=int, default=1, choices=[1, 2], help="2 are compared")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        bundle = random_bundle(arguments.shapes[0])
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here, with the weights
        (show_long_text if arguments.texts == 1 else compare_long_texts)(bundle)
        print(round(process_mib("VmHWM")))
        return
    facts: dict[str, Any] = {"threads": arguments.threads}
    for name in arguments.shapes:
        facts[name] = measure(name, arguments.rounds)
        print(name, facts[name], flush=True)
    save_results("explorer", facts)


def measure(name: str, rounds: int) -> dict[str, float]:
    """Return times in ms, sizes in MB and memory in MiB of one shape."""
    bundle = random_bundle(name)
    rows = random_rows(bundle, LENGTH)
    runs = {"trace p50 ms": lambda: trace_rows(bundle, rows, TraceSpec())}
    if name == "gpt2":
        runs["transformers p50 ms"] = transformers_gpt2(bundle, rows)
    facts = median_ms(runs, rounds)
    measured, seconds = measure_all(bundle, rows)
    facts |= seconds
    for full in (False, True):
        content = describe_text(bundle, rows, None, name, full=full)
        page = render_page({**content, **measured}).encode()
        facts[f"page{' --full' * full} MB"] = round(len(page) / 1e6, 2)
        facts[f"page{' --full' * full} usable ms"] = usable_ms(page, rounds)
    facts[f"peak MiB, {LONG} tokens"] = peak(name)
    facts[f"peak MiB, two texts of {LONG} tokens"] = peak(name, 2)
    facts["weights MiB"] = round(sum(p.numel() for p in bundle.model.parameters()) * 4 / MIB)
    return facts


def measure_all(bundle: Bundle, rows: Rows) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what a file holds beside a trace, and the seconds that it took.

    The shares of tokens in one output stand for those in each: all of them take minutes.
    """
    parts: dict[str, Callable[[], Any]] = {
        "effects": lambda: describe_effects(bundle, rows, None),
        "attribution": lambda: describe_attribution(bundle, rows, None, [0]),
        "stream": lambda: describe_stream(bundle, rows, None),
    }
    measured, seconds = {}, {}
    for part, describe in parts.items():
        start = time.perf_counter()
        measured[part] = describe()
        seconds[f"{part} s"] = round(time.perf_counter() - start, 1)
    seconds["attribution s"] = round(seconds["attribution s"] * LENGTH)
    measured["attribution"]["outputs"] *= LENGTH
    return measured, seconds


def usable_ms(page: bytes, rounds: int) -> float:
    """Return the median time from opening a page in Chromium to its first figure, in ms."""
    from playwright.sync_api import sync_playwright  # here: it would count as memory of a trace

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("this benchmark opens pages: install chromium (Debian: apt install chromium)")
    with TemporaryDirectory() as folder, sync_playwright() as p:
        path = Path(folder) / "page.html"
        path.write_bytes(page)
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        with p.chromium.launch(executable_path=chromium, args=flags) as browser:
            tab = browser.new_page()

            def open_page() -> None:
                tab.goto("about:blank")
                tab.goto(path.as_uri())
                tab.wait_for_selector("main svg, main canvas")

            return median_ms({"page": open_page}, rounds)["page"]


def show_long_text(bundle: Bundle) -> None:
    """Answer what a live page asks for a long text: its trace, then the arrays of one head."""
    model, text = LiveModel(bundle, "random"), {"text": TEXT}
    model.last = TextRequest(TEXT), random_rows(bundle, LONG)
    respond(model, {"ask": "trace", "text": text})
    stack = "encoder" if bundle.model.decoder is None else "decoder"
    path = f"{stack}.layers.0.attention"
    names = [f"{path}.{name}" for name in ("queries", "keys", "scores", "weights", "values")]
    respond(model, {"ask": "arrays", "text": text, "names": names, "number": 0})


def compare_long_texts(bundle: Bundle) -> None:
    """Answer what a live page asks for two long texts: both traces, then what its tabs show."""
    models = ComparedModels(LiveModel(bundle, "random"), LiveModel(bundle, "random"))
    asked = {"first": {"text": TEXT}, "second": {"text": TEXT * 2}}
    for seed, model in enumerate((models.first, models.second)):
        text = tuple(asked.values())[seed]["text"]
        model.last = TextRequest(text), random_rows(bundle, LONG, seed)
    content = respond_compared(models, {"ask": "compare", **asked})
    names = list(content["trace"]["arrays"])
    attentions = [name for name in names if name.endswith(".weights")]
    states = [name for name in names if name.endswith(".output")]
    parts = (states[i : i + STATES] for i in range(0, len(states), STATES))
    for chosen in (["heads.lm.logits"], attentions[-1:], *parts):
        for number, text in enumerate(asked.values()):
            record = {"ask": "arrays", "model": number, "text": text, "names": chosen}
            respond_compared(models, record)


def random_bundle(name: str) -> Bundle:
    """Return a model of a shape with random weights, and a tokenizer of a smaller vocabulary."""
    model = build(SHAPES[name], 0, {"lm": LANGUAGE_MODEL}).eval().requires_grad_(False)
    return replace(
        pellucid.load("en-de", device="cpu").bundle, model=model, model_config=SHAPES[name]
    )


def random_rows(bundle: Bundle, n: int, seed: int = 0) -> Rows:
    """Return n tokens for each stack of a model, with random ids and the texts of other tokens."""
    tokens = tuple(align_read(bundle.tokenizers.source, TEXT * n)[:n])
    text = TracedText((TEXT,), (TEXT,), tokens)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(bundle.model_config.vocab_size, (1, n), generator=generator)
    model = bundle.model
    reads, writes = model.encoder is not None, model.decoder is not None
    return Rows(
        Inputs(ids, target_ids=ids if reads and writes else None),
        source=text if reads else None,
        target=text if writes else None,
        next_ids=tuple(ids[0, 1:].tolist()) if writes else (),
    )


def transformers_gpt2(bundle: Bundle, rows: Rows) -> Callable[[], object]:
    """Return a call of transformers' model of the same shape that returns attentions and states."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(attn_implementation="eager")
    model = GPT2LMHeadModel(config).eval().requires_grad_(False)

    def run() -> object:
        with torch.inference_mode():
            return model(rows.inputs.ids, output_attentions=True, output_hidden_states=True)

    return run


def median_ms(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each call after a first one, in ms. The calls take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: round(statistics.median(each[1:]) * 1e3, 1) for name, each in times.items()}


def peak(name: str, n_texts: int = 1) -> int:
    """Return the peak memory in MiB of a live page's process with a long text, weights included.

    n_texts: 2 are compared.
    """
    command = [sys.executable, "-m", "benchmarks.explorer", "--memory", "--shapes", name]
    command += ["--texts", str(n_texts)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


if __name__ == "__main__":
    main()
