"""Peak memory of `pellucid evaluate` on small and large test sets.

python -m benchmarks.evaluation_memory MODEL FILE [--sizes 1000 10000]
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

from benchmarks.report import save_results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a model's directory")
    parser.add_argument("file", type=Path, help="a .tsv with an example per line, or .conll")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    arguments = parser.parse_args()
    examples = read_examples(arguments.file)
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in arguments.sizes:
            path = Path(folder) / f"{n}{arguments.file.name.removesuffix('.gz')}"
            path.write_text("".join(islice(cycle(examples), n)))
            peaks[f"{n} examples"] = measure(arguments.model, path)
            print(f"{n:,} examples: {peaks[f'{n} examples']:.0f} MiB")
    facts = {"model": Path(arguments.model).name, "peak MiB": peaks}
    save_results("evaluation-memory", facts)


def read_examples(file: Path) -> list[str]:
    """Return lines, or of CoNLL sentences, with what ends them."""
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    end = "\n\n" if ".conll" in file.name else "\n"
    return [part + end for part in data.decode().split(end) if part.strip()]


def measure(model: str, file: Path) -> float:
    """Return the peak memory of an evaluation in MiB."""
    command = [sys.executable, "-m", "pellucid", "evaluate", model, "--data", str(file)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
