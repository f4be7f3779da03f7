"""Curves of runs on the same data, by the time they took: what the Transformer beat, and how.

usage: python recipes/rnn_against_transformer.py OUT.svg NAME=METRICS.jsonl [NAME=METRICS.jsonl ...]

Each METRICS is the metrics.jsonl of a run. The time of an update is that of the run's least
disturbed laps (their fastest tenth), so that other work on the machine does not count. Needs
`pip install pellucid[plot]`.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple


class Curve(NamedTuple):
    """One run."""

    minutes: list[float]
    perplexity: list[float]
    """On the validation pairs, a token, unsmoothed."""


def main(picture: str, *runs: str) -> None:
    """Draw, and print each curve's last point."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for run in runs:
        name, _, path = run.partition("=")
        found = curve(Path(path))
        axes.plot(found.minutes, found.perplexity, marker=".", label=name)
        print(f"{name}: {found.perplexity[-1]:.2f} after {found.minutes[-1]:.1f} minutes")
    axes.set(
        xlabel="minutes of one CPU thread",
        ylabel="validation perplexity a token",
        yscale="log",
        title="Multi30k English-German, the same tokens",
    )
    axes.set_yticks([5, 10, 20, 50, 100], labels=["5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_ylim(4, 200)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture)


def curve(metrics: Path) -> Curve:
    """Validation perplexity over the time that the updates take undisturbed."""
    records = [json.loads(line) for line in metrics.read_text("utf-8").rstrip("\n").split("\n")]
    laps = [r for r in records if "seconds" in r]
    every = laps[1]["step"] - laps[0]["step"]
    times = sorted(r["seconds"] / every for r in laps[1:])
    update = times[len(times) // 10] / 60  # minutes
    scored = [r for r in records if "valid_perplexity" in r]
    return Curve([r["step"] * update for r in scored], [r["valid_perplexity"] for r in scored])


if __name__ == "__main__":
    main(*sys.argv[1:])
