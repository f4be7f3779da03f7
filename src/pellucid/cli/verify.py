"""`pellucid verify`: are a model's or a run's files what was saved?"""

from dataclasses import dataclass
from pathlib import Path

from pellucid.cli.parse import positional
from pellucid.errors import ConfigError, DataError, PellucidError, VerificationError
from pellucid.json_files import read_json
from pellucid.manifest import NAME, verify


@dataclass(frozen=True)
class Options:
    """Check every byte of a model directory, a checkpoint, or a whole run against its manifests."""

    directory: str = positional()
    """A model's directory, a checkpoint, a run, or a shipped name."""


def run(options: Options) -> int:
    """Say of each part that it is sound. Raises: the first fault, after looking at all parts."""
    parts = parts_of(Path(options.directory))
    faults: list[PellucidError] = []
    for part in parts:
        try:
            said = _opened(part) if _is_published(part) else _sound(part)
        except (ConfigError, DataError, VerificationError) as fault:
            faults.append(fault)
            said = f"damaged  {part}"
        print(said)
    if faults:
        more = f"\n{len(faults)} of {len(parts)} parts are damaged." if len(faults) > 1 else ""
        raise type(faults[0])(f"{faults[0]}{more}")
    return 0


def _sound(part: Path) -> str:
    """What there is. Raises: as `manifest.verify`."""
    files = verify(part)["files"]
    size = sum(entry["bytes"] for entry in files.values())
    return f"sound    {part}  {len(files)} files, {size:,} bytes"


def _is_published(part: Path) -> bool:
    """Whether it is a model in a published layout that nothing vouches for."""
    from pellucid.families.catalog import FAMILIES

    if (part / NAME).exists() or not (part / "config.json").is_file():
        return False
    config = read_json(part / "config.json")
    return isinstance(config, dict) and str(config.get("model_type")) in FAMILIES


def _opened(part: Path) -> str:
    """That it opens. Raises: the fault that opening it meets."""
    from pellucid.formats.open_model import open_model

    open_model(part)
    return f"opens    {part}  no {NAME}: its bytes are not vouched for (pellucid import keeps it)"


def parts_of(path: Path) -> list[Path]:
    """The directories with a manifest that a name means.

    Raises: DataError if there is nothing to check.
    """
    if (path / "config.yaml").is_file():  # a run
        places = [*(path / "checkpoints").glob("step-*"), *(path / "data").glob("*/part-*")]
        found = sorted(place for place in places if place.is_dir())
        found += [part for part in (path / "tokenizer", path / "final") if part.is_dir()]
        if not found:
            raise DataError(f"{path} is a run that has saved nothing yet. Nothing to verify.")
        return found
    if not path.exists():
        from pellucid.formats.locate import locate

        return [locate(path)]
    if not (path / NAME).is_file() and not any(path.glob("*.safetensors")):
        raise DataError(f"{path} is no model, checkpoint or run. Check the name.")
    return [path]
