"""Encoded examples in memory-mapped files.

A store is a directory of parts and `index.json`, which is written last. Each part holds the
examples of consecutive records. An interrupted build resumes after its last complete part.
"""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data.examples import Encoded, LeftOutRecord, count_characters
from pellucid.data.records import Record
from pellucid.errors import DataError, VerificationError
from pellucid.files import atomic_write, publish, remove
from pellucid.json_files import dump_json, read_json
from pellucid.manifest import verify

FORMAT = 3
INDEX = "index.json"
PART_CHARACTERS = 1 << 25
"""Number of characters of text in one part."""
BUFFER = 4096
"""Number of examples per write."""

Encode = Callable[[Iterable[Record]], Iterator[Encoded | LeftOutRecord]]


class ExampleStore:
    """Encoded examples by index, and their lengths."""

    def __init__(self, directory: Path) -> None:
        """Open a store of `build_store`. Raises: DataError or VerificationError if damaged."""
        self.directory = Path(directory)
        n_parts = read_json(self.directory / INDEX)["parts"]
        facts = {p: verify(p, deep=False)["facts"] for p in _part_paths(self.directory, n_parts)}
        self.left_out = sum((Counter(f["left_out"]) for f in facts.values()), Counter[str]())
        self.n_cut = sum(f["cut"] for f in facts.values())
        """Records that gave several examples, or lost tokens."""
        self._parts = [_Part(path, f) for path, f in facts.items() if f["examples"]]
        self.lengths = np.concatenate([part.lengths for part in self._parts])  # (N, sides) int32
        self._ends = np.cumsum([len(part.lengths) for part in self._parts])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Return the columns of an example, without special tokens."""
        part, row = self._find(index)
        return part.read_columns(row)

    def __reduce__(self) -> tuple:
        return ExampleStore, (self.directory,)  # a worker process maps the files itself

    def origin(self, index: int) -> str:
        """Return the file and line of the record of an example, as `file:line`."""
        part, row = self._find(index)
        file, line = part.origins[row]
        return f"{part.files[file]}:{line}"

    def _find(self, index: int) -> "tuple[_Part, int]":
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        part = self._parts[number]
        return part, index - int(self._ends[number]) + len(part.lengths)


def build_store(records: Iterable[Record], encode: Encode, directory: Path) -> ExampleStore:
    """Open the store in this directory if it is valid, else build it.

    encode: maps records to examples. It is called once for each part, and its result must depend
    only on the records of that part.
    Memory grows by 24 bytes per example of two columns.
    Raises: DataError if no example is left.
    """
    index = directory / INDEX
    if index.exists():
        with contextlib.suppress(VerificationError, DataError):
            return _verify_store(directory)
        index.unlink()
    n_parts, n_examples = 0, 0
    left_out: Counter[str] = Counter()
    for part in _split_into_parts(records):
        path = _part_paths(directory, n_parts + 1)[-1]
        facts = _read_facts(path)
        if facts is None:
            facts = _write_part(path, part, encode)
        for _ in part:  # skip records that an earlier build encoded
            pass
        n_parts, n_examples = n_parts + 1, n_examples + facts["examples"]
        left_out.update(facts["left_out"])
    if not n_examples:
        if directory.exists():
            remove(directory)
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in left_out.items()) or "nothing"
        raise DataError(
            f"no example is left (left out: {reasons}). Check the files, and data.max_length."
        )
    atomic_write(index, dump_json({"parts": n_parts}))
    return ExampleStore(directory)


def content_key(*parts: Any) -> str:
    """Return the sha256 (hex) of JSON values on which the content of a store depends."""
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()


class _Part:
    """Examples of consecutive records, mapped into memory."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.files: list[str] = facts["files"]
        self.lengths = np.fromfile(path / "lengths.i32", np.int32).reshape(facts["examples"], -1)
        self.origins = _map_array(path / "origins.i64", np.int64).reshape(-1, 2)
        dtypes: list[str] = facts["dtypes"]
        sizes = np.fromfile(path / "sizes.i32", np.int32).reshape(facts["examples"], len(dtypes))
        first = np.zeros((1, len(dtypes)), np.int64)
        self._starts = np.concatenate([first, sizes.cumsum(0, np.int64)])  # (N + 1, columns)
        self._columns = [
            _map_array(path / f"column-{n}.bin", np.dtype(dtype)) for n, dtype in enumerate(dtypes)
        ]

    def read_columns(self, row: int) -> tuple[np.ndarray, ...]:
        begins, ends = self._starts[row : row + 2]
        return tuple(
            column[begin:end]
            for column, begin, end in zip(self._columns, begins, ends, strict=True)
        )


