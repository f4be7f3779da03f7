"""Two segments of text and how they belong together: next sentence and sentence order.

Documents are stored in blocks of consecutive sentences. A pair is drawn from a block when the block
is read, so every epoch has other pairs.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pellucid.data.examples import Encoded, Examples, LeftOutRecord, split_into_chunks
from pellucid.data.records import Record
from pellucid.errors import DataError
from pellucid.text.tokenizer import Tokenizer

PAIR_HEADS = {"next_sentence": "nsp", "sentence_order": "sop"}
"""The head that predicts the label of a pair, by the kind of pairs."""


class SentencePair(NamedTuple):
    """Two segments and the label of the pair."""

    first: np.ndarray  # (A,) ids
    second: np.ndarray  # (B,) ids
    label: int  # 0: the second follows the first. 1: it is of another document, or they are swapped


def encode_blocks(
    records: Iterable[Record], tokenizer: Tokenizer, max_tokens: int
) -> Iterator[Encoded | LeftOutRecord]:
    """Yield blocks of the sentences of each document, which are its lines.

    max_tokens: tokens of a pair without its special tokens.
    A block ends with the sentence with which it has `max_tokens` tokens, and has two sentences at
    least. Columns: the ids; the end of each sentence in them; the block's number in its document.
    Raises: DataError if no document has two sentences.
    """
    n_special = len(tokenizer.add_special_tokens([], []).ids)
    single, n_documents = None, 0
    for record, sentences in _split_into_sentences(records, tokenizer):
        if len(sentences) < 2:
            single = single or (record if sentences else None)
            yield LeftOutRecord("with one sentence" if sentences else "blank")
            continue
        n_documents += 1
        for number, block in enumerate(_split_into_blocks(sentences, max_tokens)):
            ids = np.concatenate(block)
            ends = np.cumsum([len(sentence) for sentence in block]).astype(np.int32)
            length = min(len(ids), max_tokens) + n_special
            yield Encoded((ids, ends, np.array([number], np.int32)), (length,), record)
    if single is not None and not n_documents:
        raise DataError(
            f"{single.origin}: this document has one sentence, and no other has more."
            " objective.pairs needs two: a document's lines are its sentences. Put blank lines"
            " between documents, and set data.documents=blank_line; or set objective.pairs=none."
        )


def draw_pair(
    examples: Examples, index: int, pairs: str, max_tokens: int, rng: np.random.Generator
) -> SentencePair:
    """Draw a pair of segments from a block.

    The block is split after one of its sentences. In half of the pairs (label 1), for
    `next_sentence` the second segment is from another document, for `sentence_order` the two are
    swapped. Pairs of more tokens than the block or `max_tokens` are cut.
    Source: Devlin et al. 2019, appendix A.2; Lan et al. 2020, section 3.1.
    Raises: DataError if there is no other document.
    """
    ids, ends, _ = examples[index]
    split = int(ends[rng.integers(len(ends) - 1)])
    first, second = ids[:split], ids[split:]
    label = int(rng.integers(2))
    if label and pairs == "sentence_order":
        first, second = second, first
    elif label:
        other = _draw_other_document(examples, index, rng)
        second = _draw_segment(examples[other], len(second), rng)
    return SentencePair(*_cut(first, second, min(len(ids), max_tokens), rng), label)


def _split_into_sentences(
    records: Iterable[Record], tokenizer: Tokenizer
) -> Iterator[tuple[Record, list[np.ndarray]]]:
    """Yield the first record of each document and the ids of its sentences."""
    document: Record | None = None
    sentences: list[np.ndarray] = []
    for chunk in split_into_chunks(records):
        lines = [[s for s in record.values[0].split("\n") if s.strip()] for record in chunk]
        encoded = iter(tokenizer.encode_batch([line for each in lines for line in each]))
        for record, each in zip(chunk, lines, strict=True):
            if document is None or not record.continues:
                if document is not None:
                    yield document, sentences
                document, sentences = record, []
            arrays = (np.array(next(encoded), np.int32) for _ in each)
            sentences += [ids for ids in arrays if len(ids)]
    if document is not None:
        yield document, sentences


def _split_into_blocks(
    sentences: Sequence[np.ndarray], max_tokens: int
) -> Iterator[list[np.ndarray]]:
    """Yield the sentences in blocks. A single last sentence joins the block before it."""
    parts = [s[i : i + max_tokens] for s in sentences for i in range(0, len(s), max_tokens)]
    block: list[np.ndarray] = []
    for part in parts:
        block.append(part)
        if len(block) >= 2 and sum(map(len, block)) >= max_tokens:
            yield block
            block = []
    if block:
        yield block if len(block) >= 2 else parts[-2:]


def _draw_other_document(examples: Examples, index: int, rng: np.random.Generator) -> int:
    """Draw a block of another document. Raises: DataError if there is none."""
    begin = index - int(examples[index][2][0])
    end = index + 1
    while end < len(examples) and int(examples[end][2][0]):
        end += 1
    n_others = len(examples) - (end - begin)
    if not n_others:
        raise DataError(
            f"{examples.origin(index)}: there is no other document to draw a second segment from,"
            " as objective.pairs=next_sentence does. Use two documents or more, in data.valid too,"
            " or objective.pairs=sentence_order."
        )
    other = int(rng.integers(n_others))
    return other if other < begin else other + end - begin


def _draw_segment(block: Sequence[np.ndarray], length: int, rng: np.random.Generator) -> np.ndarray:
    """Return consecutive sentences of a block with at least `length` tokens, if it has so many."""
    ids, ends, _ = block
    begins = np.concatenate(([0], ends[:-1]))
    long_enough = begins[len(ids) - begins >= length]
    begin = int(rng.choice(long_enough)) if len(long_enough) else 0
    end = int(ends[min(np.searchsorted(ends, begin + length), len(ends) - 1)])
    return ids[begin:end]


def _cut(
    first: np.ndarray, second: np.ndarray, max_tokens: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return segments of `max_tokens` tokens together at most.

    Tokens of the longer one are removed one by one, at its begin or end by chance.
    Source: the released code of BERT, `truncate_seq_pair`.
    """
    lengths = [len(first), len(second)]
    excess = max(sum(lengths) - max_tokens, 0)
    to_equal = min(excess, abs(lengths[0] - lengths[1]))
    longer = int(lengths[1] > lengths[0])
    removed = [(excess - to_equal) // 2, (excess - to_equal) // 2]
    removed[longer] += to_equal
    removed[1] += (excess - to_equal) % 2
    parts = []
    for segment, n in zip((first, second), removed, strict=True):
        n_front = int(rng.binomial(n, 0.5))
        parts.append(segment[n_front : len(segment) - (n - n_front)])
    return parts[0], parts[1]
