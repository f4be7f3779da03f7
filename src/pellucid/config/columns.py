"""Columns that a task reads from its data files."""

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["text", "words", "tags", "label", "labels", "score", "span", "document"]
"""text: one text. words: a text as a tuple of words. tags: a tuple with one tag per word.
label: one of a few strings. labels: any number of those. score: a number. span: the position of
an answer in another text. document: a long text, which a task may cut or pack."""

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
