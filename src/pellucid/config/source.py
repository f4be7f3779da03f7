"""Where the settings of a training come from: a config file, or a run."""

from pathlib import Path
from typing import Any

from pellucid.config.read import read_yaml
from pellucid.errors import DataError, UsageError


def read_source(source: str | Path) -> tuple[dict[str, Any], str]:
    """Return the settings of a config file or of a run's directory, and the file they come from.

    Raises: UsageError if it is no path; DataError if there is none; ConfigError as `read_yaml`.
    """
    if not isinstance(source, (str, Path)):
        raise UsageError(
            f"{source!r:.60} names no training. Give settings, a config file, or a run's directory."
        )
    path = Path(source)
    is_run = path.is_dir()
    file = path / "config.yaml" if is_run else path
    if not file.is_file():
        what = "not a run: it has no config.yaml" if is_run else "no such file"
        raise DataError(f"{path}: {what}. Give a config file or the directory of a run.")
    settings = read_yaml(file)
    if is_run:
        settings["run_dir"] = str(source)  # the run may have been moved
    return settings, str(file)
