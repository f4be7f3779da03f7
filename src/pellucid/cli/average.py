"""`pellucid average`: one model from the mean of a run's checkpoints."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from pellucid.cli.parse import positional
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Write a model whose weights are the mean of checkpoints, also of an unfinished run.

    pellucid average runs/en-de --out my-model
    """

    sources: tuple[str, ...] = positional()
    """A run (all its checkpoints), or some checkpoints of one run."""
    out: str = ""
    """The directory to write."""


def run(options: Options) -> int:
    """Average and save."""
    if not options.sources or not options.out:
        raise UsageError("give checkpoints and --out: pellucid average RUN --out DIR")
    from pellucid.formats.save_bundle import save_bundle
    from pellucid.training.average import average_checkpoints, find_checkpoints

    paths = [path for source in options.sources for path in find_checkpoints(Path(source))]
    save_bundle(Path(options.out), average_checkpoints(paths))
    n = "1 checkpoint" if len(paths) == 1 else f"{len(paths)} checkpoints"
    print(f"The mean of {n} is in {options.out}. Next: pellucid info {quote(options.out)}")
    return 0
