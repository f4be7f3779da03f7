"""Ids of all training pairs in memory-mapped files, made once for each content."""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.lines import reads_twice
from pellucid.errors import DataError, VerificationError
from pellucid.files import publish
from pellucid.manifest import verify
from pellucid.text.pair import Tokenizers

FORMAT = 1
BATCH = 2048  # pairs encoded at once
FILES = ("source.i32", "target.i32", "counts.i32", "lines.i64")

T = TypeVar("T")


class PairStore:
    """Pairs of ids by index; `lengths` is what batches weigh."""

    def __init__(self, directory: Path) -> None:
        """Open what `build_store` wrote. Raises: DataError or VerificationError if damaged."""
        self.directory = Path(directory)
        facts = verify(self.directory, deep=False)["facts"]
        counts = np.fromfile(self.directory / "counts.i32", np.int32).reshape(-1, 2)
        self.dropped: dict[str, int] = facts["dropped"]
        # What a batch carries for a text: its pieces and one more, the end token of the source and
        # of the labels, or the start token before the decoder's input. Added here and nowhere else.
        self.lengths = counts + np.int32(1)  # (N, 2) source, target
        self._lines = np.memmap(self.directory / "lines.i64", np.int64, "r")
        self._starts = np.concatenate([np.zeros((1, 2), np.int64), counts.cumsum(0, np.int64)])
        self._sources, self._targets = (
            np.memmap(self.directory / name, np.int32, "r") for name in FILES[:2]
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids of source (S,) and target (T,), without special tokens."""
        if not 0 <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        (s0, t0), (s1, t1) = self._starts[index : index + 2]
        return self._sources[s0:s1], self._targets[t0:t1]

    def __reduce__(self) -> tuple:
        return PairStore, (self.directory,)  # a worker process maps the files itself

    def line(self, index: int) -> int:
        """The line of the data that a pair came from, counted from 1."""
        return int(self._lines[index])


def build_store(
    pairs: Iterable[tuple[str, str]],
    tokenizers: Tokenizers,
    cache_dir: Path,
    key: str,
    max_length: int,
) -> PairStore:
    """The store of this key: what the cache has if it is sound, else made from the pairs.

    Pair number i is taken for line i + 1. Blank pairs (also in place of those held out) and pairs
    with more than `max_length` pieces on a side are left out and counted in `dropped`. Memory while
    building does not grow with the data; an open store takes 24 bytes a pair.
    Raises: DataError if no pair is left.
    """
    final = Path(cache_dir) / key
    if final.exists():
        with contextlib.suppress(VerificationError, DataError):
            verify(final)
            return PairStore(final)
    dropped: Counter[str] = Counter()
    facts = {"store": FORMAT, "dropped": dropped}
    with publish(final, replace=True, facts=facts) as temp:
        written = _write(pairs, tokenizers, temp, max_length, dropped)
        if not written:
            raise DataError(
                f"no pair is left to train on (left out: {dict(dropped) or 'nothing'}). Check the"
                f" files, and data.max_length={max_length}."
            )
    return PairStore(final)


def content_key(
    digests: Sequence[str], tokenizers: Tokenizers, config: DataConfig, extra: str = ""
) -> str:
    """What a store's content depends on, as sha256 in hex.

    digests: `digest` of each file, in order. extra: what was held out, say.
    """
    parts = [FORMAT, config.max_length, config.source_language, config.target_language, extra]
    parts += digests
    parts += [tokenizers.source.to_json(), tokenizers.target.to_json()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def digest(file: str) -> str:
    """The sha256 of a training file as it stands, in hex; of the garden, that of its source.

    Raises: DataError if it cannot be read, or not more than once.
    """
    if file == GARDEN:
        folder = Path(__file__).parent / "garden"
        parts = sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".txt", ".tsv"))
        return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    try:
        if reads_twice(file):
            with open(file, "rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}. Check the name.") from error
    raise DataError(
        f"{file} is a stream that can be read once only, but training reads its data several"
        " times. Save it to a file first."
    )


def _write(
    pairs: Iterable[tuple[str, str]],
    tokenizers: Tokenizers,
    directory: Path,
    max_length: int,
    dropped: Counter[str],
) -> int:
    """Write the files of a store batch by batch; how many pairs they hold."""
    written, read = 0, 0
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(directory / name, "wb")) for name in FILES]
        for batch in batched(pairs, BATCH):
            sources = tokenizers.source.encode_batch([source for source, _ in batch])
            targets = tokenizers.target.encode_batch([target for _, target in batch])
            reasons = [_reason(*both, max_length) for both in zip(sources, targets, strict=True)]
            dropped.update(reason for reason in reasons if reason)
            kept = [i for i, reason in enumerate(reasons) if not reason]
            lengths = [(len(sources[i]), len(targets[i])) for i in kept]
            columns = (
                np.array([id for i in kept for id in sources[i]], np.int32),
                np.array([id for i in kept for id in targets[i]], np.int32),
                np.array(lengths, np.int32),
                np.array([read + i + 1 for i in kept], np.int64),
            )
            for file, column in zip(files, columns, strict=True):
                file.write(column.tobytes())
            written, read = written + len(kept), read + len(batch)
    return written


def _reason(source: list[int], target: list[int], max_length: int) -> str:
    """Why a pair is left out; empty if it stays."""
    if not source or not target:
        return "blank or held out"
    return "too long" if max(len(source), len(target)) > max_length else ""


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last perhaps shorter."""
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch
