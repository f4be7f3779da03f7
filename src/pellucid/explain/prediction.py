"""What a head says at each position, in words and probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pellucid.config.head import HeadConfig
from pellucid.decoding.top_k import find_largest
from pellucid.explain.outputs import DISTRIBUTIONS, chain_log_probs, chain_of, name_reading
from pellucid.formats.bundle import Bundle
from pellucid.nn.linear_chain import LinearChain

MAX_DOUBLES = 1 << 19
"""Of logits in float64 at a time: those of a long text are large."""


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
    rows = logits.float() if reading == "single_label" else logits.double()
    rows = rows[:, None] if config.kind == "score" else rows
    rows = rows[None] if config.kind == "sequence" else rows
    chosen = dict(enumerate(text.next_ids)) if config.kind == "lm" else {}
    outputs: Iterable[_Softmax | _Probabilities]
    if reading == "single_label":
        outputs = _softmaxes(rows)
    elif reading == "crf":
        chain = chain_of(bundle, head)
        outputs = map(_Probabilities, chain_log_probs(chain, rows[None], text.words)[0].exp())
        chosen = _choose_labels(chain, rows, text.words)
    else:
        outputs = map(_Probabilities, _TO_PROBABILITIES[reading](rows))
    reader = _Reader(bundle, config, reading, top)
    positions = tuple(map(reader.read, rows, outputs, map(chosen.get, range(len(rows)))))
    is_tagger = config.kind == "token" and reading != "span"
    return Prediction(head, config.kind, reading, positions, tuple(text.words) if is_tagger else ())


def _choose_labels(chain: LinearChain, emissions: Tensor, words: Sequence[int]) -> dict[int, int]:
    """Return the labels of words, by their positions, that together are most probable."""
    if not words:
        return {}
    best = chain.decode(emissions[None, list(words)])[0]
    return dict(zip(words, best.tolist(), strict=True))


_TO_PROBABILITIES = {
    "multi_label": lambda rows: rows.sigmoid(),
    "regression": lambda rows: rows,
    "span": lambda rows: rows.softmax(0),
}


@dataclass(frozen=True)
class _Probabilities:
    """The probabilities (C,) of the outputs at a position."""

    strength: Tensor
    """Greater for more probable outputs."""

    def of(self, ids: Tensor) -> Tensor:
        return self.strength[ids]

    @property
    def entropy(self) -> float:
        return float(torch.special.entr(self.strength).sum())


class _Softmax(NamedTuple):
    """A softmax over a vocabulary, of which only the probabilities that are shown are computed."""

    strength: Tensor  # (V,), the logits
    log_z: float
    mean: float
    """The expected logit."""

    def of(self, ids: Tensor) -> Tensor:
        return (self.strength[ids].double() - self.log_z).exp()

    @property
    def entropy(self) -> float:
        return self.log_z - self.mean  # -sum p log p, with log p = logit - log Z


def _softmaxes(rows: Tensor) -> Iterator[_Softmax]:
    """Yield the softmax of each row of logits (T, V), computed in float64 for some at a time."""
    for logits in rows.split(max(1, MAX_DOUBLES // rows.shape[1])):
        x = logits.double()
        most = x.amax(-1, keepdim=True)
        weights = (x - most).exp_()
        z = weights.sum(-1)
        # -inf has a weight of 0, and 0 times it would be NaN.
        means = weights.mul_(x.clamp_(min=torch.finfo(torch.float32).min)).sum(-1) / z
        log_z = most[:, 0] + z.log()
        yield from map(_Softmax, logits, log_z.tolist(), means.tolist())


@dataclass(frozen=True)
class _Reader:
    """Names the outputs of a head."""

    bundle: Bundle
    config: HeadConfig
    reading: str
    top: int

    def read(
        self, row: Tensor, outputs: _Softmax | _Probabilities, chosen: int | None
    ) -> PositionPrediction:
        """Return what the outputs with logits (C,) say, and about the chosen one."""
        n, strength = min(self.top, len(row)), outputs.strength
        order = find_largest(strength, n)
        is_distribution = self.reading in DISTRIBUTIONS
        hides = is_distribution and n < len(row)
        return PositionPrediction(
            candidates=self._candidates(row, outputs, order),
            rest=max(0.0, 1.0 - float(outputs.of(order).sum())) if hides else 0.0,
            entropy=outputs.entropy if is_distribution else 0.0,
            chosen=None
            if chosen is None
            else self._candidates(row, outputs, torch.tensor([chosen]))[0],
            rank=None if chosen is None else int((strength > strength[chosen]).count_nonzero()),
        )

    def _candidates(
        self, row: Tensor, outputs: _Softmax | _Probabilities, ids: Tensor
    ) -> tuple[Candidate, ...]:
        columns = ids.tolist(), row[ids].tolist(), outputs.of(ids).tolist()
        return tuple(
            Candidate(i, name_output(self.bundle, self.config, i), score, probability)
            for i, score, probability in zip(*columns, strict=True)
        )


def name_output(bundle: Bundle, config: HeadConfig, i: int) -> str:
    """Return the token or label of an output."""
    if config.kind == "lm":
        tokenizer = bundle.tokenizers.target
        has_piece = tokenizer.is_present and i in tokenizer.pieces_by_id
        return tokenizer.display([i])[0] if has_piece else f"<{i}>"
    if config.kind == "score":
        return "replaced"
    return config.label_names[i]
