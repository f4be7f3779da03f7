"""Results of long trainings in files, so that a recipe that was stopped goes on where it was.

Used by ablations.py and objectives.py.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pellucid.files import atomic_write

T = TypeVar("T")


def name_run(name: str) -> str:
    """Return the name of a run's directory."""
    return name.replace(" ", "-").replace(",", "")


def keep(run: Path, kind: Callable[..., T], compute: Callable[[], T]) -> T:
    """Return the result of a run, a dataclass of this kind, from the file RUN.json beside it.

    If there is no such file, the result is computed and written.
    """
    file = run.with_name(f"{run.name}.json")
    if file.is_file():
        return kind(**json.loads(file.read_text("utf-8")))
    print(f"training in {run}", file=sys.stderr, flush=True)
    result = compute()
    atomic_write(file, json.dumps(asdict(result)).encode())  # type: ignore[call-overload]
    return result


def write_all(file: Path, results: list[Any]) -> None:
    """Write results as a list of JSON objects."""
    text = json.dumps([asdict(result) for result in results], indent=1)
    atomic_write(file, f"{text}\n".encode())


def read_metrics(run: Path, name: str) -> list[float]:
    """Return all values of a metric of a run, in order."""
    lines = (run / "metrics.jsonl").read_text("utf-8").rstrip("\n").split("\n")
    return [record[name] for record in map(json.loads, lines) if name in record]
