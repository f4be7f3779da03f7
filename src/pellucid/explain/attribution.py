"""How much each input token adds to an output: gradients, integrated gradients, leave-one-out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.outputs import choose_next_ids, choose_outputs, log_probabilities, run_once
from pellucid.explain.rows import Rows
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
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
class Outputs:
    """Outputs for one text: the chosen tokens at some positions, or labels.

    A head that classifies texts has one position, 0.
    """

    bundle: Bundle
    rows: Rows
    head: str
    positions: tuple[int, ...]

    @cached_property
    def choices(self) -> list[int]:
        """The token or label of each position. Raises: UsageError if there is no such position."""
        original = log_probabilities(self.bundle, self.rows, 1, self.head)[0]  # (T, V)
        for position in self.positions:
            if not 0 <= position < len(original):
                raise UsageError(
                    f"there is no position {position}: the output has {len(original)}, from 0."
                )
        chosen = choose_outputs(original, choose_next_ids(self.bundle, self.rows, self.head))
        return chosen[list(self.positions)].tolist()

    def scores(self, n: int = 1) -> Tensor:
        """Return the log-probabilities of the P choices in n copies of the text, (n, P)."""
        log_probs = log_probabilities(self.bundle, self.rows, n, self.head)  # (n, T, V)
        return log_probs[:, list(self.positions), self.choices]

    @cached_property
    def totals(self) -> np.ndarray:
        """The log-probabilities minus those of a text whose token vectors are all 0, (P,)."""
        with torch.inference_mode():
            original = self.scores()[0]
            with _edit_all(self.bundle.model, lambda _, x: torch.zeros_like(x)):
                return (original - self.scores()[0]).cpu().numpy()

    @cached_property
    def n_copies(self) -> int:
        """How many copies of the text are computed at a time."""
        with torch.inference_mode():
            return run_once(self.bundle, self.rows, self.head)[1]


Progress = Callable[[int], None]


def input_times_gradient(outputs: Outputs) -> list[Attribution]:
    """Return the product of each token's vector with the gradient of an output's log-probability.

    A linear approximation at the text itself: the shares need not add up (see `gap`).
    """
    return _integrate(outputs, torch.ones(1), None)


def integrated_gradients(
    outputs: Outputs, steps: int = STEPS, progress: Progress | None = None
) -> list[Attribution]:
    """Return the shares of tokens by integrated gradients (Sundararajan et al. 2017, eq. 1).

    The path leads from token vectors of 0, which keep their positions, to the real ones; the
    integral is the mean over the middles of `steps` intervals. `gap` is the error of that sum.
    progress: called with the number of newly computed gradients, of `steps` for each output.
    """
    return _integrate(outputs, (torch.arange(steps) + 0.5) / steps, progress)


@torch.inference_mode()
def leave_one_out(outputs: Outputs) -> list[Attribution]:
    """Return how far the log-probability falls if a token's vector is 0, for each token.

    The position of the token stays.
    """
    original = outputs.scores()[0]  # (P,)
    shares = {}
    for path in _find_token_vectors(outputs.bundle.model):
        changed = []
        for erased in torch.arange(_length(outputs.rows, path)).split(outputs.n_copies):

            def erase(_: str, x: Tensor, erased: Tensor = erased) -> Tensor:
                return x.index_put((torch.arange(len(erased)), erased), x.new_zeros(()))

            with edit(outputs.bundle.model, path, erase):
                changed.append(outputs.scores(len(erased)))  # (N, P)
        shares[path] = (original - torch.cat(changed)).T.cpu().numpy()  # (P, T)
    return _list_attributions(outputs.totals, shares)


def _integrate(outputs: Outputs, factors: Tensor, progress: Progress | None) -> list[Attribution]:
    """Return vector times the mean of the gradients at the vectors times each of `factors` (N,).

    One forward pass serves all outputs; each has a backward pass of its own.
    """
    model, n_outputs = outputs.bundle.model, len(outputs.positions)
    totals = outputs.totals  # first: outputs are chosen with the real vectors
    shares: dict[str, np.ndarray] = {}
    for part in factors.split(outputs.n_copies):
        scaled = _Scaled(part)
        with torch.enable_grad(), _constant_weights(model), _edit_all(model, scaled):
            scores = outputs.scores(len(part)).sum(0)  # (P,)
            for i, score in enumerate(scores):
                gradients = torch.autograd.grad(
                    score, list(scaled.leaves.values()), retain_graph=i + 1 < n_outputs
                )
                for path, gradient in zip(scaled.leaves, gradients, strict=True):
                    total = gradient.double().sum(0)  # (T, D)
                    share = (scaled.vectors[path] * total).sum(-1) / len(factors)  # (T,)
                    empty = np.zeros((n_outputs, len(share)))
                    shares.setdefault(path, empty)[i] += share.cpu().numpy()
                if progress is not None:
                    progress(len(part))
    return _list_attributions(totals, shares)


class _Scaled:
    """Multiplies the token vectors of N copies of a text by factors (N,), and keeps both."""

    def __init__(self, factors: Tensor) -> None:
        self.factors = factors
        self.vectors: dict[str, Tensor] = {}  # (T, D), by path
        self.leaves: dict[str, Tensor] = {}  # (N, T, D)

    def __call__(self, path: str, x: Tensor) -> Tensor:
        self.vectors[path] = x[0].detach().double()
        scaled = self.factors.to(x)[:, None, None] * x.detach()
        self.leaves[path] = scaled.requires_grad_()
        return self.leaves[path]


def _list_attributions(totals: np.ndarray, shares: dict[str, np.ndarray]) -> list[Attribution]:
    """Return the attribution of each output; shares: (P, T) of each stack's token vectors."""
    by_stack = {path.partition(".")[0]: x for path, x in shares.items()}
    source, target = by_stack.get("encoder"), by_stack.get("decoder")
    return [
        Attribution(
            None if source is None else source[i],
            None if target is None else target[i],
            float(total),
        )
        for i, total in enumerate(totals)
    ]


def _find_token_vectors(model: Model) -> list[str]:
    """Return the tap of the token vectors of each stack, before positions if there is one."""
    paths, chosen = taps(model), []
    for stack in ("encoder", "decoder"):
        names = (f"{stack}.embedding.tokens", f"{stack}.embedding.output")
        chosen += [name for name in names if name in paths][:1]
    return chosen


def _edit_all(model: Model, fn: Callable[[str, Tensor], Tensor]) -> ExitStack:
    """Return a context in which the token vectors of every stack are replaced."""
    stack = ExitStack()
    for path in _find_token_vectors(model):
        stack.enter_context(edit(model, path, fn))
    return stack


@contextmanager
def _constant_weights(model: Model) -> Iterator[None]:
    """Compute no gradients of weights while the context is open."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _length(rows: Rows, path: str) -> int:
    """Return the number of tokens that a stack reads."""
    inputs = rows.inputs
    reads_target = path.startswith("decoder") and inputs.target_ids is not None
    ids = inputs.target_ids if reads_target else inputs.ids
    assert ids is not None
    return ids.shape[1]
