"""Training by `precision: auto`, fp32 and bf16 in one alternating run.

python -m benchmarks.precision [--size tiny] [--threads 1] [--name amx]

`auto` is to be at most 7 % slower than the better of fp32 and bf16. Rates are per second of CPU
time, and rounds are compared one by one, so that other work on the machine hardly counts.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.contest import Contestant, contest
from benchmarks.report import multi30k, save_results
from benchmarks.train import AIMS, contestant, prepare_data
from pellucid.nn.kernel_cache import choose_kernels

AIM = 0.93
NAMES = {
    "auto": "pellucid",
    "fp32": "pellucid-fp32",
    "onednn": "pellucid-onednn",
    "bf16": "pellucid-bf16",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", default="tiny", choices=list(AIMS))
    parser.add_argument("--seconds", type=float, default=6, help="of a round; at least one step")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="", help="suffix of the file of results")
    arguments = parser.parse_args()
    # Measured before the timed processes start, which read the choice from the cache.
    decision = choose_kernels(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        prepare_data(multi30k(), Path(folder))
        args = (arguments.size, folder, arguments.seconds)
        contestants = {n: Contestant(contestant, (name, *args)) for n, name in NAMES.items()}
        measured = contest(contestants, arguments.rounds, arguments.threads)
    rates = {name: m.cpu_rates for name, m in measured.items()}
    fp32 = rates["onednn" if decision.choices.onednn else "fp32"]
    better = max(fp32, rates["bf16"], key=statistics.median)
    facts = {
        "threads": arguments.threads,
        "unit": "target tokens per second of CPU time",
        "chosen": vars(decision.choices),
        "reason": decision.reason,
        "GFLOP/s on one thread": dict(decision.speeds),
        "median": {name: statistics.median(values) for name, values in rates.items()},
        "cores used by others": statistics.median(measured["auto"].others),
        "auto over the better of fp32 and bf16": ratio(rates["auto"], better),
        "bf16 over fp32": ratio(rates["bf16"], fp32),
        "onednn over fp32": ratio(rates["onednn"], rates["fp32"]),
        "rounds": rates,
    }
    for name, value in facts.items():
        print(f"  {name:40s} {value}")
    reached = facts["auto over the better of fp32 and bf16"] >= AIM
    print(f"  aim {AIM}: {'reached' if reached else 'MISSED'}")
    save_results(f"precision-{arguments.size}{arguments.name and '-'}{arguments.name}", facts)


def ratio(rates: Sequence[float], others: Sequence[float]) -> float:
    """The median over rounds of one's rate over the other's."""
    return statistics.median(a / b for a, b in zip(rates, others, strict=True))


if __name__ == "__main__":
    main()
