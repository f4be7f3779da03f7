"""Find the directory of a model by name."""

from pathlib import Path

from pellucid.data.word_vectors import FILE as VECTORS
from pellucid.errors import DataError, UsageError
from pellucid.formats.hub import fetch, is_hub_name

SHIPPED = Path(__file__).parents[1] / "models"
"""The models that come with the package, one directory each."""


def locate(name: str | Path) -> Path:
    """Find the model directory of a name: a path, a finished run, or a shipped model.

    A path with a folder, such as runs/en-de, is never the name of a shipped model. Names that start
    with hf:// are downloaded. Other names do not use the network.
    Raises: UsageError if name is not a string or path; DataError if there is no such model.
    """
    if not isinstance(name, (str, Path)):
        raise UsageError(
            f"{name!r} is not a model name. Give a path, or the name of a shipped model."
        )
    if is_hub_name(name):
        return fetch(str(name))
    path = Path(name)
    for candidate in (path / "final", path):
        if (candidate / "config.json").is_file():
            return candidate
    if any((candidate / VECTORS).is_file() for candidate in (path / "final", path)):
        raise DataError(f"{path} holds word vectors, no model. Open them: pellucid.load_vectors.")
    if (path / "config.yaml").is_file():
        raise DataError(f"{path} is a run without a final model. Finish its training first.")
    if str(name) == path.name and (SHIPPED / name / "config.json").is_file():
        if path.exists():
            raise DataError(
                f"{path} in this directory holds no model, and has the name of a shipped model."
                " Rename it, or use the shipped model in another directory."
            )
        return SHIPPED / name
    shipped = ", ".join(sorted(p.name for p in SHIPPED.glob("*") if p.is_dir())) or "none"
    raise DataError(
        f"there is no model at {str(name)!r}. Give a model directory, a finished run, or the name"
        f" of a shipped model ({shipped})."
    )
