"""Checksums of data files, by which a run knows that they have not changed."""

import hashlib
from pathlib import Path

from pellucid.config.data import GARDEN
from pellucid.data.lines import can_read_twice
from pellucid.errors import DataError


def digest(file: str) -> str:
    """Return the sha256 (hex) of a training file; for the garden, of its source code.

    Raises: DataError if it cannot be read, or only once.
    """
    if file == GARDEN:
        folder = Path(__file__).parents[1] / "garden"
        parts = sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".txt", ".tsv"))
        return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    try:
        if can_read_twice(file):
            with open(file, "rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}. Check the name.") from error
    raise DataError(
        f"{file} is a stream that can be read once only, but training reads its data several"
        " times. Save it to a file first."
    )
