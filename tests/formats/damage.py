"""Damaged copies of a directory, loaded in processes of their own with little time and memory."""

import json
import os
import random
import resource
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.errors import ConfigError, DataError, VerificationError
from pellucid.manifest import write_manifest

CLEAN = (VerificationError, ConfigError, DataError)
SECONDS = 2  # for one load; more is a hang
SLACK = 512 << 20  # bytes of address space beyond what the process has

HOSTILE = (
    None, True, -1, 0, 1, 1.5, 1e308, 10**9, 2**31, 2**62, 10**30, "", "x", "../../etc/passwd",
    "nan", "x" * 100_000, [], [1] * 1000, [[[]]], {}, {"a": {"b": 1}}, "\x00",
)  # fmt: skip
TEXTS = ("NaN", "-Infinity", "1e999", "[" * 100_000, '{"a":1,"a":2}', '"\\ud800"', "9" * 5000, "")


@dataclass
class Outcome:
    """How many loads were refused cleanly, how many succeeded, and what else happened."""

    clean: int = 0
    loaded: int = 0
    wrong: list[str] = field(default_factory=list)


def campaign(whole: Path, load: Callable, damage: Callable, n: int, memory: int = SLACK) -> Outcome:
    """Load n damaged copies, half in each of two processes; the seeds are 0 .. n-1."""
    workers = [_start(whole, load, damage, range(i, n, 2), memory) for i in range(2)]
    total = Outcome()
    for pid, read in workers:
        with os.fdopen(read) as file:
            lines = file.read().split("\n")[:-1]
        status = os.waitpid(pid, 0)[1]
        total.clean += lines.count('"clean"')
        total.loaded += lines.count('"loaded"')
        total.wrong += [json.loads(x) for x in lines if x not in ('"clean"', '"loaded"')]
        if status:
            total.wrong.append(f"a process ended with status {status} after {lines[-1:]}")
    return total


def reseal(directory: Path) -> None:
    """Write a manifest with the checksums of the damaged files."""
    (directory / "manifest.json").unlink(missing_ok=True)
    write_manifest(directory)


def mutate(path: Path, rng: random.Random) -> str:
    """Truncate, flip a bit, change a byte of the header, append, or overwrite; says what."""
    data = path.read_bytes()
    while True:
        kind = rng.choice(("truncate", "flip", "header", "append", "overwrite"))
        at = rng.randrange(min(len(data), 2000) if kind == "header" else len(data))
        new = bytearray(data)
        if kind == "truncate":
            del new[at:]
        elif kind == "flip":
            new[at] ^= 1 << rng.randrange(8)
        elif kind == "header":
            new[at] = rng.randrange(256)
        elif kind == "append":
            new += rng.randbytes(rng.randint(1, 100))
        else:
            new[at : at + 64] = rng.randbytes(len(new[at : at + 64]))
        if new != data:
            path.write_bytes(new)
            return f"{kind} at {at}"


def mutate_json(path: Path, rng: random.Random) -> str:
    """Put something hostile in the place of one value, keep the rest; says what."""
    value = json.loads(path.read_text())
    holder = value
    key = rng.choice(list(holder))
    while isinstance(holder[key], dict) and holder[key] and rng.random() < 0.9:
        holder = holder[key]
        key = rng.choice(list(holder))
    if rng.random() < 0.1:
        del holder[key]
        what = f"{key} left out"
    elif rng.random() < 0.2:
        holder["\ue000"] = 0
        raw = rng.choice(TEXTS)
        path.write_text(json.dumps(value).replace('"\\ue000": 0', f'"{key}": {raw}'))
        return f"{key} again: {raw[:20]}"
    else:
        holder[key] = rng.choice(HOSTILE)
        what = f"{key}: {str(holder[key])[:20]}"
    path.write_text(json.dumps(value))
    return what


def _start(
    whole: Path, load: Callable, damage: Callable, seeds: range, memory: int
) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        os.close(read)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a hang ends the process
        with os.fdopen(write, "w") as file, tempfile.TemporaryDirectory() as temporary:
            for seed in seeds:
                copy = Path(shutil.copytree(whole, Path(temporary) / str(seed)))
                what = damage(copy, random.Random(seed))
                file.write(json.dumps(_outcome(load, copy, f"seed {seed}, {what}")) + "\n")
                shutil.rmtree(copy)
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)


def _outcome(load: Callable, copy: Path, what: str) -> str:
    signal.alarm(SECONDS)
    try:
        load(copy)
    except CLEAN as error:
        if len(str(error)) > 2000:
            return f"{what}: a message of {len(str(error))} characters"
        return "clean"
    except BaseException:  # noqa: BLE001  whatever it is, it is a finding
        return f"{what}: {traceback.format_exc()[-600:]}"
    finally:
        signal.alarm(0)
    return "loaded"