def _map_array(path: Path, dtype: Any) -> np.ndarray:
    """Map a file of numbers into memory. Empty files cannot be mapped."""
    if not path.stat().st_size:
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype, "r"))  # slices of a plain array are faster


def _split_into_parts(records: Iterable[Record]) -> Iterator[Iterator[Record]]:
    """Yield the records of each part. Read a part to its end before the next one."""
    stream = iter(records)

    def part(first: Record) -> Iterator[Record]:
        characters = 0
        for record in chain([first], stream):
            yield record
            characters += count_characters(record)
            if characters >= PART_CHARACTERS:
                return

    for first in stream:
        yield part(first)


def _write_part(path: Path, records: Iterator[Record], encode: Encode) -> dict[str, Any]:
    """Encode and write a part; return the facts of its manifest."""
    files: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    facts: dict[str, Any] = {"files": [], "left_out": left_out, "examples": 0, "dtypes": []}
    facts["cut"] = 0
    with publish(path, replace=True, facts=facts) as temp, contextlib.ExitStack() as stack:
        opened: dict[str, Any] = {}

        def append(name: str, values: np.ndarray) -> None:
            if name not in opened:
                opened[name] = stack.enter_context(open(temp / name, "wb"))
            opened[name].write(np.ascontiguousarray(values).tobytes())

        append("lengths.i32", np.zeros(0, np.int32))
        append("sizes.i32", np.zeros(0, np.int32))
        append("origins.i64", np.zeros(0, np.int64))
        encoded = _count_cut(_count_left_out(encode(records), left_out), facts)
        for batch in _batch(encoded, BUFFER):
            origins = [(files.setdefault(e.record.file, len(files)), e.record.line) for e in batch]
            append("lengths.i32", np.array([e.lengths for e in batch], np.int32))
            append("sizes.i32", np.array([[len(c) for c in e.columns] for e in batch], np.int32))
            append("origins.i64", np.array(origins, np.int64))
            for number, column in enumerate(zip(*(e.columns for e in batch), strict=True)):
                append(f"column-{number}.bin", np.concatenate(column))
            facts["dtypes"] = [str(column.dtype) for column in batch[0].columns]
            facts["examples"] += len(batch)
        facts["files"] = list(files)
    return facts


def _count_left_out(
    encoded: Iterable[Encoded | LeftOutRecord], left_out: Counter[str]
) -> Iterator[Encoded]:
    """Yield the examples, and count the records without an example by reason."""
    for item in encoded:
        if isinstance(item, LeftOutRecord):
            left_out[item.reason] += 1
        else:
            yield item


def _count_cut(encoded: Iterable[Encoded], facts: dict[str, Any]) -> Iterator[Encoded]:
    """Yield the examples, and count the records that gave several or lost tokens."""
    record, is_counted = None, False
    for each in encoded:
        is_cut = each.is_cut or each.record is record
        is_counted = is_counted and each.record is record
        if is_cut and not is_counted:
            facts["cut"] += 1
            is_counted = True
        record = each.record
        yield each


def _read_facts(path: Path) -> dict[str, Any] | None:
    """Return the facts in the manifest of a part, or None if the part is missing or damaged."""
    with contextlib.suppress(VerificationError, DataError):
        return verify(path)["facts"]
    return None


def _verify_store(directory: Path) -> ExampleStore:
    """Verify and open a store. Raises: DataError or VerificationError if it is damaged."""
    for path in _part_paths(directory, read_json(directory / INDEX)["parts"]):
        verify(path)
    return ExampleStore(directory)


def _part_paths(directory: Path, n_parts: int) -> list[Path]:
    return [directory / f"part-{number:05d}" for number in range(n_parts)]


def _batch(items: Iterable[Encoded], size: int) -> Iterator[Sequence[Encoded]]:
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch
