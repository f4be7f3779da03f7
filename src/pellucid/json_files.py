"""JSON and text files, read strictly: what is damaged or hostile is refused by name."""

import json
import math
from pathlib import Path
from typing import Any

from pellucid.errors import DataError, VerificationError

MAX_DEPTH = 64  # no file of pellucid nests deeper; Python's parser would crash at its own limit
DAMAGED = "The file is damaged: copy or download it again."


def read_json(path: Path, limit: int = 1 << 20) -> Any:
    """Read a JSON file strictly: UTF-8, no duplicate keys, no NaN, bounded size and depth.

    Raises: DataError if it cannot be read; VerificationError naming the file and what is wrong.
    """
    text = read_text(path, limit)
    try:
        return parse_json(text)
    except ValueError as error:
        raise VerificationError(f"{path}: {error}. {DAMAGED}") from None


def parse_json(text: str) -> Any:
    """Parse JSON strictly: no duplicate keys, no NaN, bounded depth. Raises: ValueError."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite
        )
        _check_value(value)
    except RecursionError:
        raise ValueError(f"it nests deeper than {MAX_DEPTH}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from None
    # Other errors are those of the hooks below, or a number with thousands of digits.
    return value


def read_text(path: Path, limit: int = 1 << 20) -> str:
    """Return the content of a text file. Raises: DataError, VerificationError as `read_json`."""
    if not path.is_file():
        raise DataError(f"{path} is missing, or not a file. Check the name.")
    try:
        with open(path, "rb") as file:
            # read() allocates what it is asked for at once: ask for no more than there is.
            data = file.read(min(limit, path.stat().st_size) + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > limit:
        raise VerificationError(f"{path} is larger than {limit:,} bytes. {DAMAGED}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise VerificationError(f"{path}: byte {error.start} is not UTF-8. {DAMAGED}") from error


def dump_json(value: Any) -> bytes:
    """Return a value as JSON: indented, keys in their order, one newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def unreadable(path: Path, error: OSError) -> DataError:
    """Return the error for a file that the system cannot read."""
    return DataError(f"{path} cannot be read: {error.strerror}. Check its permissions and disk.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)[:60]!r} occurs twice")
    return keys


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not a finite number")
    return value


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise ValueError(f"\\u{code:x} is a lone surrogate, half of a character") from None


def _check_value(value: Any) -> None:
    """Raises: ValueError at half of a UTF-16 pair; RecursionError if nested too deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = []
        for item in level:
            if isinstance(item, str):
                _check_unicode(item)
            elif isinstance(item, dict):
                inner += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                inner += item
        level = inner
    if level:
        raise RecursionError
