"""Readers for the files in `data.train` and `data.valid`."""

import glob
from collections.abc import Sequence
from pathlib import Path

from pellucid.config.columns import Column, is_pair
from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.builtin import garden_readers
from pellucid.data.conll import ConllReader, ConlluReader
from pellucid.data.jsonl import JsonlReader
from pellucid.data.lines import STDIN, plain_name
from pellucid.data.parquet import ParquetReader
from pellucid.data.plain_text import AlignedReader, DocumentReader, LineReader
from pellucid.data.rows import Reader
from pellucid.data.squad import SquadReader
from pellucid.data.tables import CsvReader, TsvReader
from pellucid.errors import DataError, UsageError

READERS: dict[str, type[Reader]] = {
    ".tsv": TsvReader,
    ".csv": CsvReader,
    ".jsonl": JsonlReader,
    ".ndjson": JsonlReader,
    ".parquet": ParquetReader,
    ".conll": ConllReader,
    ".conllu": ConlluReader,
    ".bio": ConllReader,
    ".iob": ConllReader,
    ".iob2": ConllReader,
    ".json": SquadReader,  # JSON lines for a task without spans
}
TEXT_ENDING = ".txt"  # the one ending of plain text that is taken from a folder


def open_files(files: Sequence[str], columns: Sequence[Column], config: DataConfig) -> list[Reader]:
    """Return the readers of some files, in order; two aligned files have one reader.

    Nothing is read yet. Raises: UsageError if these files cannot have these columns; DataError if
    a folder or glob has no file.
    """
    if tuple(files) == (GARDEN,):
        return list(garden_readers(columns, config))
    names = expand_names(files)
    kinds = [_reader_of(name, columns, config) for name in names]
    plain = [issubclass(kind, (LineReader, DocumentReader)) for kind in kinds]
    required = [column for column in columns if not column.optional]
    if len(required) > 1 and any(plain):
        if (
            is_pair(columns)
            and len(files) == len(names) == 2
            and all(plain)
            and names[0] != names[1]
        ):
            return [AlignedReader(names, config)]
        raise UsageError(_no_columns(names[plain.index(True)], files, required))
    if not names or (STDIN in names and len(names) > 1):
        raise UsageError(_no_columns(STDIN if names else "no file", files, required))
    return [kind(name, config) for kind, name in zip(kinds, names, strict=True)]


def expand_names(files: Sequence[str]) -> list[str]:
    """Expand names, folders and globs to files; those of a folder or glob are sorted.

    Folders are searched recursively for files with known endings. Names of missing files are
    returned too, so that reading them raises the error.
    Raises: DataError if a folder or glob has no file.
    """
    names: list[str] = []
    for name in files:
        path = Path(name)
        if name != STDIN and path.is_dir():
            names += _in_folder(path)
        elif not path.exists() and glob.has_magic(name):
            matches = sorted(m for m in glob.glob(name, recursive=True) if not Path(m).is_dir())
            if not matches:
                raise DataError(f"{name}: no file matches the pattern. Check it.")
            names += matches
        else:
            names.append(name)
    return names


def is_read_once(name: str) -> bool:
    """Return whether a name is standard input or a pipe."""
    return name == STDIN or (Path(name).exists() and not Path(name).is_file())


def has_known_ending(name: str) -> bool:
    """Return whether the ending of a file name is one of data files."""
    return _ending(name) in (*READERS, TEXT_ENDING)


def _in_folder(folder: Path) -> list[str]:
    hidden = len(folder.parts)
    names = [
        str(path)
        for path in sorted(folder.rglob("*"))
        if has_known_ending(path.name)
        and path.is_file()
        and not any(part.startswith(".") for part in path.parts[hidden:])
    ]
    if not names:
        known = ", ".join((TEXT_ENDING, *READERS))
        raise DataError(
            f"{folder}: the folder has no file with a known ending ({known}; .gz too)."
            f" Name files, or a glob such as {folder}/*."
        )
    return names


def _ending(name: str) -> str:
    return Path(plain_name(name)).suffix


def _reader_of(name: str, columns: Sequence[Column], config: DataConfig) -> type[Reader]:
    kinds = {column.kind for column in columns}
    required = [column for column in columns if not column.optional]
    ending = _ending(name)
    if ending == ".json" and "span" not in kinds:
        return JsonlReader
    if ending in READERS:
        return READERS[ending]
    if "words" in kinds:
        return ConllReader
    if name == STDIN and len(required) > 1:
        return TsvReader
    if "document" in kinds and config.documents != "line":
        return DocumentReader
    return LineReader


def _no_columns(name: str, files: Sequence[str], required: Sequence[Column]) -> str:
    if is_pair(required):
        return (
            f"cannot read {required[0].name} and {required[1].name} from {list(files)}. Give two"
            " different aligned text files (source, then target), or .tsv, .csv, .jsonl or .parquet"
            f" files (.gz too), or the name {GARDEN}."
        )
    return (
        f"cannot read {' and '.join(c.name for c in required)} from {name}: a line of plain text is"
        " one text. Give .tsv, .csv, .jsonl or .parquet files (.gz too)."
    )
