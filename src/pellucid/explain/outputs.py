"""The output distribution of a head for copies of one text."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.rows import Rows
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import Inputs, check_inputs, head_logits


def log_probabilities(bundle: Bundle, rows: Rows, n: int, head: str) -> Tensor:
    """Return the log-probabilities (n, T, V) in float64 of n copies of a text.

    A head that classifies whole texts has one position. Copies differ where taps are edited.
    Raises: UsageError if the head gives no distribution.
    """
    config = bundle.model.head_configs[head]
    is_softmax = config.kind in ("lm", "token") or config.reading == "single_label"
    if config.kind == "score" or not config.predicts or not is_softmax:
        raise UsageError(
            f"the head {head!r} gives no distribution over tokens or labels. Name another head."
        )
    inputs = check_inputs(bundle, rows.inputs)
    ids, *others = (None if x is None else x.expand(n, -1) for x in inputs)
    assert ids is not None
    copies = Inputs(ids, *others)
    logits = head_logits(bundle, copies, head).double()
    logits = logits[:, None] if config.kind == "sequence" else logits
    return logits.log_softmax(-1)


def choose_outputs(log_probs: Tensor, next_ids: Sequence[int]) -> Tensor:
    """Return the output (T,) that counts at each position of log-probabilities (T, V).

    It is the token that follows in the text, or the most probable one where none follows.
    """
    chosen = log_probs.argmax(-1)
    n = min(len(next_ids), len(chosen))
    chosen[:n] = torch.tensor(next_ids[:n], device=chosen.device)
    return chosen
