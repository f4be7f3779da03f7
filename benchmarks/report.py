"""Benchmark results as text and as JSON, with a description of the machine."""

import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.contest import Measured
from pellucid.nn.cpu import cpu_facts

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = ("torch", "transformers", "ctranslate2", "onnxruntime", "numpy")


def shared_data(name: str) -> Path:
    """Return a folder of the shared data; exit with a message if there is none."""
    shared = Path(os.environ.get("PELLUCID_SHARED") or REPOSITORY.parent / "shared")
    folder = shared / "data" / name
    if not folder.is_dir():
        print(f"skipped: no folder {folder}. Set PELLUCID_SHARED to the folder of data/.")
        sys.exit(0)
    return folder


def multi30k() -> Path:
    """Return the folder of Multi30k's tokenised files; exit with a message if there is none."""
    return shared_data("multi30k") / "tok"


def show(
    title: str, unit: str, measured: Mapping[str, Measured], against: Mapping[str, float]
) -> None:
    """Print medians, and pellucid's ratio to each peer with its aim.

    against: the aimed ratio by "pellucid/peer".
    """
    print(f"\n{title} ({unit})")
    for name, m in measured.items():
        row = m.row()
        print(
            f"  {name:22s} median {row['median']:9.1f}  best {row['best']:9.1f}"
            f"  peak {row['peak_mib']:6.0f} MiB  quiet rounds {row['quiet_rounds']}/{row['rounds']}"
            f"  others used {row['cores_used_by_others']:.2f} cores"
        )
    for pair, ratio in ratios(measured, against).items():
        aim = against[pair]
        print(f"  {pair:32s} {ratio:5.2f}x  aim {aim}x  {'reached' if ratio >= aim else 'MISSED'}")


def ratios(measured: Mapping[str, Measured], against: Mapping[str, float]) -> dict[str, float]:
    """Return the ratio of medians for every "pellucid/peer" pair that was measured."""
    pairs = {pair: pair.split("/") for pair in against}
    return {
        pair: measured[first].median / measured[peer].median
        for pair, (first, peer) in pairs.items()
        if first in measured and peer in measured
    }


def save_results(name: str, facts: Mapping[str, Any]) -> None:
    """Write results/CPU/NAME.json: results, command and machine."""
    about = {"command": command(), "date": str(datetime.date.today()), "machine": machine()}
    path = RESULTS / kind_of_cpu(cpu_facts()) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about | dict(facts), indent=1) + "\n", encoding="utf-8")
    print(f"\nsaved in {path.relative_to(REPOSITORY)}; rerun: {command()}")


def command() -> str:
    module = Path(sys.argv[0]).stem
    arguments = " ".join(_shown(a) for a in sys.argv[1:])
    return f"python -m benchmarks.{module} {arguments}".rstrip()


def machine() -> dict[str, Any]:
    """Processor, cores and versions."""
    cpu = cpu_facts()
    flags = cpu.get("flags", "").split()
    return {
        "cpu": cpu.get("model name") or platform.machine(),
        "kind": kind_of_cpu(cpu),
        "cpu flags": [flag for flag in CPU_FLAGS if flag in flags],
        "oneDNN limited to": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def kind_of_cpu(cpu: Mapping[str, str]) -> str:
    """Return a name for processors of about equal speed per core: "amd-zen4", "intel-amx".

    cpu: see `cpu_facts`. AMD's families 23, 25 and 26 are Zen 1 and 2, 3 and 4, and 5;
    Zen 4 has AVX-512, Zen 3 has not. Intel's are told apart by their widest products.
    """
    flags, family = cpu.get("flags", "").split(), cpu.get("cpu family")
    if cpu.get("vendor_id") == "AuthenticAMD":
        zen = {"23": "2", "25": "4" if "avx512f" in flags else "3", "26": "5"}.get(str(family), "")
        return f"amd-zen{zen}"
    if cpu.get("vendor_id") == "GenuineIntel":
        isas = {"amx_bf16": "amx", "avx512_bf16": "avx512-bf16", "avx512f": "avx512"}
        return "intel-" + next((name for flag, name in isas.items() if flag in flags), "avx2")
    return platform.machine()


def _shown(argument: str) -> str:
    """Return the last part of a path: its folder means nothing on another machine."""
    return Path(argument).name if "/" in argument else argument


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
