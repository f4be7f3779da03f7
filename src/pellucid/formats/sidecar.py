"""`pellucid.json`: settings of a model in a published layout that the layout has no file for.

Other tools ignore the file. A published directory without it opens too.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.read import build
from pellucid.errors import VerificationError
from pellucid.formats.bundle import Bundle
from pellucid.json_files import dump_json, read_json

NAME = "pellucid.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """The file's content."""

    format: int
    task: str
    languages: tuple[str, str]
    longest_source: int
    roles: Roles
    decoding: DecodingConfig
    source_prefix: str = ""


def write_sidecar(directory: Path, bundle: Bundle) -> None:
    """Write the file for a bundle."""
    sidecar = Sidecar(
        format=FORMAT,
        task=bundle.task,
        languages=bundle.languages,
        longest_source=bundle.longest_source,
        roles=bundle.roles,
        decoding=bundle.decoding,
        source_prefix=bundle.source_prefix,
    )
    (directory / NAME).write_bytes(dump_json(asdict(sidecar)))


def read_sidecar(directory: Path) -> Sidecar | None:
    """Read the file of a directory; return None if there is none.

    Raises: ConfigError naming a setting; VerificationError if the format is newer.
    """
    path = directory / NAME
    if not path.is_file():
        return None
    mapping = read_json(path)
    if not isinstance(mapping, dict) or not isinstance(mapping.get("format"), int):
        raise VerificationError(f"{path} is not a JSON object. Download the directory again.")
    if mapping["format"] > FORMAT:
        raise VerificationError(
            f"{path} has format {mapping['format']}, this version reads up to {FORMAT}: it was made"
            " by a newer pellucid. Upgrade: pip install -U pellucid."
        )
    return build(Sidecar, mapping, str(path))
