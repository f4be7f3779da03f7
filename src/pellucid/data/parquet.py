"""Parquet files, by pyarrow (the extra `parquet`)."""

import gzip
from collections.abc import Iterator

from pellucid.data.lines import Fault
from pellucid.data.rows import Reader, Row
from pellucid.errors import UsageError

BATCH = 1024  # rows in memory at once


class ParquetReader(Reader):
    """The rows of a file, with the names of its columns. A row's line is its number."""

    format = "Parquet"
    layout = "named"

    def __iter__(self) -> Iterator[Row]:
        pyarrow, parquet = _pyarrow(self.file)
        number = 0
        try:
            with open(self.file, "rb") as raw:
                zipped = raw.read(2) == b"\x1f\x8b"
                raw.seek(0)
                file = gzip.GzipFile(fileobj=raw) if zipped else raw
                for batch in parquet.ParquetFile(file).iter_batches(BATCH):
                    for fields in batch.to_pylist():
                        number += 1
                        yield Row(number, fields)
        except (OSError, EOFError, pyarrow.ArrowException) as error:
            reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
            what = f"cannot be read: {reason}. Check name, kind and permissions."
            yield Row(number, (), (Fault(self.file, 0, 0, "unreadable", what),))


def _pyarrow(file: str):
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            f"{file}: reading Parquet needs pyarrow, which is not installed."
            " Install it: pip install 'pellucid[parquet]'"
        ) from None
    return pyarrow, parquet
