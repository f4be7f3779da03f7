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
    """The directory to write; a model of pellucid that is there is replaced."""


def run(options: Options) -> int:
    """Average and save."""
    if not options.sources or not options.out:
        raise UsageError("give checkpoints and --out: pellucid average RUN --out DIR")
    out = Path(options.out)
    if out.name == "final" and (out.parent / "config.yaml").is_file():
        raise UsageError(
            f"--out {out} is the model of the run {out.parent}. Use another directory."
        )
    from pellucid.formats.save_bundle import save_bundle
    from pellucid.training.average import average_checkpoints, find_checkpoints

    paths = [path for source in options.sources for path in find_checkpoints(Path(source))]
    save_bundle(out, average_checkpoints(paths))
    n = "1 checkpoint" if len(paths) == 1 else f"{len(paths)} checkpoints"
    print(f"The mean of {n} is in {options.out}. Next: pellucid info {quote(options.out)}")
    return 0
