"""Columns that a task reads from its data files."""

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["text", "words", "tags", "label", "labels", "score", "span", "document"]
"""text: one text. words: a text as a tuple of words. tags: a tuple with one tag per word.
label: one of a few strings. labels: any number of those. score: a number. span: where an answer
stands in another text. document: a long text, which a task may cut or pack."""


@dataclass(frozen=True)
class Column:
    """One column of a task's data."""

    name: str
    kind: ColumnKind
    usual_names: tuple[str, ...] = ()
    """Other names that headers and JSON keys commonly give it, in lower case."""
    optional: bool = False
    tokenizer: Literal["source", "target", ""] = ""
    """Which of the two tokenizers reads it; empty for what is not text."""


PAIR = (
    Column("source", "text", ("src", "source_text", "input"), tokenizer="source"),
    Column("target", "text", ("tgt", "trg", "target_text", "translation"), tokenizer="target"),
)
"""Parallel text: a text and its translation."""
