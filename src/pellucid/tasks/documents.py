"""Cut documents into blocks of ids."""

from collections.abc import Iterable, Iterator

import numpy as np

from pellucid.data.examples import Encoded, LeftOutRecord, split_into_chunks
from pellucid.data.records import Record
from pellucid.text.tokenizer import Tokenizer

SEGMENT_LENGTH = 10_000
"""Approximate number of characters that are tokenized at once."""


def encode_documents(
    records: Iterable[Record], tokenizer: Tokenizer, max_tokens: int
) -> Iterator[Encoded | LeftOutRecord]:
    """Yield documents, cut into blocks of at most `max_tokens` tokens without special tokens."""
    n_special = len(tokenizer.add_special_tokens([]).ids)
    for ids, record in tokenize_documents(records, tokenizer):
        if not len(ids):
            yield LeftOutRecord("blank")
        for begin in range(0, len(ids), max_tokens):
            block = ids[begin : begin + max_tokens]
            yield Encoded((block,), (len(block) + n_special,), record)


def tokenize_documents(
    records: Iterable[Record], tokenizer: Tokenizer
) -> Iterator[tuple[np.ndarray, Record]]:
    """Yield the ids (T,) of the first column of each record, without special tokens."""
    for chunk in split_into_chunks(records):
        segments = [split_into_segments(record.values[0]) for record in chunk]
        encoded = iter(tokenizer.encode_batch([s for each in segments for s in each]))
        for record, each in zip(chunk, segments, strict=True):
            yield np.array([i for _ in each for i in next(encoded)], np.int32), record


def split_into_segments(text: str) -> list[str]:
    """Return the parts of a document that are tokenized separately, cut at line ends if possible.

    Their concatenation is the document.
    """
    segments, begin = [], 0
    while begin < len(text):
        end = begin + SEGMENT_LENGTH
        if end < len(text):
            end = text.find("\n", end) + 1 or len(text)
        segments.append(text[begin:end])
        begin = end
    return segments
