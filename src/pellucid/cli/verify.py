"""`pellucid verify`: check that files are what was saved."""

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
    """A model's directory, a checkpoint, a run, or the name of a shipped model."""


def run(options: Options) -> int:
    """Print whether each part is sound. Raises: the first fault, after checking all parts."""
    parts = find_parts(Path(options.directory))
    faults: list[PellucidError] = []
    for part in parts:
        try:
            line = _check_opens(part) if _is_published(part) else _check_sound(part)
        except (ConfigError, DataError, VerificationError) as fault:
            faults.append(fault)
            line = f"damaged  {part}"
        print(line)
    if faults:
        more = f"\n{len(faults)} of {len(parts)} parts are damaged." if len(faults) > 1 else ""
        raise type(faults[0])(f"{faults[0]}{more}")
    return 0


def _check_sound(part: Path) -> str:
    """Return the line for a sound part. Raises: as `manifest.verify`."""
    files = verify(part)["files"]
    size = sum(entry["bytes"] for entry in files.values())
    return f"sound    {part}  {len(files)} files, {size:,} bytes"


def _is_published(part: Path) -> bool:
    """Return whether it is a model in a published layout without a manifest."""
    from pellucid.families.catalog import PUBLISHED_FAMILIES

    if (part / NAME).exists() or not (part / "config.json").is_file():
        return False
    config = read_json(part / "config.json")
    return isinstance(config, dict) and str(config.get("model_type")) in PUBLISHED_FAMILIES


def _check_opens(part: Path) -> str:
    """Return the line for a part that opens. Raises: as `open_model`."""
    from pellucid.formats.open_model import open_model

    open_model(part)
    return f"opens    {part}  no {NAME}: not verified (pellucid import adds one)"


def find_parts(path: Path) -> list[Path]:
    """Return the directories that a name matches.

    Raises: DataError if there is nothing to check.
    """
    if (path / "config.yaml").is_file():  # a run
        parts = [*(path / "checkpoints").glob("step-*"), *(path / "data").glob("*/part-*")]
        existing = sorted(part for part in parts if part.is_dir())
        existing += [part for part in (path / "tokenizer", path / "final") if part.is_dir()]
        if not existing:
            raise DataError(f"{path} is a run that has saved nothing yet. Nothing to verify.")
        return existing
    if not path.exists():
        from pellucid.formats.locate import locate

        return [locate(path)]
    if not (path / NAME).is_file() and not any(path.glob("*.safetensors")):
        raise DataError(f"{path} is not a model, checkpoint or run. Check the name.")
    return [path]
