"""Forward pass and loss of a micro-batch as one module, which DDP and FSDP can wrap."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pellucid.tasks.protocol import Task, combine_terms


class Losses(NamedTuple):
    """The loss of one micro-batch."""

    loss: Tensor  # scalar: the part of the update's loss from this micro-batch
    sums: Tensor  # (2, terms), detached: the sum of each term, and that times its weight


class LossModule(nn.Module):
    """Computes the loss of a task, divided by the counts of the whole update."""

    def __init__(self, module: nn.Module, task: Task) -> None:
        super().__init__()
        self.module = module
        self.task = task

    def forward(self, batch: Any, counts: dict[str, int]) -> Losses:
        terms = self.task.loss(self.module, batch)
        sums = torch.stack([terms[name].sum.detach().double() for name in counts])
        weights = sums.new_tensor([terms[name].weight for name in counts])
        return Losses(combine_terms(terms, counts), torch.stack([sums, sums * weights]))
