"""What a head says at each position, in words and probabilities."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pellucid.config.head import HeadConfig
from pellucid.decoding.top_k import find_largest
from pellucid.explain.outputs import chain_log_probs, chain_of, name_reading
from pellucid.formats.bundle import Bundle
from pellucid.nn.linear_chain import LinearChain


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
    """The token that follows in the traced text, or a CRF's label of a word, if there is one."""
    rank: int | None = None
    """How many are more probable than the chosen one."""


@dataclass(frozen=True)
class Prediction:
    """The output of a head."""

    head: str
    kind: Literal["lm", "token", "sequence", "score"]
    reading: str
    """single_label: a softmax. multi_label: a sigmoid for each label. regression: numbers. crf: the
    marginal probabilities of labels that are chosen together. span: of each position, the
    probability that the answer starts, or ends, there."""
    positions: tuple[PositionPrediction, ...]
    """One for each token, or one for the whole text (kind sequence)."""
    words: tuple[int, ...] = ()
    """Of a tagger: the first position of each word, which has the word's label."""


class Text(NamedTuple):
    """What a text says about the outputs for it."""

    next_ids: Sequence[int] = ()
    """The token that follows each of the first positions; only language models predict it."""
    words: Sequence[int] = ()
    """The first position of each word."""


def predict(
    bundle: Bundle, head: str, logits: Tensor, top: int, text: Text | None = None
) -> Prediction:
    """Return the prediction of a head's output: (T, V), (T, C), (T,), or (C,) for a whole text.

    top: number of candidates.
    """
    config, text = bundle.model.head_configs[head], text or Text()
    reading = name_reading(head, config)
    # In float64 row by row: the logits of a long text are large.
    rows = logits.float() if reading == "single_label" else logits.double()
    rows = rows[:, None] if config.kind == "score" else rows
    rows = rows[None] if config.kind == "sequence" else rows
    chosen = dict(enumerate(text.next_ids)) if config.kind == "lm" else {}
    probabilities: Iterable[Tensor]
    if reading == "crf":
        chain = chain_of(bundle, head)
        probabilities = chain_log_probs(chain, rows[None], text.words)[0].exp()
        chosen = _choose_labels(chain, rows, text.words)
    elif reading == "span":
        probabilities = rows.softmax(0)
    else:
        probabilities = map(_PROBABILITIES[reading], rows)
    reader = _Reader(bundle, config, reading, top)
    positions = tuple(map(reader.read, rows, probabilities, map(chosen.get, range(len(rows)))))
    is_tagger = config.kind == "token" and reading != "span"
    return Prediction(head, config.kind, reading, positions, tuple(text.words) if is_tagger else ())


def _choose_labels(chain: LinearChain, emissions: Tensor, words: Sequence[int]) -> dict[int, int]:
    """Return the labels of words, by their positions, that together are most probable."""
    if not words:
        return {}
    best = chain.decode(emissions[None, list(words)])[0]
    return dict(zip(words, best.tolist(), strict=True))


_PROBABILITIES = {
    "single_label": lambda row: row.double().softmax(-1),
    "multi_label": lambda row: row.sigmoid(),
    "regression": lambda row: row,
}


@dataclass(frozen=True)
class _Reader:
    """Names the outputs of a head."""

    bundle: Bundle
    config: HeadConfig
    reading: str
    top: int

    def read(self, row: Tensor, probabilities: Tensor, chosen: int | None) -> PositionPrediction:
        """Return what logits (C,) and probabilities (C,) say, and about the chosen output."""
        n = min(self.top, len(row))
        order = find_largest(probabilities, n)
        is_softmax = self.reading in ("single_label", "crf")
        strength = probabilities if self.reading == "crf" else row
        rest = 1.0 - float(probabilities[order].sum()) if is_softmax and n < len(row) else 0.0
        return PositionPrediction(
            candidates=self._candidates(row, probabilities, order),
            rest=max(0.0, rest),
            entropy=self._entropy(row, probabilities, order[0]) if is_softmax else 0.0,
            chosen=None
            if chosen is None
            else self._candidates(row, probabilities, torch.tensor([chosen]))[0],
            rank=None if chosen is None else int((strength > strength[chosen]).count_nonzero()),
        )

    def _candidates(self, row: Tensor, probabilities: Tensor, ids: Tensor) -> tuple[Candidate, ...]:
        columns = ids.tolist(), row[ids].tolist(), probabilities[ids].tolist()
        return tuple(
            Candidate(i, name_output(self.bundle, self.config, i), score, probability)
            for i, score, probability in zip(*columns, strict=True)
        )

    def _entropy(self, row: Tensor, probabilities: Tensor, best: Tensor) -> float:
        """Return the entropy, in nats, of probabilities (C,). row: logits (C,) if they are a
        softmax. best: the index of the greatest."""
        if self.reading == "crf":
            return float(torch.special.entr(probabilities).sum())
        # -sum p log p = log Z - sum p x: one logarithm, not one for each token of a vocabulary.
        log_z = row[best].double() - probabilities[best].log()
        finite = row.double().clamp(min=torch.finfo(torch.float32).min)  # -inf has p = 0
        return float(log_z - probabilities @ finite)


def name_output(bundle: Bundle, config: HeadConfig, i: int) -> str:
    """Return the token or label of an output."""
    if config.kind == "lm":
        tokenizer = bundle.tokenizers.target
        has_piece = tokenizer.is_present and i in tokenizer.pieces_by_id
        return tokenizer.display([i])[0] if has_piece else f"<{i}>"
    if config.kind == "score":
        return "replaced"
    return config.label_names[i]
