"""Columns that a task reads from its data files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal[
    "text", "words", "tags", "label", "labels", "score", "span", "document", "language"
]
"""text: one text. words: a text as a tuple of words. tags: a tuple with one tag per word.
label: one of a few strings. labels: any number of those. score: a number. span: the position of
an answer in another text. document: a long text, which a task may cut or pack. language: the code
of the language of a text."""

LABEL_KINDS = ("label", "labels", "tags")
"""Kinds of columns whose values are labels."""

ANSWER_START = "answer_start"
"""Name of the column with the start of an answer, where that is not part of the column of answers.
"""


@dataclass(frozen=True)
class Column:
    """One column of a task's data."""

    name: str
    kind: ColumnKind
    usual_names: tuple[str, ...] = ()
    """Common other names of the column in headers and JSON keys, in lower case."""
    optional: bool = False
    tokenizer: Literal["source", "target", ""] = ""
    """The tokenizer of the column; empty if the column is not text."""


PAIR = (
    Column("source", "text", ("src", "source_text", "input"), tokenizer="source"),
    Column("target", "text", ("tgt", "trg", "target_text", "translation"), tokenizer="target"),
)
"""Parallel text: a text and its translation."""
LANGUAGES = (
    Column("source_language", "language", ("source_lang", "src_language", "src_lang"), True),
    Column("target_language", "language", ("target_lang", "tgt_language", "tgt_lang"), True),
)
"""The languages of a pair, for several directions."""
LANGUAGE = (Column("language", "language", ("lang",), True),)
"""The language of a text, for several languages."""
DOCUMENT = (
    Column(
        "text",
        "document",
        ("document", "sentence", "content", "article", "dialogue"),
        False,
        "source",
    ),
)
"""Raw text for pretraining."""


def is_pair(columns: Sequence[Column]) -> bool:
    """Return whether the columns are a text and its counterpart."""
    return [column.kind for column in columns if not column.optional] == ["text", "text"]
