"""What a search has found: open texts as back-pointers, ended texts, and when a source is done.

All on the host, in small arrays: the device only proposes candidates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.top_k import Candidates
from pellucid.errors import UsageError
from pellucid.nn.padding import pad_rows

NONE = -1
"""Stands in a text where there is no token: at the left of those that begin later."""


@dataclass(frozen=True)
class Hypothesis:
    """One text that was found, without its start and end tokens."""

    ids: tuple[int, ...]
    """Generated ids; forced ones come first and are included."""
    score: float
    """log_prob, length-normalised."""
    log_prob: float
    """Sum over tokens, the end token counted; a forced token was no choice and counts 0."""
    token_log_probs: tuple[float, ...]
    """One for each id, and one for the end token if that ended the text."""
    finished: bool
    """False if the text was cut at its longest length."""
    utility: float | None = None
    """Mean sentence_similarity to all texts drawn, where that is what ranks them (`mbr`)."""


@dataclass(frozen=True)
class SpecialIds:
    """The ids that a search must know."""

    start: int
    """What the decoder reads first."""
    end: int
    banned: tuple[int, ...] = ()
    """Never chosen. Log-probabilities are of the full softmax: the others do not gain by it."""
    forced_first: int | None = None
    """What every text begins with (a language code)."""
    forced_last: int | None = None
    """What a text that would be cut ends with instead, at no cost."""
    banned_sequences: tuple[tuple[int, ...], ...] = ()
    """Two ids or more that never follow one another so."""


@dataclass(frozen=True)
class Limits:
    """What is asked of each source's text."""

    max_lengths: Sequence[int]
    """Most tokens, the end token counted; at least 1."""
    prefixes: Sequence[Sequence[int]] = ()
    """Ids that each text begins with, after `SpecialIds.forced_first`; empty for none."""
    beginnings: Sequence[Sequence[int]] = ()
    """What stands before each text: read already but for its last token. By default, the start."""
    stopped: Callable[[Sequence[int]], bool] | None = None
    """Whether these ids are a whole text, though without an end token."""
    keys: Sequence[tuple[int, ...]] = ()
    """What sets each text's random numbers apart; its place among the others by default."""


class Onward(NamedTuple):
    """The open texts of the sources that are not done: k rows each."""

    sources: np.ndarray  # (B,), which of the sources before this step stay
    parents: np.ndarray  # (B, k), row of the same source that each text continues
    tokens: np.ndarray  # (B, k)
    scores: np.ndarray  # (B, k), -inf where a source has fewer than k open texts


class _Ended(NamedTuple):
    score: float
    step: int
    parent: int
    token: int
    log_prob: float
    finished: bool


