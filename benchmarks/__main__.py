"""Every benchmark, one after another, each in a process of its own: `make bench`.

python -m benchmarks [--run RUN] [NAME ...]

RUN is a trained run on Multi30k (recipes/multi30k-en-de.yaml), or a model directory; without it,
benchmarks that need trained weights are skipped with a message.
"""

import argparse
import subprocess
import sys

NEEDS_RUN = {"decode-tiny", "workers", "startup"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="which ones; all without a name")
    parser.add_argument("--run", default="", help="a trained run or model directory")
    arguments = parser.parse_args()
    commands = {
        "train": ["benchmarks.train"],
        "train-masked-lm": ["benchmarks.train_tasks", "masked_lm"],
        "output-loss": ["benchmarks.output_loss"],
        "decode-tiny": ["benchmarks.decode", arguments.run],
        "decode-base": ["benchmarks.decode", "base"],
        "encode": ["benchmarks.encode"],
        "generate": ["benchmarks.generate"],
        "load": ["benchmarks.load"],
        "workers": ["benchmarks.workers", arguments.run],
        "startup": ["benchmarks.startup", arguments.run],
        "profile": ["benchmarks.profile"],
        "explorer": ["benchmarks.explorer"],
        "serve": ["benchmarks.serve"],
    }
    unknown = set(arguments.names) - commands.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(commands)}.")
    failed = []
    for name in arguments.names or commands:
        if name in NEEDS_RUN and not arguments.run:
            print(f"\n== {name}: left out, it needs --run with a trained run", flush=True)
            continue
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-W", "ignore", "-m", *commands[name]]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
