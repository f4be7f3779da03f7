"""A linear chain of labels: the best ones by Viterbi, and marginals by forward-backward."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class ChainScores(NamedTuple):
    """The scores that do not depend on the words."""

    start: Tensor  # (C,), of the first label
    transitions: Tensor  # (C, C), from, to
    end: Tensor  # (C,), of the last label


class LinearChain(nn.Module):
    """score(labels) = emissions + transitions + start + end, along the labels.

    emissions: (B, W, C), a score for each class at each word. keep: (B, W), True = real word;
    padding is on the right, and each sentence has a word; None = all. All scores are computed in
    float32, or in float64 if the emissions are.
    """

    @abstractmethod
    def scores(self) -> ChainScores:
        """Return the scores of neighboring labels, and of the first and the last one."""

    def decode(self, emissions: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the labels (B, W) of the highest score, 0 at padding (Viterbi 1967)."""
        emissions, keep = in_full_precision(emissions, keep)
        start, transitions, end = self.scores()
        classes = torch.arange(emissions.shape[2], device=emissions.device)
        best = start + emissions[:, 0]  # (B, C)
        previous: list[Tensor] = []  # for each word but the first: the best class before each class
        for t in range(1, emissions.shape[1]):
            scores, before = (best[:, :, None] + transitions).max(1)  # (B, C)
            real = keep[:, t, None]
            best = torch.where(real, scores + emissions[:, t], best)
            previous.append(torch.where(real, before, classes))
        path = [(best + end).argmax(-1, keepdim=True)]  # (B, 1)
        for before in reversed(previous):
            path.append(before.gather(1, path[-1]))
        return torch.cat(path[::-1], 1).masked_fill(~keep, 0)

    def marginals(self, emissions: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the probability of each class at each word (B, W, C), by forward-backward.

        The probability of labels is proportional to exp(score).
        """
        emissions, keep = in_full_precision(emissions, keep)
        _, transitions, end = self.scores()
        suffixes = [end.expand(len(emissions), -1)]  # (B, C), without the word's own emission
        for t in range(emissions.shape[1] - 1, 0, -1):
            following = transitions + (emissions[:, t] + suffixes[-1])[:, None]  # (B, C, C)
            step = torch.logsumexp(following, 2)
            suffixes.append(torch.where(keep[:, t, None], step, suffixes[-1]))
        scores = torch.stack(self.prefixes(emissions, keep), 1) + torch.stack(suffixes[::-1], 1)
        return scores.softmax(-1)

    def prefixes(self, emissions: Tensor, keep: Tensor) -> list[Tensor]:
        """Return for each word the log-sum-exp of the scores of labels up to it, by class (B, C).

        Padding repeats the last real word's.
        """
        start, transitions, _ = self.scores()
        prefixes = [start + emissions[:, 0]]
        for t in range(1, emissions.shape[1]):
            step = torch.logsumexp(prefixes[-1][:, :, None] + transitions, 1) + emissions[:, t]
            prefixes.append(torch.where(keep[:, t, None], step, prefixes[-1]))
        return prefixes

    def score(self, emissions: Tensor, labels: Tensor, keep: Tensor) -> Tensor:
        """Return the score (B,) of labels (B, W)."""
        start, transitions, end = self.scores()
        chosen = emissions.gather(2, labels[..., None])[..., 0] * keep  # (B, W)
        moves = transitions[labels[:, :-1], labels[:, 1:]] * keep[:, 1:]  # (B, W - 1)
        last = labels.gather(1, keep.sum(1, keepdim=True) - 1)[:, 0]
        return start[labels[:, 0]] + chosen.sum(1) + moves.sum(1) + end[last]


def in_full_precision(emissions: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the emissions in float32 or float64, and keep as a tensor."""
    if keep is None:
        keep = emissions.new_ones(emissions.shape[:2], dtype=torch.bool)
    return emissions.to(torch.promote_types(emissions.dtype, torch.float32)), keep