class Ledger:
    """The book of one batch."""

    def __init__(self, config: DecodingConfig, end: int, limits: Limits) -> None:
        self.config, self.end, self.stopped = config, end, limits.stopped
        self.max_lengths = np.asarray(limits.max_lengths)
        self.active = np.arange(len(self.max_lengths))  # numbers of the sources not yet done
        self.nearest = int(self.max_lengths.min())
        self.ended: list[list[_Ended]] = [[] for _ in self.active]
        self.steps: list[tuple[np.ndarray, Onward]] = []
        self._texts = pad_rows(limits.beginnings or [()] * len(self.active), NONE, left=True)[
            :, None
        ]
        self._beginning, self._n_read = self._texts.shape[2], 0

    def texts(self) -> np.ndarray:
        """(B, k, T) ids of the open texts, what stands before them included; NONE at the left.

        Kept up from call to call, and only where somebody calls.
        """
        for _, onward in self.steps[self._n_read :]:
            before = self._texts[onward.sources[:, None], onward.parents]  # (B, k, T)
            self._texts = np.concatenate((before, onward.tokens[:, :, None]), 2)
        self._n_read = len(self.steps)
        return self._texts

    def advance(self, found: Candidates) -> Onward:
        """Note which candidates end, choose which go on: the best k of those that do not."""
        k = self.config.width
        stay = np.arange(len(self.active))
        onward = Onward(stay, *(x[:, :k] for x in (found.parents, found.tokens, found.values)))
        ends = found.tokens == self.end  # (B, n)
        if self.stopped is not None:
            ends |= self._are_stopped(found, self.stopped)
        cut = len(self.steps) + 1 >= self.nearest
        if cut or ends.any():
            last = self.max_lengths[self.active] <= len(self.steps) + 1  # (B,)
            self._note(found, ends, last)
            order = np.argsort(ends, axis=1, kind="stable")[:, :k]  # those that go on, best first
            at = stay[:, None], order
            onward = Onward(stay, found.parents[at], found.tokens[at], found.values[at])
            onward.scores[ends[at]] = -np.inf
        return self._leave(onward, cut)

    def hypotheses(self) -> list[list[Hypothesis]]:
        """The n best of each source, best first; equal scores in the order they ended.

        Raises: UsageError if a source has none.
        """
        return [self.best(source) for source in range(len(self.ended))]

    def _are_stopped(
        self, found: Candidates, stopped: Callable[[Sequence[int]], bool]
    ) -> np.ndarray:
        """(B, n), True for candidates that are whole texts by themselves."""
        texts = self.texts()[:, :, self._beginning :]
        return np.array(
            [
                [
                    value > -np.inf and stopped([*mine[parent].tolist(), int(token)])
                    for value, parent, token in zip(*row, strict=True)
                ]
                for mine, row in zip(texts, zip(*found, strict=True), strict=True)
            ]
        )

    def _note(self, found: Candidates, ends: np.ndarray, last: np.ndarray) -> None:
        """Keep what ends among each source's top k; beyond that rank it is ignored.

        ends: (B, n), of itself. last: (B,), at this length whatever it is.
        """
        step = len(self.steps)
        norm = length_norm(step + 1, self.config)
        for row, rank in np.argwhere((ends | last[:, None])[:, : self.config.width]):
            log_prob, token = float(found.values[row, rank]), int(found.tokens[row, rank])
            if not log_prob > -np.inf:  # nor one that is not a number
                continue
            parent, finished = int(found.parents[row, rank]), bool(ends[row, rank])
            ended = _Ended(log_prob / norm, step, parent, token, log_prob, finished)
            self.ended[self.active[row]].append(ended)

    def _leave(self, onward: Onward, cut: bool) -> Onward:
        """Let the sources go that are done."""
        done = ~(onward.scores[:, 0] > -np.inf)  # of sorted scores
        if cut:
            done |= self.max_lengths[self.active] <= len(self.steps) + 1
        if self.config.stop == "first_k":
            won = [len(self.ended[s]) >= self.config.width for s in self.active]
        else:
            won = [
                not self._can_improve(int(s), scores)
                for s, scores in zip(self.active, onward.scores, strict=True)
            ]
        done |= np.array(won, dtype=bool)
        if done.any():
            stay = np.flatnonzero(~done)
            onward = Onward(*(x[stay] for x in onward))
            self.active = self.active[stay]
            self.nearest = int(self.max_lengths[self.active].min(initial=1 << 62))
        self.steps.append((self.active, onward))
        return onward

    def _can_improve(self, source: int, scores: np.ndarray) -> bool:
        """Whether an open text may yet beat the worst of the n best.

        A log-probability only falls as tokens are added, so a text that is at s <= 0 now ends at
        some p <= s, with some length n <= max_length. Norms grow with n (alpha >= 0), and
        dividing a number <= 0 by more brings it nearer 0: p / norm(n) <= s / norm(n)
        <= s / norm(max_length). No open text can score above that, whatever it becomes.
        `current` guesses: it takes the length that there is, and asks about all of the beam.
        """
        guess, width = self.config.stop == "current", self.config.width
        n_best = width if guess else min(self.config.n_best, width)
        kept = sorted((e.score for e in self.ended[source]), reverse=True)[:n_best]
        if len(kept) < n_best:
            return True
        length = len(self.steps) + 1 if guess else int(self.max_lengths[source])
        return float(scores.max()) / length_norm(length, self.config) > kept[-1]

    def best(self, source: int) -> list[Hypothesis]:
        """Of one source, as `hypotheses`."""
        ranked = sorted(self.ended[source], key=lambda e: -e.score)
        if not ranked:
            raise UsageError(
                f"source {source} has no possible text: every token is banned, or the model's"
                " logits are not numbers. Look at the banned tokens, then at the model's weights."
            )
        n_best = min(self.config.n_best, self.config.width)
        return [self._read(source, ended) for ended in ranked[:n_best]]

    def _read(self, source: int, ended: _Ended) -> Hypothesis:
        """Follow the back-pointers of one text from its end to its first token."""
        ids, sums, row = [ended.token], [ended.log_prob], ended.parent
        for sources, onward in reversed(self.steps[: ended.step]):
            place = np.searchsorted(sources, source)
            ids.append(int(onward.tokens[place, row]))
            sums.append(float(onward.scores[place, row]))
            row = onward.parents[place, row]
        ids.reverse()
        sums = [0.0, *reversed(sums)]
        return Hypothesis(
            ids=tuple(ids[:-1] if ended.token == self.end else ids),
            score=ended.score,
            log_prob=ended.log_prob,
            token_log_probs=tuple(b - a for a, b in pairwise(sums)),
            finished=ended.finished,
        )


def length_norm(length: int, config: DecodingConfig) -> float:
    """What the log-probability of a text of `length` tokens, end counted, is divided by.

    `power`: length ** alpha. `gnmt`: ((5 + length) / 6) ** alpha (Wu et al. 2016, eq. 14).
    """
    base = length if config.length_norm == "power" else (5 + length) / 6
    return base**config.alpha
