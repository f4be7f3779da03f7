"""Scores of spans: how likely a part of a text is an answer."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class WindowScores(NamedTuple):
    """What a model predicts for one window of a context of N pieces."""

    window: range
    """The pieces of the window."""
    start: Tensor  # (W,) logits of each of them as the first one of the answer
    end: Tensor  # (W,) as the last one
    null: float
    """Score of "no answer": the sum of both logits at the first token."""


def score_spans(start: Tensor, end: Tensor, longest: int) -> Tensor:
    """Return the score of each span of a window, (W, L): from piece i, of j + 1 pieces, at [i, j].

    start, end: logits (W,). longest: most pieces L of a span. Spans past the window have -inf.
    """
    last = F.pad(end, (0, longest), value=float("-inf")).unfold(0, longest, 1)  # (W + 1, L)
    return start[:, None] + last[:-1]


def merge_windows(windows: Sequence[WindowScores], n_pieces: int, longest: int) -> Tensor:
    """Return the score of each span of a context, (N, L): its highest in any window.

    A span that no window contains has -inf.
    """
    merged = windows[0].start.new_full((n_pieces, longest), float("-inf"))
    for each in windows:
        part = merged[each.window.start : each.window.stop]
        torch.maximum(part, score_spans(each.start, each.end, longest), out=part)
    return merged


def null_score(windows: Sequence[WindowScores]) -> float:
    """Return the score of "no answer": the lowest in any window (Devlin et al. 2019, code)."""
    return min(each.null for each in windows)
