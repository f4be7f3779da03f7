"""SQuAD files: questions about paragraphs, with answers that are spans of them."""

import json
from collections.abc import Iterator
from typing import Any

from pellucid.data.lines import Fault, read_text
from pellucid.data.rows import Reader, Row
from pellucid.errors import DataError


class SquadReader(Reader):
    """The questions of a file, versions 1.1 and 2.0, in order.

    A row's line is the number of its question, because such files often have a single line.
    Memory grows with the file: JSON can be read only as a whole.
    """

    format = "SQuAD"
    layout = "named"

    def __iter__(self) -> Iterator[Row]:
        try:
            content = json.loads(read_text(self.file))
        except DataError as error:
            fault = Fault(self.file, 0, 0, "unreadable", str(error).removeprefix(self.file + ": "))
            yield Row(0, (), (fault,))
            return
        except (RecursionError, ValueError) as error:
            line, byte = getattr(error, "lineno", 1), getattr(error, "colno", 0)
            what = f"not JSON ({getattr(error, 'msg', error)}). Download the file again."
            yield Row(line, (), (Fault(self.file, line, byte, "malformed", what),))
            return
        number = 0
        for number, (title, paragraph, question) in enumerate(_questions(content), start=1):
            fields = {
                "context": paragraph.get("context"),
                "question": question.get("question"),
                "answers": question.get("answers"),
                "id": str(question.get("id", "")),
                "title": title,
            }
            yield Row(number, fields)
        if not number:
            what = "no question in it. A SQuAD file is {data: [{paragraphs: [{context, qas}]}]}."
            yield Row(0, (), (Fault(self.file, 0, 0, "malformed", what),))


def _questions(content: Any) -> Iterator[tuple[str, dict, dict]]:
    """Yield (title of the article, paragraph, question)."""
    for article in _objects(content, "data"):
        for paragraph in _objects(article, "paragraphs"):
            for question in _objects(paragraph, "qas"):
                yield str(article.get("title", "")), paragraph, question


def _objects(parent: Any, name: str) -> list[dict]:
    children = parent.get(name) if isinstance(parent, dict) else None
    return [c for c in children if isinstance(c, dict)] if isinstance(children, list) else []
