"""Windows of a stream of tokens as batches, and the loss of their next tokens."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.data.examples import ValidationData
from pellucid.nn.base import Model
from pellucid.nn.losses import cross_entropy, perplexity
from pellucid.nn.padding import MAX_LOGITS, pad_rows

HEAD = "lm"


class TokenBatch(NamedTuple):
    """Windows of a stream, padded on the right, where nothing is predicted."""

    ids: Tensor  # (B, T)
    scored: Tensor  # (N,), where in (B * T) the next token is predicted
    labels: Tensor  # (N,), the next tokens

    def to(self, device: torch.device) -> "TokenBatch":
        return TokenBatch(*(x.to(device, non_blocking=True) for x in self))


def collate_windows(rows: Sequence[np.ndarray], scored_from: Sequence[int]) -> TokenBatch:
    """Return windows as a batch. scored_from: the first token of each that is predicted."""
    ids = pad_rows(rows, 0)  # (B, T + 1)
    lengths = np.array([len(row) - 1 for row in rows])
    position = np.arange(ids.shape[1] - 1)
    scored = (position >= np.array(scored_from)[:, None]) & (position < lengths[:, None])
    return TokenBatch(
        ids=torch.from_numpy(ids[:, :-1].copy()),
        scored=torch.from_numpy(np.flatnonzero(scored)),
        labels=torch.from_numpy(ids[:, 1:][scored]),
    )


def sum_loss(model: Model, state: Tensor, batch: TokenBatch) -> float:
    """Return the summed cross-entropy of a batch; only as many logits exist at a time as fit."""
    state = select_scored(state, batch)  # (N, D)
    n = max(1, MAX_LOGITS // model.config.vocab_size)
    parts = zip(state.split(n), batch.labels.split(n), strict=True)
    return sum(float(cross_entropy(model.heads[HEAD](x), labels)) for x, labels in parts)


def measure(total: float, count: int, validation: ValidationData) -> dict[str, float]:
    """Return the metrics of a summed loss in nats over `count` tokens."""
    n_bytes = n_characters = 0
    for record in validation.records:
        n_bytes += len(record.values[0].encode())
        n_characters += len(record.values[0])
    bits = total / math.log(2)
    return {
        "loss": total / max(count, 1),
        "perplexity": perplexity(total, count),
        "bits_per_byte": bits / max(1, n_bytes),
        "bits_per_character": bits / max(1, n_characters),
    }


def select_scored(state: Tensor, batch: TokenBatch) -> Tensor:
    """States (N, D) of the positions of (B, T, D) whose next token is predicted."""
    flat = state.flatten(0, 1)
    return flat if len(batch.scored) == len(flat) else flat.index_select(0, batch.scored)
