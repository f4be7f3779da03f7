"""Questions with their contexts as the examples of a training: windows with the answer's pieces."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pellucid.data.examples import Encoded, split_into_chunks
from pellucid.data.records import Record
from pellucid.data.spans import Span
from pellucid.text.passages import Passage, WindowLimits, encode_context, find_pieces, split_passage
from pellucid.text.tokenizer import Tokenizer


def encode_questions(
    records: Iterable[Record], tokenizer: Tokenizer, limits: WindowLimits
) -> Iterator[Encoded]:
    """Yield the windows of each question.

    records: their values are the question, the context and the answers.
    The columns of a window are the ids of the question; those of the window; the characters of the
    window's pieces, from and to; and the first and the last piece of the answer in the window, -1
    if the window does not contain it.
    """
    n_special = len(tokenizer.add_special_tokens([], []).ids)
    for chunk in split_into_chunks(records):
        texts = dict.fromkeys(record.values[1] for record in chunk)
        contexts = {text: encode_context(tokenizer, text) for text in texts}
        questions = tokenizer.encode_batch([record.values[0] for record in chunk])
        for record, question in zip(chunk, questions, strict=True):
            passage = split_passage(tokenizer, question, contexts[record.values[1]], limits)
            target = find_target(passage.context.spans, record.values[2])
            for window in passage.windows:
                columns = _encode_window(passage, window, target)
                length = len(columns[0]) + len(columns[1]) + n_special
                yield Encoded(columns, (length,), record)


def find_target(spans: Sequence[tuple[int, int]], answers: Sequence[Span]) -> range:
    """Return the pieces of the answer that most annotators gave, or an empty range if none did.

    spans: the characters of each piece of the context. Of equally frequent answers, the first one
    counts.
    """
    counts = Counter(answer[:2] for answer in answers if answer.start >= 0)
    for (start, text), _ in counts.most_common(1):
        return find_pieces(spans, start, start + len(text))
    return range(0)


def _encode_window(passage: Passage, window: range, target: range) -> tuple[np.ndarray, ...]:
    ids, spans = passage.context
    part = slice(window.start, window.stop)
    is_inside = len(target) > 0 and target[0] in window and target[-1] in window
    ends = [target[0] - window.start, target[-1] - window.start] if is_inside else [-1, -1]
    columns = (passage.question, ids[part], np.array(spans[part]).reshape(-1), ends)
    return tuple(np.array(column, np.int32) for column in columns)
