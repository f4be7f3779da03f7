"""Questions and contexts in windows.

Authority: the fast tokenizers of transformers, which split pairs into overlapping windows.
"""

import pytest
from transformers import AlbertTokenizer, BertTokenizer, RobertaTokenizer

from pellucid.text.passages import (
    Pieces,
    WindowLimits,
    context_offset,
    encode_context,
    find_pieces,
    split_passage,
    strip_span,
)
from pellucid.text.published.open import open_tokenizer
from text.published import samples as published

QUESTION = "Why does the überquerte dog sleep?"
CONTEXT = (
    "The old dog sleeps under  the überquerte table. 这只动物没有过马路。\n"
    "  “Why?”\u00a0said U.S.A. 1999 😀 e\u0301, and the dog slept. " * 3
)


def lower(directory):
    return published.wordpiece(directory, do_lower_case=True)


def byte_bpe(directory):
    return published.byte_bpe(directory, published.FAIRSEQ)


KINDS = {
    "BERT": (lower, BertTokenizer),
    "RoBERTa": (byte_bpe, RobertaTokenizer),
    "ALBERT": (published.albert, AlbertTokenizer),
}


@pytest.fixture(params=KINDS)
def tokenizers(request, tmp_path):
    """The same tokenizer in pellucid and in transformers."""
    write, kind = KINDS[request.param]
    write(tmp_path)
    reference = kind.from_pretrained(tmp_path)
    names = {"BERT": "BertTokenizer", "RoBERTa": "RobertaTokenizer", "ALBERT": "AlbertTokenizer"}
    published.configure(tmp_path, tokenizer_class=names[request.param], do_lower_case=True)
    return open_tokenizer(tmp_path), reference


def test_windows_are_those_of_transformers(tokenizers):
    actual, reference = tokenizers
    for window, stride in ((60, 9), (64, 20), (1000, 128)):
        context = encode_context(actual, CONTEXT)
        question = actual.encode(QUESTION).ids
        passage = split_passage(actual, question, context, WindowLimits(window, stride, 30))
        wrapped = [passage.wrap(actual.template, each).ids for each in passage.windows]
        room = window - (len(wrapped[0]) - len(passage.windows[0]))
        encoding = reference(
            QUESTION,
            CONTEXT,
            max_length=window,
            truncation="only_second",
            stride=max(0, room - min(stride, room // 2)),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        assert wrapped == encoding["input_ids"]
        assert (len(wrapped) == 1) == (window == 1000)
        first = context_offset(actual.template, len(question))
        for n, each in enumerate(passage.windows):
            kinds, offsets = encoding.sequence_ids(n), encoding["offset_mapping"][n]
            assert kinds.index(1) == first
            spans = context.spans[each.start : each.stop]
            for span, (begin, end) in zip(spans, offsets[first:], strict=False):
                if span[0] < span[1]:  # a space alone has the next character there
                    assert CONTEXT[slice(*span)] == CONTEXT[begin:end].strip()
                    assert begin <= span[0]


def test_pieces_have_every_character(tokenizers):
    spans = encode_context(tokenizers[0], CONTEXT).spans
    covered = {i for begin, end in spans for i in range(begin, end)}
    missing = {CONTEXT[i] for i in range(len(CONTEXT)) if i not in covered}
    assert all(c.isspace() or c == "\u0301" for c in missing), missing


def test_long_questions_are_cut(tokenizers):  # authority: counts by hand
    actual, _ = tokenizers
    n_special = len(actual.template.wrap([], []).ids)
    context = Pieces(list(range(30)), [(i, i + 1) for i in range(30)])
    passage = split_passage(actual, [7] * 50, context, WindowLimits(20 + n_special, 100, 8))
    assert passage.question == [7] * 8
    assert passage.windows == [range(0, 12), range(6, 18), range(12, 24), range(18, 30)]
    passage = split_passage(actual, [7] * 50, context, WindowLimits(20 + n_special, 100, 40))
    assert len(passage.question) == len(passage.windows[0]) == 10
    nothing = split_passage(actual, [7], Pieces([], []), WindowLimits(20, 8, 8))
    assert nothing.windows == [range(0)]


def test_pieces_of_characters():  # authority: by hand
    spans = [(0, 3), (4, 4), (4, 7), (7, 8), (7, 8), (9, 12)]
    assert find_pieces(spans, 4, 7) == range(2, 3)
    assert find_pieces(spans, 5, 8) == range(2, 5)
    assert find_pieces(spans, 0, 99) == range(6)
    assert not find_pieces(spans, 3, 4)
    assert strip_span("a  bc \u00a0", 1, 7) == (3, 5)
    assert strip_span("a  b", 1, 3) == (3, 3)
