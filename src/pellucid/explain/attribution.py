"""How much each input token adds to an output: gradients, integrated gradients, leave-one-out."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.outputs import choose_next_ids, choose_outputs, log_probabilities
from pellucid.explain.rows import Rows
from pellucid.formats.bundle import Bundle
from pellucid.taps import edit, taps

STEPS = 64


class Attribution(NamedTuple):
    """The share of each token in the log-probability of an output."""

    source: np.ndarray | None  # (S,), None for a decoder alone
    target: np.ndarray | None  # (T,), None for an encoder alone
    total: float
    """What complete shares add up to: the log-probability minus that of vectors of 0."""

    @property
    def gap(self) -> float:
        """`total` minus the sum of the shares."""
        shares = [x for x in (self.source, self.target) if x is not None]
        return self.total - sum(float(x.sum()) for x in shares)


@dataclass(frozen=True)
class Output:
    """One output of a model: the chosen token at a position, or the label of a text."""

    bundle: Bundle
    rows: Rows
    head: str
    position: int
    """0 for a head that classifies texts."""

    @cached_property
    def choice(self) -> int:
        """The token or label. Raises: UsageError if there is no such position."""
        original = log_probabilities(self.bundle, self.rows, 1, self.head)[0]  # (T, V)
        if not 0 <= self.position < len(original):
            raise UsageError(
                f"there is no position {self.position}: the output has {len(original)}, from 0."
            )
        next_ids = choose_next_ids(self.bundle, self.rows, self.head)
        return int(choose_outputs(original, next_ids)[self.position])

    def score(self, n: int = 1) -> Tensor:
        """Return the log-probability of the choice in n copies of the text, (n,)."""
        log_probs = log_probabilities(self.bundle, self.rows, n, self.head)
        return log_probs[:, self.position, self.choice]

    @cached_property
    def embeddings(self) -> list[str]:
        """The tap of the token vectors of each stack, before positions if there is one."""
        paths = taps(self.bundle.model)
        chosen = []
        for stack in ("encoder", "decoder"):
            names = (f"{stack}.embedding.tokens", f"{stack}.embedding.output")
            chosen += [name for name in names if name in paths][:1]
        return chosen


def input_times_gradient(output: Output) -> Attribution:
    """Return the product of each token's vector with the gradient of the output's log-probability.

    A linear approximation at the text itself: the shares need not add up (see `gap`).
    """
    return _integrate(output, torch.ones(1))


def integrated_gradients(output: Output, steps: int = STEPS) -> Attribution:
    """Return the shares of tokens by integrated gradients (Sundararajan et al. 2017, eq. 1).

    The path leads from token vectors of 0, which keep their positions, to the real ones; the
    integral is the mean over the middles of `steps` intervals. `gap` is the error of that sum.
    """
    return _integrate(output, (torch.arange(steps) + 0.5) / steps)


@torch.inference_mode()
def leave_one_out(output: Output) -> Attribution:
    """Return how far the log-probability falls if a token's vector is 0, for each token.

    The position of the token stays.
    """
    original, total = float(output.score()), _total(output)
    shares = {}
    for path in output.embeddings:
        with edit(output.bundle.model, path, _erase_each):
            changed = output.score(_length(output.rows, path))
        shares[path] = original - changed.cpu().numpy()
    return _attribution(shares, total)


def _integrate(output: Output, factors: Tensor) -> Attribution:
    """Return vector times the mean of the gradients at the vectors times each of `factors` (N,)."""
    vectors: dict[str, Tensor] = {}
    leaves: dict[str, Tensor] = {}

    def scale(path: str, x: Tensor) -> Tensor:
        vectors[path] = x[0].detach().double()
        leaves[path] = (factors.to(x)[:, None, None] * x.detach()).requires_grad_()
        return leaves[path]

    total = _total(output)
    with torch.enable_grad(), _edit_all(output, scale):
        gradients = torch.autograd.grad(output.score(len(factors)).sum(), list(leaves.values()))
    shares = {
        path: (vectors[path] * gradient.double().mean(0)).sum(-1).cpu().numpy()
        for path, gradient in zip(leaves, gradients, strict=True)
    }
    return _attribution(shares, total)


@torch.inference_mode()
def _total(output: Output) -> float:
    original = float(output.score())
    with _edit_all(output, lambda _, x: torch.zeros_like(x)):
        return original - float(output.score())


def _edit_all(output: Output, fn: Callable[[str, Tensor], Tensor]) -> ExitStack:
    """Return a context in which the token vectors of every stack are replaced."""
    stack = ExitStack()
    for path in output.embeddings:
        stack.enter_context(edit(output.bundle.model, path, fn))
    return stack


def _erase_each(path: str, x: Tensor) -> Tensor:
    """Set the vector of token n to 0 in copy n of the text; x (T, T, D)."""
    return x * (1.0 - torch.eye(x.shape[1], device=x.device))[..., None]


def _length(rows: Rows, path: str) -> int:
    """Return the number of tokens that a stack reads."""
    inputs = rows.inputs
    reads_target = path.startswith("decoder") and inputs.target_ids is not None
    ids = inputs.target_ids if reads_target else inputs.ids
    assert ids is not None
    return ids.shape[1]


def _attribution(shares: dict[str, np.ndarray], total: float) -> Attribution:
    by_stack = {path.partition(".")[0]: x for path, x in shares.items()}
    return Attribution(by_stack.get("encoder"), by_stack.get("decoder"), total)
