"""A linear-chain CRF: labels of the words of a sentence, chosen together.

Source: Lafferty et al. 2001; start and end scores as in Lample et al. 2016, section 2.2.
"""

import torch
from torch import Tensor, nn

from pellucid.nn.linear_chain import ChainScores, LinearChain, in_full_precision


class CRF(LinearChain):
    """p(labels) is proportional to exp(score), over all labels of a sentence."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.empty(n_classes))
        self.end = nn.Parameter(torch.empty(n_classes))
        self.transitions = nn.Parameter(torch.empty(n_classes, n_classes))  # from, to

    def initialize(self, rng: torch.Generator) -> None:
        """Set all scores to 0: the initial model is a separate softmax for each word."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    @torch.no_grad()
    def set_scores(self, scores: ChainScores) -> None:
        """Set the scores of neighboring labels, and of the first and the last one."""
        for parameter, score in zip(self.scores(), scores, strict=True):
            parameter.copy_(score)

    def scores(self) -> ChainScores:
        return ChainScores(self.start, self.transitions, self.end)

    def forward(self, emissions: Tensor, labels: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the negative log-likelihood of the labels (B, W), summed over the batch.

        Labels of padding are not used, but must be classes.
        """
        emissions, keep = in_full_precision(emissions, keep)
        log_z = torch.logsumexp(self.prefixes(emissions, keep)[-1] + self.end, -1)  # (B,)
        return (log_z - self.score(emissions, labels, keep)).sum()
