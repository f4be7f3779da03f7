"""Start-up times: help, and the translation of one sentence.

python -m benchmarks.startup MODEL
"""

import argparse

from benchmarks.commands import TRANSLATE, median, run
from benchmarks.report import save_results

AIMS = {"pellucid translate, one sentence": 2.0, "pellucid --help": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a run or model directory, or a shipped model's name")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    sentence = "a dog is sleeping under the table .\n"
    commands = {
        "python": (["-c", "pass"], ""),
        "import torch": (["-c", "import torch"], ""),
        "pellucid --help": ([*TRANSLATE[:2], "--help"], ""),
        "pellucid translate, one sentence": ([*TRANSLATE, arguments.model], sentence),
    }
    runs = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, (command, text) in commands.items():
            runs[name].append(run(command, text))
    seconds = {name: median(each) for name, each in runs.items()}
    for name, taken in seconds.items():
        aim = AIMS.get(name)
        verdict = "" if aim is None else f"  aim {aim} s  {'reached' if taken <= aim else 'MISSED'}"
        print(f"  {name:34s} {taken:5.2f} s{verdict}")
    peak = runs["pellucid translate, one sentence"][-1].peak_mib
    print(f"  peak memory {peak:.0f} MiB")
    save_results("startup", {"seconds": seconds, "aims": AIMS, "peak_mib": peak})


if __name__ == "__main__":
    main()
