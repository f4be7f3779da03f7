"""CoNLL files: one word a line with its tags, a blank line between sentences."""

import re
from collections.abc import Iterator
from itertools import chain, islice

from pellucid.data.lines import Fault, Line, scan_lines
from pellucid.data.rows import CONLLU_COLUMNS, Key, Position, Reader, Row

DOCUMENT_START = "-DOCSTART-"
BLANK = " \t\ufeff"  # files that were joined have byte order marks inside
NO_WORD = re.compile("[0-9]{1,9}[-.][0-9]")
"""The beginning of a line of CoNLL-U for several words (1-2), or for a word that is not written
(8.1)."""
SAMPLE = 500  # words by which the file's separator and prefix are recognised


class ConllReader(Reader):
    """Sentences: a field holds one column of the file, an item a word.

    Columns are separated by tabs, or by spaces where the first words have no tab. Lines that begin
    with `#` and have other columns than words do are comments. WikiANN's prefix of each word (the
    language and a colon) is dropped.
    """

    format = "CoNLL"
    layout = "conll"

    def __iter__(self) -> Iterator[Row]:
        lines = scan_lines(self.file, self.config.max_line_bytes)
        head = list(islice(lines, SAMPLE))
        texts = [line.text for line in head if line.text.strip(BLANK)]
        self.tabs = any("\t" in text for text in texts)
        words = [t for t in texts if ("\t" in t if self.tabs else not t.startswith("#"))]
        self.n_columns = len(self._split(words[0])) if words else 0
        self.prefix = _prefix([self._split(text)[0] for text in words])
        sentence: list[Line] = []
        size = 0
        for line in chain(head, lines):
            if line.fault:
                yield Row(line.number, (), (line.fault,), line.carriage)
            elif not line.text.strip(BLANK) or line.text.startswith(DOCUMENT_START):
                yield from self._rows(sentence)
                sentence, size = [], 0
            elif not self._is_comment(line.text):
                size += len(line.text)
                if size > self.config.max_line_bytes and len(sentence) > 1:
                    yield self._too_long(sentence[0])
                    sentence, size = [], 0
                sentence.append(line)
        yield from self._rows(sentence)

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        return Position(self.file, row.raw[character], 0)  # the line of a word

    def _split(self, text: str) -> list[str]:
        if self.tabs:
            return [part.strip() for part in text.split("\t")]
        return [part for part in text.split(" ") if part]  # other spaces are parts of words

    def _is_comment(self, text: str) -> bool:
        return text.startswith("#") and len(self._split(text)) != self.n_columns

    def _rows(self, sentence: list[Line]) -> Iterator[Row]:
        if not sentence:
            return
        words = [self._split(line.text) for line in sentence]
        faults = []
        for line, columns in zip(sentence, words, strict=True):
            if len(columns) != self.n_columns or not columns[0]:
                what = (
                    f"{len(columns)} columns where the file's first word has {self.n_columns}."
                    if columns[0]
                    else "a tag without a word."
                )
                what += " Each line is a word and its tags, with one tab or space between them."
                faults.append(Fault(self.file, line.number, 0, "malformed", what))
        number, carriages = sentence[0].number, sum(line.carriage for line in sentence)
        if faults:
            yield Row(number, (), tuple(faults), carriages)
            return
        columns = [list(column) for column in zip(*words, strict=True)]
        columns[0] = [word.removeprefix(self.prefix) or word for word in columns[0]]
        yield Row(number, columns, (), carriages, [line.number for line in sentence])

    def _too_long(self, first: Line) -> Row:
        what = (
            f"the sentence that begins here has more than {self.config.max_line_bytes:,} bytes."
            " Put a blank line after each sentence, or raise max_line_bytes."
        )
        return Row(first.number, (), (Fault(self.file, first.number, 0, "too long", what),))


class ConlluReader(ConllReader):
    """Sentences of CoNLL-U: a line is a word only if its number is an integer.

    Source: universaldependencies.org/format.html.
    """

    format = "CoNLL-U"
    layout = "conllu"

    def _is_comment(self, text: str) -> bool:
        is_no_word = self.n_columns == CONLLU_COLUMNS and bool(NO_WORD.match(text))
        return is_no_word or super()._is_comment(text)


def _prefix(words: list[str]) -> str:
    """Return the language prefix that all words have, such as `en:`; empty if there is none."""
    start, colon, _ = words[0].partition(":") if words else ("", "", "")
    prefix = start + colon
    is_language = bool(colon) and 2 <= len(start) <= 12 and start[:2].islower()
    return prefix if is_language and all(word.startswith(prefix) for word in words) else ""
