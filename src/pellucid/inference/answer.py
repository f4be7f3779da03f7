"""Questions to answers: spans of their contexts."""

from collections.abc import Iterator, Sequence
from math import exp, inf
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.config.tasks.question_answering import (
    ANSWER_TOKENS,
    QUESTION_TOKENS,
    STRIDE,
    WINDOW,
)
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import Inputs, choose_head, logits
from pellucid.inference.spans import WindowScores, merge_windows, null_score
from pellucid.nn.padding import batches, pad_batch, pad_rows
from pellucid.text.guard import clean_text
from pellucid.text.passages import (
    Passage,
    WindowLimits,
    context_offset,
    encode_context,
    split_passage,
    strip_span,
)

HEAD = "span"
MAX_TOKENS = 8192
"""Padded tokens of a batch."""


class Answer(NamedTuple):
    """A span of a context."""

    text: str
    """As it is in the context; "" means that the question has no answer there."""
    probability: float
    """The softmax over all spans; "no answer" is one of them if it is allowed."""
    start: int
    """Its first character in the context."""
    end: int
    """The character after its last."""


NO_ANSWER = Answer("", 0.0, 0, 0)
"""Of a context without text."""


class Question(NamedTuple):
    """A question with its context."""

    question: str
    context: str


@torch.inference_mode()
def answer(
    bundle: Bundle,
    questions: Sequence[tuple[str, str]],
    top: int = 1,
    longest: int = ANSWER_TOKENS,
    null_threshold: float = inf,
) -> list[list[Answer]]:
    """Return the `top` most probable answers of each question, best first.

    questions: pairs of question and context. A context longer than the model reads is split into
    overlapping windows; an answer is within one of them. Answers of one question differ.
    longest: most tokens of an answer. null_threshold: "no answer" precedes all spans whose score
    it exceeds by more than this; inf: there is always an answer.
    Raises: UsageError, naming the model's heads, if none of them marks spans.
    """
    choose_head(bundle, HEAD)
    if min(top, longest) < 1:
        raise UsageError(f"top={top} and answer_tokens={longest} must be 1 or more.")
    pairs = [Question(clean_text(question), clean_text(context)) for question, context in questions]
    passages = list(_passages(bundle, pairs))
    scores = _scores(bundle, passages)
    return [
        _rank(pair.context, passage, windows, AnswerLimits(top, longest, null_threshold))
        for pair, passage, windows in zip(pairs, passages, scores, strict=True)
    ]


class AnswerLimits(NamedTuple):
    """Which answers are returned; see `answer`."""

    top: int
    longest: int
    null_threshold: float


def window_limits(bundle: Bundle) -> WindowLimits:
    """Return how much the model reads at once: as in training, or else 384 tokens."""
    window = bundle.longest_source or WINDOW
    return WindowLimits(
        min(window, bundle.model_config.max_positions or window), STRIDE, QUESTION_TOKENS
    )


def _passages(bundle: Bundle, pairs: Sequence[Question]) -> Iterator[Passage]:
    """Yield the pieces of each pair. The same context is often that of several questions."""
    tokenizer, limits = bundle.tokenizers.source, window_limits(bundle)
    contexts = {context: encode_context(tokenizer, context) for context in {c for _, c in pairs}}
    encoded = tokenizer.encode_batch([pair.question for pair in pairs])
    for pair, question in zip(pairs, encoded, strict=True):
        yield split_passage(tokenizer, question, contexts[pair.context], limits)


def _scores(bundle: Bundle, passages: Sequence[Passage]) -> list[list[WindowScores]]:
    """Return the scores of the windows of each passage."""
    tokenizer, c = bundle.tokenizers.source, bundle.model_config
    template, pad = tokenizer.template, tokenizer.roles.get("pad", 0)
    inputs = [(i, window) for i, passage in enumerate(passages) for window in passage.windows]
    rows = [passages[i].wrap(template, window) for i, window in inputs]
    scores: list[list[WindowScores]] = [[] for _ in passages]
    for chosen in batches([len(row.ids) for row in rows], max_tokens=MAX_TOKENS):
        ids, keep = pad_batch([rows[n].ids for n in chosen], pad, torch.device("cpu"))  # (B, T)
        segments = None
        if c.n_segments > 1:
            segments = torch.from_numpy(pad_rows([rows[n].segments for n in chosen], 0))
        output = logits(bundle, Inputs(ids, keep, segments=segments), HEAD).cpu()  # (B, T, 2)
        for n, row in zip(chosen, output, strict=True):
            i, window = inputs[n]
            first = context_offset(template, len(passages[i].question))
            start, end = row[first : first + len(window)].T.double()
            scores[i].append(WindowScores(window, start, end, float(row[0].sum())))
    return scores


def _rank(
    context: str, passage: Passage, windows: Sequence[WindowScores], limits: AnswerLimits
) -> list[Answer]:
    """Return the best answers to one question."""
    scores = merge_windows(windows, len(passage.context.ids), limits.longest)  # (N, L)
    null = null_score(windows) if limits.null_threshold < inf else -inf
    total = float(torch.cat([scores.flatten(), scores.new_tensor([null])]).logsumexp(0))
    ranked = _best_spans(context, passage, scores, limits.top)
    if limits.null_threshold < inf:
        position = sum(score >= null - limits.null_threshold for score, _, _ in ranked)
        ranked.insert(position, (null, 0, 0))
    answers = [
        Answer(context[begin:end], exp(score - total), begin, end) for score, begin, end in ranked
    ]
    return answers[: limits.top] or [NO_ANSWER]


def _best_spans(
    context: str, passage: Passage, scores: Tensor, top: int
) -> list[tuple[float, int, int]]:
    """Return score and characters of the best spans with different texts, best first."""
    flat, longest = scores.flatten(), scores.shape[1]
    n_spans, k = int((flat > -inf).sum()), top
    while True:
        k = min(k, n_spans)
        values, indices = flat.topk(k)
        best: dict[str, tuple[float, int, int]] = {}
        for score, index in zip(values.tolist(), indices.tolist(), strict=True):
            first, n_more = divmod(index, longest)
            spans = passage.context.spans
            begin, end = strip_span(context, spans[first][0], spans[first + n_more][1])
            if context[begin:end]:  # a piece of spaces alone has no characters
                best.setdefault(context[begin:end], (score, begin, end))
        if len(best) >= top or k == n_spans:
            return list(best.values())[:top]
        k *= 2
