"""The output distribution of a head, for one text and for copies of it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.config.head import HeadConfig
from pellucid.errors import UsageError
from pellucid.explain.cancellation import check_cancelled
from pellucid.explain.rows import Rows
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import Inputs, head_logits
from pellucid.inference.answer import HEAD as SPAN
from pellucid.inference.logits import check_inputs
from pellucid.nn.linear_chain import LinearChain
from pellucid.nn.padding import MAX_LOGITS
from pellucid.taps import edit

DISTRIBUTIONS = ("single_label", "crf")
"""Readings of a head that give one distribution at each position."""


def name_reading(name: str, config: HeadConfig) -> str:
    """Return how a head's outputs are read.

    single_label: a softmax. multi_label: a sigmoid for each. regression: numbers. crf: the labels
    of a text are chosen together. span: two softmaxes over the positions, for start and end.
    """
    if config.kind == "score":
        return "multi_label"
    if config.kind == "token":
        return "crf" if config.crf else "span" if name == SPAN else "single_label"
    return config.reading if config.kind == "sequence" else "single_label"


def choose_next_ids(bundle: Bundle, rows: Rows, head: str) -> tuple[int, ...]:
    """Return the tokens that follow in a text, which a language model predicts; others: none."""
    return rows.next_ids if bundle.model.head_configs[head].kind == "lm" else ()


def chain_of(bundle: Bundle, head: str) -> LinearChain:
    """Return the CRF of a head."""
    crf = bundle.model.heads[head].crf
    assert isinstance(crf, LinearChain)
    return crf


def chain_log_probs(chain: LinearChain, emissions: Tensor, words: Sequence[int]) -> Tensor:
    """Return log-probabilities (N, T, C) of emissions (N, T, C): marginals of a chain of labels.

    words: the positions that have labels, as in `TracedText`. Others count on their own.
    """
    log_probs = emissions.log_softmax(-1)
    if not words:
        return log_probs
    index = torch.tensor(words, device=emissions.device)
    return log_probs.index_copy(1, index, chain.marginals(emissions[:, index]).log())


def log_probabilities(bundle: Bundle, rows: Rows, n: int, head: str) -> Tensor:
    """Return the log-probabilities (n, T, V) of n copies of a text; see `compute_logits`."""
    return to_log_probs(bundle, rows, head, compute_logits(bundle, rows, n, head))


def run_once(bundle: Bundle, rows: Rows, head: str) -> tuple[Tensor, int]:
    """Return the log-probabilities (T, V) of a text, and how many copies of it make a batch."""
    sizes = list[int]()

    def measure(_: str, x: Tensor) -> Tensor:
        sizes.append(x.numel())
        return x

    with edit(bundle.model, "*", measure):
        log_probs = log_probabilities(bundle, rows, 1, head)[0]
    return log_probs, max(1, MAX_LOGITS // max(sizes))


def compute_logits(bundle: Bundle, rows: Rows, n: int, head: str) -> Tensor:
    """Return the logits (n, T, V) in float64 of n copies of a text.

    A head that classifies whole texts has one position. Copies differ where taps are edited.
    Raises: UsageError if the head gives no distribution; CancelledError as `check_cancelled`.
    """
    check_cancelled()
    config = bundle.model.head_configs[head]
    reading = name_reading(head, config)
    if not config.predicts or reading not in DISTRIBUTIONS:
        raise UsageError(
            f"the head {head!r} gives no distribution over tokens or labels. Name another head."
        )
    inputs = check_inputs(bundle, rows.inputs)
    ids, *others = (None if x is None else x.expand(n, -1) for x in inputs)
    assert ids is not None
    copies = Inputs(ids, *others)
    logits = head_logits(bundle, copies, head).double()
    return logits[:, None] if config.kind == "sequence" else logits


def to_log_probs(bundle: Bundle, rows: Rows, head: str, logits: Tensor) -> Tensor:
    """Return the log-probabilities (N, T, V) of logits (N, T, V)."""
    if bundle.model.head_configs[head].crf:
        return chain_log_probs(chain_of(bundle, head), logits, rows.words)
    return logits.log_softmax(-1)


def choose_outputs(log_probs: Tensor, next_ids: Sequence[int]) -> Tensor:
    """Return the output (T,) that counts at each position of log-probabilities (T, V).

    It is the token that follows in the text, or the most probable one where none follows.
    """
    chosen = log_probs.argmax(-1)
    n = min(len(next_ids), len(chosen))
    chosen[:n] = torch.tensor(next_ids[:n], device=chosen.device)
    return chosen
