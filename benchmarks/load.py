"""Loading a directory of 500 MB, compared with reading and hashing its bytes.

python -m benchmarks.load
"""

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.commands import run
from benchmarks.memory import process_mib
from benchmarks.report import save_results

AIM = 1.2
SMALL = "small"
"""A second, small model for warming up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "DIR"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        what, directory = arguments.one
        print(json.dumps(measure_one(LOADERS[what], Path(directory))))
        return
    facts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, directory in write_models(Path(folder)).items():
            facts[title] = compare(title, directory, arguments.rounds)
    save_results("load", facts)


def write_models(folder: Path) -> dict[str, Path]:
    """Write GPT-2 small with `pellucid import`; loading transposes its matrices."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from pellucid.formats.import_published import import_published

    torch.manual_seed(0)
    sizes = {"gpt2": GPT2Config(), SMALL: GPT2Config(n_layer=1, n_embd=24, vocab_size=50)}
    for name, config in sizes.items():
        GPT2LMHeadModel(config).save_pretrained(folder / "published" / name)
        import_published(folder / "published" / name, folder / name)
    return {"GPT-2 small, imported": folder / "gpt2"}


def compare(title: str, directory: Path, rounds: int) -> dict[str, Any]:
    """Measure both ways in alternation, each in a new process."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in LOADERS}
    for _ in range(rounds + 1):
        for name, runs in results.items():
            done = run(["-W", "ignore", "-m", "benchmarks.load", "--one", name, str(directory)])
            runs.append(json.loads(done.output.strip().split("\n")[-1]))
    seconds = {n: statistics.median(r["seconds"] for r in runs[1:]) for n, runs in results.items()}
    peak = max(r["peak_mib"] for r in results["pellucid"])
    size = results["pellucid"][0]["size_mib"]
    largest = results["pellucid"][0]["largest_mib"]
    ratio = seconds["pellucid"] / seconds["bytes"]
    print(f"\n{title}: {size:.0f} MiB, medians of {rounds}")
    print(f"  safetensors' read and sha256  {seconds['bytes']:.3f} s")
    print(f"  pellucid.load                 {seconds['pellucid']:.3f} s, {ratio:.2f}x; aim {AIM}x")
    print(f"  peak memory {peak:.0f} MiB; model and its largest tensor {size + largest:.0f} MiB")
    return {
        "seconds": seconds,
        "ratio": ratio,
        "aim": AIM,
        "peak_mib": peak,
        "model_mib": size,
        "largest_tensor_mib": largest,
    }


def measure_one(load: Callable[[Path], Any], directory: Path) -> dict[str, float]:
    """Return seconds and memory of one load, imports excluded."""
    load(directory.parent / SMALL)  # imports every module that the large one needs
    before = process_mib("VmRSS")
    start = time.perf_counter()
    loaded = load(directory)
    seconds = time.perf_counter() - start
    sizes = [tensor.nbytes / 2**20 for tensor in loaded]
    return {
        "seconds": seconds,
        "peak_mib": process_mib("VmHWM") - before,
        "size_mib": sum(sizes),
        "largest_mib": max(sizes),
    }


def read_bytes(directory: Path) -> Any:
    """Read every tensor into memory and hash every byte."""
    from safetensors.torch import load_file

    tensors = load_file(directory / "model.safetensors")
    with open(directory / "model.safetensors", "rb") as file:
        hashlib.file_digest(file, "sha256")
    return [tensor.clone() for tensor in tensors.values()]


def load_model(directory: Path) -> Any:
    """Load with `pellucid.load`."""
    import pellucid

    return list(pellucid.load(directory).model.parameters())


LOADERS = {"bytes": read_bytes, "pellucid": load_model}


if __name__ == "__main__":
    main()
