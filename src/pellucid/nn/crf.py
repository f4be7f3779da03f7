"""A linear-chain CRF: labels of the words of a sentence, chosen together.

Source: Lafferty et al. 2001; start and end scores as in Lample et al. 2016, section 2.2.
"""

import torch
from torch import Tensor, nn


class CRF(nn.Module):
    """p(labels) is proportional to exp(emissions + transitions + start + end), along the labels.

    emissions: (B, W, C), a score for each class at each word. keep: (B, W), True = real word;
    padding is on the right, and each sentence has a word; None = all. All scores are computed in
    float32, or in float64 if the emissions are.
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.empty(n_classes))
        self.end = nn.Parameter(torch.empty(n_classes))
        self.transitions = nn.Parameter(torch.empty(n_classes, n_classes))  # from, to

    def initialize(self, rng: torch.Generator) -> None:
        """Set all scores to 0: the initial model is a separate softmax for each word."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, emissions: Tensor, labels: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the negative log-likelihood of the labels (B, W), summed over the batch.

        Labels of padding are not used, but must be classes.
        """
        emissions, keep = _to_float32(emissions, keep)
        log_z = torch.logsumexp(self._prefixes(emissions, keep)[-1] + self.end, -1)  # (B,)
        return (log_z - self._score(emissions, labels, keep)).sum()

    def decode(self, emissions: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the most probable labels (B, W), 0 at padding (Viterbi 1967)."""
        emissions, keep = _to_float32(emissions, keep)
        classes = torch.arange(emissions.shape[2], device=emissions.device)
        best = self.start + emissions[:, 0]  # (B, C)
        previous: list[Tensor] = []  # for each word but the first: the best class before each class
        for t in range(1, emissions.shape[1]):
            scores, before = (best[:, :, None] + self.transitions).max(1)  # (B, C)
            real = keep[:, t, None]
            best = torch.where(real, scores + emissions[:, t], best)
            previous.append(torch.where(real, before, classes))
        path = [(best + self.end).argmax(-1, keepdim=True)]  # (B, 1)
        for before in reversed(previous):
            path.append(before.gather(1, path[-1]))
        return torch.cat(path[::-1], 1).masked_fill(~keep, 0)

    def marginals(self, emissions: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the probability of each class at each word (B, W, C), by forward-backward."""
        emissions, keep = _to_float32(emissions, keep)
        suffixes = [self.end.expand(len(emissions), -1)]  # (B, C), without the word's own emission
        for t in range(emissions.shape[1] - 1, 0, -1):
            following = self.transitions + (emissions[:, t] + suffixes[-1])[:, None]  # (B, C, C)
            step = torch.logsumexp(following, 2)
            suffixes.append(torch.where(keep[:, t, None], step, suffixes[-1]))
        scores = torch.stack(self._prefixes(emissions, keep), 1) + torch.stack(suffixes[::-1], 1)
        return scores.softmax(-1)

    def _prefixes(self, emissions: Tensor, keep: Tensor) -> list[Tensor]:
        """Return each word's forward variables (B, C): log-sum-exp of the scores of labels so far.

        Padding repeats the last real word's.
        """
        prefixes = [self.start + emissions[:, 0]]
        for t in range(1, emissions.shape[1]):
            step = torch.logsumexp(prefixes[-1][:, :, None] + self.transitions, 1) + emissions[:, t]
            prefixes.append(torch.where(keep[:, t, None], step, prefixes[-1]))
        return prefixes

    def _score(self, emissions: Tensor, labels: Tensor, keep: Tensor) -> Tensor:
        """Return the unnormalised log-score (B,) of the labels."""
        chosen = emissions.gather(2, labels[..., None])[..., 0] * keep  # (B, W)
        moves = self.transitions[labels[:, :-1], labels[:, 1:]] * keep[:, 1:]  # (B, W - 1)
        last = labels.gather(1, keep.sum(1, keepdim=True) - 1)[:, 0]
        return self.start[labels[:, 0]] + chosen.sum(1) + moves.sum(1) + self.end[last]


def _to_float32(emissions: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
    if keep is None:
        keep = emissions.new_ones(emissions.shape[:2], dtype=torch.bool)
    return emissions.to(torch.promote_types(emissions.dtype, torch.float32)), keep
