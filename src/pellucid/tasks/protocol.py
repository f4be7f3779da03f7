"""What the trainer asks of a task. A task may train several models by several loss terms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Term(NamedTuple):
    """One named part of a loss: its sum over a micro-batch, and its weight in the whole."""

    sum: Tensor  # scalar, differentiable
    weight: float = 1.0


class Batch(Protocol):
    """Tensors of one micro-batch; what they are is between a task's `collate` and `loss`."""

    def to(self, device: torch.device) -> "Batch": ...


class Examples(Protocol):
    """A training set by index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Any: ...

    @property
    def lengths(self) -> np.ndarray:
        """(N, sides) tokens of each example, its special tokens counted: what batches weigh."""
        ...

    def line(self, index: int) -> int:
        """The line of the data that example `index` came from, counted from 1."""
        ...


class Task(Protocol):
    """How one kind of training goes. Pure but for the module it is handed."""

    def build(self, seed: int) -> nn.Module:
        """The module to train: only parts that this task trains."""
        ...

    def collate(self, examples: Sequence[Any], seed: int) -> Batch:
        """Examples to tensors; whatever is random in it (noise, masks) comes from `seed`."""
        ...

    def counts(self, batch: Any) -> dict[str, int]:
        """By how much each loss term of this batch counts: known before the forward."""
        ...

    def loss(self, module: nn.Module, batch: Any) -> dict[str, Term]:
        """Named sums. Each is divided by its own count over the whole update."""
        ...

    def validate(self, module: nn.Module, device: torch.device) -> dict[str, float]:
        """Scores on held-out data; always has `loss`."""
        ...

    def export(self, module: nn.Module) -> Mapping[str, Any]:
        """Finished model directories by name; the main one is named `final`."""
        ...


def total(terms: Mapping[str, Term], counts: Mapping[str, int]) -> Tensor:
    """The weighted sum of terms, each divided by its count over the whole update."""
    parts: Iterable[Tensor] = (
        term.sum * (term.weight / counts[name]) for name, term in terms.items() if counts[name]
    )
    return torch.stack(list(parts)).sum()
