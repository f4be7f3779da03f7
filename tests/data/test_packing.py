"""Packing documents, and the windows of a stream."""

import numpy as np
import pytest

from pellucid.data.packing import Stream, pack, slide_windows
from pellucid.data.records import Record


def documents(*lengths):
    ids = iter(range(100, 1000))
    for line, n in enumerate(lengths, start=1):
        yield np.array([next(ids) for _ in range(n)], np.int32), Record("f", line, ("",))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("first", [5, None])
def test_blocks_are_slices_of_the_stream(size, first):  # authority: slicing
    lengths = (3, 1, 0, 9, 4)
    stream = [i for ids, _ in documents(*lengths) for i in ids.tolist()]
    lines = [record.line for ids, record in documents(*lengths) for _ in ids]
    before = [first, *stream[:-1]]
    if first is None:  # the first token has none before it, so it is not predicted
        stream, before, lines = stream[1:], stream[:-1], lines[1:]
    blocks = list(pack(documents(*lengths), size, first))
    starts = range(0, len(stream), size)
    assert [block.ids.tolist() for block in blocks] == [stream[i : i + size] for i in starts]
    assert [block.previous for block in blocks] == [before[i] for i in starts]
    assert [block.record.line for block in blocks] == [lines[i] for i in starts]


def test_nothing_gives_no_block():
    assert list(pack(documents(), 3, 1)) == list(pack(documents(0, 0), 3, None)) == []


@pytest.mark.parametrize(("size", "stride"), [(4, 1), (4, 2), (4, 4), (1, 1), (5, 3)])
@pytest.mark.parametrize("n", [1, 3, 4, 5, 11])
def test_each_token_is_scored_once_and_with_context(n, size, stride):  # authority: counting
    windows = list(slide_windows(n, size, stride))
    scored = [i for w in windows for i in range(w.scored_from, w.end)]
    assert scored == list(range(n))
    for w in windows:
        assert w.begin % stride == 0
        assert 0 < w.end - w.begin <= size
        assert w.begin == 0 or w.scored_from - w.begin >= size - stride


def test_a_window_inside_a_document_begins_with_its_code():  # authority: by hand
    a, b, end = 1, 2, 0
    stream = Stream(np.array([end, a, 10, 11, end, b, 20, 21, 22, end]), frozenset({a, b}))
    assert len(stream) == 9
    assert stream.window(0, 3).tolist() == [end, a, 10, 11]
    assert stream.window(1, 4).tolist() == [a, 10, 11, end]
    assert stream.window(2, 5).tolist() == [a, 11, end, b]
    assert stream.window(3, 6).tolist() == [a, end, b, 20]
    assert stream.window(4, 6).tolist() == [end, b, 20]
    assert stream.window(6, 9).tolist() == [b, 21, 22, end]
    plain = Stream(stream.ids)
    assert [plain.window(i, i + 1)[0] for i in range(9)] == stream.ids[:-1].tolist()


def test_a_document_without_code_does_not_begin_with_that_of_an_earlier_one():
    a, b, end = 1, 2, 0
    ids = np.array([end, a, 10, 11, end, 20, 21, end, b, 30, end])
    stream = Stream(ids, frozenset({a, b}), end)
    firsts = [int(stream.window(i, i + 1)[0]) for i in range(10)]
    assert firsts == [end, a, a, a, end, 20, 21, end, b, b]
