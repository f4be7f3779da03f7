"""The state of a beam search: open texts (as back-pointers), ended texts, and finished sources.

The state is on the host, in small NumPy arrays. The device only computes candidates.
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

NO_TOKEN = -1
"""Left padding of shorter texts; no token has this id."""


@dataclass(frozen=True)
class Hypothesis:
    """One finished text, without its start and end tokens."""

    ids: tuple[int, ...]
    """Generated ids, forced ones included."""
    score: float
    """log_prob, normalized by length."""
    log_prob: float
    """Sum over tokens, the end token included; a forced token counts 0."""
    token_log_probs: tuple[float, ...]
    """One for each id, and one for the end token if there is one."""
    finished: bool
    """False if the text was cut at its maximum length."""
    utility: float | None = None
    """Mean similarity to all sampled texts, which ranks the texts of method `mbr`. Else None."""


@dataclass(frozen=True)
class SpecialIds:
    """The special ids that a search needs."""

    start: int
    """The first token that the decoder reads."""
    end: int
    """The token that ends a text."""
    banned: tuple[int, ...] = ()
    """Ids that are never chosen. Their probability is not redistributed to other ids."""
    forced_first: int | None = None
    """The first token of every text (a language code)."""
    forced_last: int | None = None
    """The last token of a text that reaches its maximum length; its log-probability counts 0."""
    banned_sequences: tuple[tuple[int, ...], ...] = ()
    """Sequences of two or more ids that are never generated."""


@dataclass(frozen=True)
class TextLimits:
    """Length limits and forced ids of the text of each source."""

    max_lengths: Sequence[int]
    """Maximum number of tokens, the end token included; at least 1."""
    prefixes: Sequence[Sequence[int]] = ()
    """Ids that each text begins with, after `SpecialIds.forced_first`; empty for none."""
    prompts: Sequence[Sequence[int]] = ()
    """Ids read before each text; all but the last are in the cache. Default: the start token."""
    is_stopped: Callable[[Sequence[int]], bool] | None = None
    """Whether generated ids end a text without an end token."""
    seed_keys: Sequence[tuple[int, ...]] = ()
    """Seeds of the random numbers of each text. Default: its index."""


class Continuations(NamedTuple):
    """The open texts of the active sources, k for each source."""

    sources: np.ndarray  # (B,), indices among the sources before this step
    parents: np.ndarray  # (B, k), row of the same source that each text continues
    tokens: np.ndarray  # (B, k)
    scores: np.ndarray  # (B, k), -inf where a source has fewer than k open texts


class _EndedText(NamedTuple):
    score: float
    step: int
    parent: int
    token: int
    log_prob: float
    finished: bool


class SearchState:
    """The open and ended texts of a batch of sources."""

    def __init__(self, config: DecodingConfig, end: int, limits: TextLimits) -> None:
        self.config, self.end, self.is_stopped = config, end, limits.is_stopped
        self.max_lengths = np.asarray(limits.max_lengths)
        self.active = np.arange(len(self.max_lengths))  # indices of the unfinished sources
        self.shortest_limit = int(self.max_lengths.min())
        self.ended: list[list[_EndedText]] = [[] for _ in self.active]
        self.steps: list[tuple[np.ndarray, Continuations]] = []
        self.candidates: Candidates | None = None  # of the last step
        self._texts = pad_rows(limits.prompts or [()] * len(self.active), NO_TOKEN, left=True)[
            :, None
        ]
        self._prompt_length, self._n_read = self._texts.shape[2], 0

    def read_texts(self) -> np.ndarray:
        """Return the ids of the open texts after their prompts, left-padded: (B, k, T).

        The array is updated from the steps since the last call.
        """
        for _, kept in self.steps[self._n_read :]:
            before = self._texts[kept.sources[:, None], kept.parents]  # (B, k, T)
            self._texts = np.concatenate((before, kept.tokens[:, :, None]), 2)
        self._n_read = len(self.steps)
        return self._texts

    def advance(self, candidates: Candidates) -> Continuations:
        """Record the candidates that end a text, and keep the best k of the others open."""
        self.candidates = candidates
        k, (values, parents, tokens) = self.config.width, candidates
        rows = np.arange(len(self.active))
        kept = Continuations(rows, parents[:, :k], tokens[:, :k], values[:, :k])
        ends = tokens == self.end  # (B, n)
        if self.is_stopped is not None:
            ends |= self._find_stopped(candidates, self.is_stopped)
        at_limit = len(self.steps) + 1 >= self.shortest_limit
        if at_limit or ends.any():
            last = self.max_lengths[self.active] <= len(self.steps) + 1  # (B,)
            self._record_ended(candidates, ends, last)
            order = np.argsort(ends, axis=1, kind="stable")[:, :k]  # open ones, best first
            at = rows[:, None], order
            kept = Continuations(rows, parents[at], tokens[at], values[at])
            kept.scores[ends[at]] = -np.inf
        return self._drop_finished(kept, at_limit)

    def hypotheses(self) -> list[list[Hypothesis]]:
        """Return the n best texts of each source, best first; equal scores in the order they ended.

        Raises: UsageError if a source has no text.
        """
        return [self.best_hypotheses(source) for source in range(len(self.ended))]

    def _find_stopped(
        self, candidates: Candidates, is_stopped: Callable[[Sequence[int]], bool]
    ) -> np.ndarray:
        """Return (B, n), True for candidates that end a text without an end token."""
        texts = self.read_texts()[:, :, self._prompt_length :]
        return np.array(
            [
                [
                    value > -np.inf and is_stopped([*source_texts[parent].tolist(), int(token)])
                    for value, parent, token in zip(*row, strict=True)
                ]
                for source_texts, row in zip(texts, zip(*candidates, strict=True), strict=True)
            ]
        )

    def _record_ended(self, candidates: Candidates, ends: np.ndarray, last: np.ndarray) -> None:
        """Record the candidates that end a text and are among the best k of their source.

        ends: (B, n), True where a candidate ends its text. last: (B,), True for sources whose texts
        are at their maximum length.
        """
        step = len(self.steps)
        norm = length_norm(step + 1, self.config)
        for row, rank in np.argwhere((ends | last[:, None])[:, : self.config.width]):
            log_prob, token = float(candidates.values[row, rank]), int(candidates.tokens[row, rank])
            if not log_prob > -np.inf:  # also false for NaN
                continue
            parent, finished = int(candidates.parents[row, rank]), bool(ends[row, rank])
            ended = _EndedText(log_prob / norm, step, parent, token, log_prob, finished)
            self.ended[self.active[row]].append(ended)

    def _drop_finished(self, kept: Continuations, at_limit: bool) -> Continuations:
        """Drop the finished sources, and record the step."""
        done = ~(kept.scores[:, 0] > -np.inf)  # of sorted scores
        if at_limit:
            done |= self.max_lengths[self.active] <= len(self.steps) + 1
        if self.config.stop == "first_k":
            is_final = [len(self.ended[s]) >= self.config.width for s in self.active]
        else:
            is_final = [
                not self._can_improve(int(s), scores)
                for s, scores in zip(self.active, kept.scores, strict=True)
            ]
        done |= np.array(is_final, dtype=bool)
        if done.any():
            stay = np.flatnonzero(~done)
            kept = Continuations(*(x[stay] for x in kept))
            self.active = self.active[stay]
            self.shortest_limit = int(self.max_lengths[self.active].min(initial=1 << 62))
        self.steps.append((self.active, kept))
        return kept

    def _can_improve(self, source: int, scores: np.ndarray) -> bool:
        """Return whether an open text can still score above the worst of the n best.

        Adding tokens only lowers a log-probability, so an open text at s <= 0 ends at some p <= s
        with some length n <= max_length. The norm grows with n (alpha >= 0), so
        p / norm(n) <= s / norm(n) <= s / norm(max_length): no open text can score above that.
        `current` is not a bound: it uses the current length, and compares with the whole beam.
        """
        current, width = self.config.stop == "current", self.config.width
        n_best = width if current else min(self.config.n_best, width)
        ended = self.ended[source]
        if len(ended) < n_best:
            return True
        kept = sorted((e.score for e in ended), reverse=True)[:n_best]
        length = len(self.steps) + 1 if current else int(self.max_lengths[source])
        return float(scores.max()) / length_norm(length, self.config) > kept[-1]

    def best_hypotheses(self, source: int) -> list[Hypothesis]:
        """Return the n best texts of one source, as in `hypotheses`."""
        ranked = sorted(self.ended[source], key=lambda e: -e.score)
        if not ranked:
            raise UsageError(
                f"source {source} has no possible text: every token is banned, or the model's"
                " logits are NaN. Check the banned tokens, then the model's weights."
            )
        n_best = min(self.config.n_best, self.config.width)
        return [self._trace_back(source, ended) for ended in ranked[:n_best]]

    def _trace_back(self, source: int, ended: _EndedText) -> Hypothesis:
        """Follow the back-pointers of a text from its end to its first token."""
        ids, sums, row = [ended.token], [ended.log_prob], ended.parent
        for sources, kept in reversed(self.steps[: ended.step]):
            index = np.searchsorted(sources, source)
            ids.append(int(kept.tokens[index, row]))
            sums.append(float(kept.scores[index, row]))
            row = kept.parents[index, row]
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
    """Return the divisor of the log-probability of a text of `length` tokens, end token included.

    `power`: length ** alpha. `gnmt`: ((5 + length) / 6) ** alpha (Wu et al. 2016, eq. 14).
    """
    base = length if config.length_norm == "power" else (5 + length) / 6
    return base**config.alpha
