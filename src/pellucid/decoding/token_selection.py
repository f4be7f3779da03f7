"""Selection of the next tokens: beam search, diverse beam search, or sampling."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.processors import INF, build_filters, build_penalties
from pellucid.decoding.search_state import SearchState, SpecialIds, TextLimits
from pellucid.decoding.top_k import Candidates, best_continuations, best_sums


class TokenSelector(Protocol):
    """The selection of the next tokens."""

    def __call__(self, logits: Tensor, scores: Tensor, state: SearchState) -> Candidates:
        """Return candidates for each source. logits: (B*k, V). scores: so far, (B, k)."""
        ...

    def shared_key(self, n: int) -> tuple | None:
        """Return what selects tokens after n others without the state; None if that is needed.

        Selectors with equal keys select the same from the same logits and scores.
        """
        ...


ReadTexts = Callable[[], np.ndarray]
"""() -> the tokens read so far (B, k, T). Called only if a penalty needs them."""


def build_selector(
    config: DecodingConfig, special_ids: SpecialIds, limits: TextLimits, device: torch.device
) -> TokenSelector:
    """Return the token selector that a config asks for."""
    rules = Rules(config, special_ids, device)
    if config.method != "beam":
        return _Sampling(TokenDistribution(rules, config), config, limits)
    return _DiverseBeamSearch(rules, config) if config.groups > 1 else _BeamSearch(rules, config)


class Rules:
    """Rules that all selectors share: penalties on scores, and banned ids."""

    def __init__(
        self, config: DecodingConfig, special_ids: SpecialIds, device: torch.device
    ) -> None:
        self.penalties = build_penalties(config, special_ids.banned_sequences)
        self.min_length = config.min_length
        self.banned = torch.tensor(special_ids.banned, dtype=torch.int64, device=device)
        # A model without an end token has a negative id here, which would index the last token.
        ends = (special_ids.end,) if special_ids.end >= 0 else ()
        no_end = (*special_ids.banned, *ends)
        self.no_end = torch.tensor(no_end, dtype=torch.int64, device=device)

    def excluded(self, n: int) -> Tensor:
        """Return the ids (E,) that cannot follow n tokens."""
        return self.banned if n >= self.min_length else self.no_end

    def penalize(self, scores: Tensor, read: ReadTexts) -> Tensor:
        """Apply the penalties for the tokens read so far to scores (B*k, V)."""
        if not self.penalties:
            return scores
        texts = torch.from_numpy(read()).to(scores.device).flatten(0, 1)  # (B*k, T)
        for penalty in self.penalties:
            scores = penalty(scores, texts)
        return scores


class _BeamSearch:
    """Beam search: the best 2 * beam continuations, because half of them may end."""

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.beam = rules, config.beam

    def __call__(self, logits: Tensor, scores: Tensor, state: SearchState) -> Candidates:
        excluded, n = self.rules.excluded(len(state.steps)), 2 * self.beam
        if not self.rules.penalties:
            return best_continuations(logits, scores, excluded, n)
        if self.beam == 1:
            return best_continuations(
                self.rules.penalize(logits, state.read_texts), scores, excluded, n
            )
        # Beam search adds log-probabilities, so a penalty that depends on the sign of its input is
        # applied to them: the sign of a logit is arbitrary. transformers does the same.
        log_probs = self.rules.penalize(logits.log_softmax(-1), state.read_texts)  # (B*k, V)
        return best_sums(log_probs.index_fill_(1, excluded, -INF), scores, n)

    def shared_key(self, n: int) -> tuple | None:
        if self.rules.penalties:
            return None
        return self.beam, *self.rules.excluded(n).tolist()


class _DiverseBeamSearch:
    """Diverse beam search: groups select in turn and avoid the tokens of earlier groups.

    Each source has one row per group: row i of the state is group i % groups.
    Source: Vijayakumar et al. 2018, algorithm 1, with the Hamming distance.
    """

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.groups, self.width = rules, config.groups, config.width
        self.diversity = config.diversity

    def __call__(self, logits: Tensor, scores: Tensor, state: SearchState) -> Candidates:
        n = 2 * self.width
        log_probs = self.rules.penalize(logits.log_softmax(-1), state.read_texts)
        log_probs = log_probs.index_fill(1, self.rules.excluded(len(state.steps)), -INF)
        log_probs = log_probs.view(*scores.shape, -1)  # (B, k, V)
        sources, groups = np.divmod(state.active, self.groups)
        counts = log_probs.new_zeros(sources.max() + 1, log_probs.shape[2])  # (sources, V)
        candidates = Candidates(
            np.full((len(sources), n), -np.inf, dtype=np.float32),
            np.zeros((len(sources), n), dtype=np.int64),
            np.zeros((len(sources), n), dtype=np.int64),
        )
        for group in range(self.groups):
            rows = np.flatnonzero(groups == group)
            if not len(rows):
                continue
            rows_t = torch.from_numpy(rows).to(logits.device)
            sources_t = torch.from_numpy(sources[rows]).to(logits.device)
            penalized = log_probs[rows_t] - self.diversity * counts[sources_t][:, None]  # (R, k, V)
            selected = best_sums(penalized.flatten(0, 1), scores[rows_t], n)
            for all_rows, group_rows in zip(candidates, selected, strict=True):
                all_rows[rows] = group_rows
            self._count_tokens(counts, sources_t, selected, state.end)
        return candidates

    def shared_key(self, n: int) -> None:
        return None

    def _count_tokens(
        self, counts: Tensor, sources: Tensor, selected: Candidates, end: int
    ) -> None:
        """Add to counts (sources, V) the tokens that continue the beams of a group."""
        continues = (selected.tokens != end) & (selected.values > -np.inf)  # (R, n)
        continues &= continues.cumsum(1) <= self.width
        rows, _ = continues.nonzero()
        tokens = torch.from_numpy(selected.tokens[continues]).to(counts.device)
        ones = torch.ones(len(tokens), dtype=counts.dtype, device=counts.device)
        row_sources = sources[torch.from_numpy(rows).to(counts.device)]
        counts.index_put_((row_sources, tokens), ones, accumulate=True)


class TokenProbs(NamedTuple):
    """The probabilities of the next token (B, V)."""

    log_probs: Tensor  # after penalties
    probs: Tensor  # after penalties, bans, temperature and filters; NaN if no token is possible


def forced_probs(token: int, logits: Tensor) -> TokenProbs:
    """Return the probabilities of a forced token, which adds 0 to the score."""
    probs = torch.zeros_like(logits)
    probs[:, token] = 1
    return TokenProbs(torch.zeros_like(logits), probs)


class TokenDistribution:
    """The distribution that tokens are sampled from. For greedy search it has one token."""

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.filters = rules, build_filters(config)
        self.greedy = config.method == "beam"

    def __call__(self, logits: Tensor, read: ReadTexts, n: int) -> TokenProbs:
        """Return the probabilities after n tokens, from logits (B, V)."""
        log_probs = self.rules.penalize(logits, read).log_softmax(-1)
        allowed = log_probs.index_fill(1, self.rules.excluded(n), -INF)
        if self.greedy:
            best = allowed.argmax(-1, keepdim=True)
            allowed = torch.full_like(allowed, -INF).scatter_(1, best, allowed.gather(1, best))
        for apply in self.filters:
            allowed = apply(allowed)
        return TokenProbs(log_probs, allowed.softmax(-1))


class _Sampling:
    """Sampling: one token per text. Scores add its log-probability before filters."""

    def __init__(
        self, distribution: TokenDistribution, config: DecodingConfig, limits: TextLimits
    ) -> None:
        self.distribution = distribution
        keys = limits.seed_keys or [(i,) for i in range(len(limits.max_lengths))]
        # Each text has its own random numbers, so they do not depend on the batch.
        self.numbers = [
            np.random.default_rng((config.seed, *key)).random(n)
            for key, n in zip(keys, limits.max_lengths, strict=True)
        ]

    def __call__(self, logits: Tensor, scores: Tensor, state: SearchState) -> Candidates:
        n = len(state.steps)
        log_probs, probs = self.distribution(logits, state.read_texts, n)  # (B, V)
        numbers = torch.tensor([self.numbers[source][n] for source in state.active])
        tokens = sample_tokens(probs, numbers[:, None])  # (B, 1)
        values = scores.cpu() + log_probs.cpu().gather(1, tokens)
        values[probs.isnan().any(-1).cpu()] = -INF  # no token is possible
        return Candidates(values.numpy(), np.zeros_like(tokens.numpy()), tokens.numpy())

    def shared_key(self, n: int) -> None:
        return None


def sample_tokens(probs: Tensor, numbers: Tensor) -> Tensor:
    """Return tokens (B, n) by inverse transform sampling.

    probs (B, V): need not sum to 1. numbers (B, n): uniform in [0, 1).
    Computed on the CPU in double precision, so that a seed gives equal tokens on every device.
    """
    sums = probs.cpu().double().cumsum(-1)  # (B, V)
    indices = torch.searchsorted(sums, numbers.double() * sums[:, -1:], right=True)
    return indices.clamp_(max=probs.shape[1] - 1)
