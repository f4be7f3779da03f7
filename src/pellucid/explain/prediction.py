"""What a head says at each position, in words and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pellucid.config.head import HeadConfig
from pellucid.formats.bundle import Bundle


@dataclass(frozen=True)
class Candidate:
    """A token or a label, and how probable it is."""

    id: int
    text: str
    score: float
    """Its logit."""
    probability: float
    """Of a regression head: its number again."""


@dataclass(frozen=True)
class PositionPrediction:
    """The prediction at one position, or for the whole text."""

    candidates: tuple[Candidate, ...]
    """Most probable first."""
    rest: float
    """The probability of all others together."""
    entropy: float
    """Of the whole distribution, in nats."""
    chosen: Candidate | None = None
    """The token that follows in the traced text, if one does."""
    rank: int | None = None
    """How many are more probable than the chosen one."""


@dataclass(frozen=True)
class Prediction:
    """The output of a head."""

    head: str
    kind: Literal["lm", "token", "sequence", "score"]
    reading: str
    """single_label: a softmax. multi_label: a sigmoid for each label. regression: numbers."""
    positions: tuple[PositionPrediction, ...]
    """One for each token, or one for the whole text (kind sequence)."""


def predict(
    bundle: Bundle, head: str, logits: Tensor, top: int, next_ids: Sequence[int] = ()
) -> Prediction:
    """Return the prediction of a head's output: (T, V), (T, C), (T,), or (C,) for a whole text.

    top: number of candidates. next_ids: the token that follows each of the first positions.
    """
    config = bundle.model.head_configs[head]
    rows, reading = logits.double(), "single_label"
    if config.kind == "score":
        rows, reading = rows[:, None], "multi_label"
    elif config.kind == "sequence":
        rows, reading = rows[None], config.reading
    reader = _Reader(bundle, config, reading, top)
    chosen = [*next_ids, *[None] * len(rows)]
    positions = tuple(reader.read(row, chosen[t]) for t, row in enumerate(rows))
    return Prediction(head, config.kind, reading, positions)


@dataclass(frozen=True)
class _Reader:
    """Reads the logits of a head."""

    bundle: Bundle
    config: HeadConfig
    reading: str
    top: int

    def read(self, row: Tensor, chosen: int | None) -> PositionPrediction:
        """Return what logits (C,) say, and about the token that follows."""
        probabilities = self._probabilities(row)
        n = min(self.top, len(row))
        order = probabilities.argsort(descending=True, stable=True)[:n].tolist()

        def candidate(i: int) -> Candidate:
            name = _name(self.bundle, self.config, i)
            return Candidate(i, name, float(row[i]), float(probabilities[i]))

        is_softmax = self.reading == "single_label"
        rest = 1.0 - float(probabilities[order].sum()) if is_softmax and n < len(row) else 0.0
        return PositionPrediction(
            candidates=tuple(map(candidate, order)),
            rest=max(0.0, rest),
            entropy=float(torch.special.entr(probabilities).sum()) if is_softmax else 0.0,
            chosen=None if chosen is None else candidate(chosen),
            rank=None if chosen is None else int((row > row[chosen]).sum()),
        )

    def _probabilities(self, row: Tensor) -> Tensor:
        if self.reading == "regression":
            return row
        return row.sigmoid() if self.reading == "multi_label" else row.softmax(-1)


def _name(bundle: Bundle, config: HeadConfig, i: int) -> str:
    """Return the token or label of an output."""
    if config.kind == "lm":
        tokenizer = bundle.tokenizers.target
        has_piece = tokenizer.is_present and i in tokenizer.pieces_by_id
        return tokenizer.display([i])[0] if has_piece else f"<{i}>"
    if config.kind == "score":
        return "replaced"
    return config.labels[i] if config.labels else f"LABEL_{i}"
