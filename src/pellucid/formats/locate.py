"""Which directory holds the model of a name."""

from pathlib import Path

from pellucid.errors import DataError, UsageError
from pellucid.formats.hub import fetch, is_hub_name

SHIPPED = Path(__file__).parents[1] / "models"
"""The models that come with the package, one directory each."""


def locate(name: str | Path) -> Path:
    """Find the model directory of a name: a path, a finished run, or a shipped model.

    Names that begin with hf:// are downloaded; no other name uses the network.
    Raises: UsageError if name is no string or path; DataError if there is no such model.
    """
    if not isinstance(name, (str, Path)):
        raise UsageError(f"{name!r} names no model. Give a path, or the name of a shipped model.")
    if is_hub_name(name):
        return fetch(str(name))
    path = Path(name)
    for candidate in (path / "final", path, SHIPPED / path.name):
        if (candidate / "config.json").is_file():
            return candidate
    if (path / "config.yaml").is_file():
        raise DataError(f"{path} is a run that has no final model yet. Let its training end first.")
    shipped = ", ".join(sorted(p.name for p in SHIPPED.glob("*") if p.is_dir())) or "none"
    raise DataError(
        f"there is no model at {str(name)!r}. Give a model directory, a finished run, or the name"
        f" of a shipped model ({shipped})."
    )
