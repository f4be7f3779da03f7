"""Lines of files as `wc -l` counts them; every fault has its file, line and byte.

A line ends with a newline byte and nothing else; one carriage return before it is dropped. Other
line breaks of Unicode stay characters of their line, so no reader can shift one side of a pair.
"""

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pellucid.errors import DataError

STDIN = "-"
MARKS = {  # byte order marks; a longer one before the shorter one that it begins with
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
UTF8_BOM = b"\xef\xbb\xbf"
CHUNK = 1 << 16
RESAVE = "Save the file as UTF-8."


class Fault(NamedTuple):
    """A fault of a line (counted from 1) or, with line 0, of a file.

    byte: counted from 1 in the line; 0 means the entire line. fatal: whether training stops at it.
    """

    file: str
    line: int
    byte: int
    kind: str  # a few words, the same for all faults of this kind
    what: str
    fatal: bool = True

    def __str__(self) -> str:
        position = "".join(f":{n}" for n in (self.line, self.byte) if n)
        return f"{self.file}{position}: {self.what}"


class Line(NamedTuple):
    """One line of a file, without its end; `text` is empty where `fault` is set."""

    number: int
    text: str
    fault: Fault | None = None
    carriage: bool = False  # a carriage return before the newline was dropped
    mark: int = 0  # bytes of a mark before the text, dropped too


def read_lines(path: str | Path, max_bytes: int) -> Iterator[str]:
    """Read the lines of a UTF-8 file, gzipped or not, or of standard input (`-`).

    Raises: DataError naming file, line and byte at the first fault.
    """
    for line in scan_lines(path, max_bytes):
        if line.fault:
            raise DataError(str(line.fault))
        yield line.text


def read_text(path: str | Path) -> str:
    """Read all text of a UTF-8 file, gzipped or not. Raises: DataError."""
    try:
        with _open(str(path)) as file:
            return file.read().removeprefix(UTF8_BOM).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start + 1}. {RESAVE}") from None
    except (EOFError, zlib.error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        what = f"cannot be read: {reason}. Check name, kind and permissions."
        raise DataError(f"{path}: {what}") from None


def scan_lines(path: str | Path, max_bytes: int) -> Iterator[Line]:
    """Read all lines, those with faults too. A fault of the file itself is the last line."""
    name, number = str(path), 0
    try:
        with _open(name) as file:
            for number, raw in enumerate(_raw_lines(file, max_bytes), start=1):
                line = read_line(name, number, raw, max_bytes)
                yield line
                if line.fault and line.fault.kind == "encoding":
                    return  # the whole file has this encoding: more faults would not help
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = f"the gzip data are damaged or cut off here ({error}). Copy or make the file again."
        yield Line(number + 1, "", Fault(name, number + 1, 0, "gzip", what))
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}. Check name, kind and permissions."
        yield Line(0, "", Fault(name, 0, 0, "unreadable", what))


def read_line(name: str, number: int, raw: bytes, max_bytes: int) -> Line:
    """Return a line of bytes, which may include its end, as text or with its fault."""
    ended = raw.endswith(b"\n")
    carriage = raw.endswith(b"\r\n")
    body = raw[: len(raw) - ended - carriage]
    mark = 0
    if number == 1:
        for begin, encoding in MARKS.items():
            if body.startswith(begin):
                what = f"begins with the byte order mark of {encoding}. {RESAVE}"
                return Line(1, "", Fault(name, 1, 1, "encoding", what))
        mark = len(UTF8_BOM) if body.startswith(UTF8_BOM) else 0
        body = body[mark:]
    text, fault = _decode(name, number, body, max_bytes)
    if fault is None and number == 1 and not ended and b"\r" in body:
        what = "lines end with carriage returns alone. Convert it: tr '\\r' '\\n' < OLD > NEW."
        fault = Fault(name, 1, body.index(b"\r") + 1, "encoding", what)
    if fault is not None:
        return Line(number, "", fault._replace(byte=fault.byte + mark), carriage, mark)
    return Line(number, text, None, carriage, mark)


def plain_name(path: str | Path) -> str:
    """Return the file's name in lower case, without `.gz`."""
    return Path(path).name.lower().removesuffix(".gz")


def can_read_twice(path: str | Path) -> bool:
    """Return whether a file can be read again from its start, unlike standard input or a pipe."""
    if str(path) == STDIN:
        return False
    mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # opening a directory gives the better error


class _Rejoined(io.RawIOBase):
    """A stream with its first bytes, already read, put back: pipes cannot seek."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._head[: len(buffer)] or self._rest.read1(len(buffer))  # type: ignore[attr-defined]
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self._rest is not sys.stdin.buffer:
            self._rest.close()
        super().close()


def _open(name: str) -> BinaryIO:
    file = sys.stdin.buffer if name == STDIN else open(name, "rb")  # noqa: SIM115
    head = file.read(len(UTF8_BOM))
    whole = io.BufferedReader(_Rejoined(head, file), CHUNK)
    if head[:2] == b"\x1f\x8b":
        # Its own buffer gives every line before the damage; another buffer around it would not.
        return gzip.GzipFile(fileobj=whole)  # type: ignore[return-value]
    return whole  # type: ignore[return-value]


def _raw_lines(file: BinaryIO, max_bytes: int) -> Iterator[bytes]:
    """Yield lines with their ends. Lines over the limit are cut a little beyond it."""
    while raw := file.readline(max_bytes + len(UTF8_BOM) + 2):
        yield raw
        while not raw.endswith(b"\n") and raw:
            raw = file.readline(CHUNK)


def _decode(name: str, number: int, body: bytes, max_bytes: int) -> tuple[str, Fault | None]:
    if len(body) > max_bytes:
        what = f"the line is longer than {max_bytes:,} bytes. Split it, or raise max_line_bytes."
        return "", Fault(name, number, max_bytes + 1, "too long", what)
    if b"\0" in body:
        what = f"a NUL byte: this is no text, or UTF-16 without its mark. {RESAVE}"
        return "", Fault(name, number, body.index(b"\0") + 1, "NUL", what)
    try:
        return body.decode(), None
    except UnicodeDecodeError as error:
        bad = body[error.start : error.end].hex(" ")
        what = f"not UTF-8 ({error.reason}: {bad}). {RESAVE}"
        return "", Fault(name, number, error.start + 1, "not UTF-8", what)
