"""Plain text: one text a line, documents, and aligned files."""

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

from pellucid.config.data import DataConfig
from pellucid.data.lines import Fault, Line, scan_lines
from pellucid.data.rows import Key, Position, Reader, Row, byte_in_line
from pellucid.text.guard import MAX_CHARACTERS

MAX_PART_CHARACTERS = MAX_CHARACTERS // 2
"""Characters of a document that are read at once; a longer one is read in parts."""
ENDS_FILE = ("unreadable", "gzip", "encoding")  # faults after which a file has no more lines


class LineReader(Reader):
    """One text on each line."""

    format = "plain text"

    def __iter__(self) -> Iterator[Row]:
        for line in scan_lines(self.file, self.config.max_line_bytes):
            if line.fault:
                yield Row(line.number, (), (line.fault,), line.carriage)
            else:
                fields = (line.text,) if line.text.strip() else ()
                yield Row(line.number, fields, (), line.carriage, line.mark)

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        _, byte = byte_in_line(row.fields[0], character, row.raw)  # type: ignore[index]
        return Position(self.file, row.line, byte)


class DocumentReader(Reader):
    """Documents of several lines, which end at a blank line or with the file.

    The lines of a document are joined by newlines. A document longer than `MAX_PART_CHARACTERS` is
    read in parts, cut at a line end, so that memory does not grow with the file.
    """

    format = "plain text"

    def __iter__(self) -> Iterator[Row]:
        lines: list[Line] = []
        size, continues = 0, False
        for line in scan_lines(self.file, self.config.max_line_bytes):
            if line.fault:
                yield Row(line.number, (), (line.fault,), line.carriage)
                continue
            ends = self.config.documents == "blank_line" and not line.text.strip()
            if lines and (ends or size + len(line.text) >= MAX_PART_CHARACTERS):
                # Parts except the last keep their final newline, so that they join to the document.
                yield _document(lines, "" if ends else "\n", continues)
                lines, size, continues = [], 0, not ends
            if ends:
                continues = False
                yield Row(line.number, (), (), line.carriage)
            else:
                lines.append(line)
                size += len(line.text) + 1
        if lines:
            yield _document(lines, "", continues)

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        line, byte = byte_in_line(row.fields[0], character, row.raw)  # type: ignore[index]
        return Position(self.file, row.line + line, byte)


def _document(lines: Sequence[Line], end: str, continues: bool) -> Row:
    text = "\n".join(line.text for line in lines) + end
    carriages = sum(line.carriage for line in lines)
    fields = (text,) if text.strip() else ()
    return Row(lines[0].number, fields, (), carriages, lines[0].mark, continues)


class AlignedReader(Reader):
    """Two files of which line n of the second belongs to line n of the first."""

    format = "aligned text"

    def __init__(self, files: Sequence[str], config: DataConfig) -> None:
        super().__init__(files[0], config)
        self.files = tuple(files)

    def __iter__(self) -> Iterator[Row]:
        counts, extra = [0, 0], None
        sides = [scan_lines(file, self.config.max_line_bytes) for file in self.files]
        for number, lines in enumerate(zip_longest(*sides), start=1):
            faults = tuple(line.fault for line in lines if line and line.fault)
            if faults and any(f.kind in ENDS_FILE for f in faults):
                yield Row(number, (), faults)
                # One side ended for another reason: comparing the counts would be misleading.
                for line in chain(*sides):
                    if line.fault:
                        yield Row(line.number, (), (line.fault,))
                return
            if None in lines:
                extra = extra or next(line for line in lines if line)
                counts = [
                    number if line else count for line, count in zip(lines, counts, strict=True)
                ]
                continue
            counts = [number, number]
            first, second = lines
            texts = () if faults else (first.text, second.text)
            carriages = first.carriage + second.carriage
            yield Row(number, texts, faults, carriages, (first.mark, second.mark))
        if extra:
            yield Row(extra.number, (), (self._unequal(counts, extra),))

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        assert isinstance(key, int)
        _, byte = byte_in_line(row.fields[key], character, row.raw[key])  # type: ignore[index]
        return Position(self.files[key], row.line, byte)

    def _unequal(self, counts: Sequence[int], extra: Line) -> Fault:
        longer = int(counts[1] > counts[0])
        what = (
            f"{self.files[0]} has {counts[0]:,} lines, {self.files[1]} has {counts[1]:,}: this is"
            f" the first line without a partner ({extra.text[:40]!r}). Lines may have shifted"
            " somewhere before it. Make both files again from one source."
        )
        return Fault(self.files[longer], extra.number, 0, "unequal counts", what)
