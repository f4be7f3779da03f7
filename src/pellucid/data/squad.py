"""SQuAD files: questions about paragraphs, with answers that are spans of them."""

from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from pellucid.data.jsonl import DECODER, DoubleKeyError
from pellucid.data.lines import Fault, read_text
from pellucid.data.rows import Reader, Row, byte_in_line
from pellucid.errors import DataError

SHAPE = "A SQuAD file is {data: [{paragraphs: [{context, qas: [{question, answers}]}]}]}."


class SquadReader(Reader):
    """The questions of a file, versions 1.1 and 2.0, in order.

    A row's line is the number of its question, because such files often have a single line.
    Memory grows with the file: JSON can be read only as a whole.
    """

    format = "SQuAD"
    layout = "named"

    def __iter__(self) -> Iterator[Row]:
        text = ""
        try:
            text = read_text(self.file)
            content = DECODER.decode(text)
        except DataError as error:
            yield self._fault("unreadable", str(error).removeprefix(self.file + ": "))
        except JSONDecodeError as error:
            line, byte = byte_in_line(text, error.pos)
            yield self._fault("malformed", f"not JSON ({error.msg}). Correct it.", line + 1, byte)
        except DoubleKeyError as error:
            what = f"the key {error.key[:80]!r} comes twice in {str(dict(error.members))[:80]}."
            yield self._fault("malformed", f"{what} Keep one.")
        except (RecursionError, ValueError) as error:
            yield self._fault("malformed", f"not usable JSON ({error}). Correct it.")
        else:
            yield from self._rows(content)

    def _rows(self, content: Any) -> Iterator[Row]:
        number = 0
        try:
            for number, (title, paragraph, question) in enumerate(_questions(content), start=1):
                fields = {
                    "context": paragraph.get("context"),
                    "question": question.get("question"),
                    "answers": question.get("answers"),
                    "id": str(question.get("id", "")),
                    "title": title,
                }
                yield Row(number, fields)
        except _ShapeError as error:
            yield self._fault("malformed", f"{error}. {SHAPE}")
        else:
            if not number:
                yield self._fault("malformed", f"no question in it. {SHAPE}")

    def _fault(self, kind: str, what: str, line: int = 0, byte: int = 0) -> Row:
        return Row(line, (), (Fault(self.file, line, byte, kind, what),))


class _ShapeError(Exception):
    """Raised for a value of the wrong kind, with its JSON path."""


def _questions(content: Any) -> Iterator[tuple[str, dict, dict]]:
    """Yield (title of the article, paragraph, question). Raises: _ShapeError."""
    if not isinstance(content, dict):
        raise _ShapeError("the file is not a JSON object")
    for path, article in _objects(content, "data"):
        for inner, paragraph in _objects(article, f"{path}.paragraphs"):
            for _, question in _objects(paragraph, f"{inner}.qas"):
                yield str(article.get("title", "")), paragraph, question


def _objects(parent: dict, path: str) -> Iterator[tuple[str, dict]]:
    """Yield the JSON path and value of each object in a list."""
    children = parent.get(path.rpartition(".")[2])
    if not isinstance(children, list):
        raise _ShapeError(f"{path} is {'missing' if children is None else 'not a list'}")
    for index, child in enumerate(children):
        if not isinstance(child, dict):
            raise _ShapeError(f"{path}[{index}] is not an object")
        yield f"{path}[{index}]", child
