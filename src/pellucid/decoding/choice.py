"""How the next tokens are chosen: beam search, diverse beam search, or sampling."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.processors import INF, cuts, penalties
from pellucid.decoding.search_state import Limits, SearchState, SpecialIds
from pellucid.decoding.top_k import Candidates, best_continuations, best_sums

Choice = Callable[[Tensor, Tensor, SearchState], Candidates]
"""(logits (B*k, V), scores (B, k) so far, search state) -> candidates of each source."""

Read = Callable[[], np.ndarray]
"""Returns the texts (B, k, T) that were read so far; called only if a penalty needs them."""


def make_choice(
    config: DecodingConfig, special_ids: SpecialIds, limits: Limits, device: torch.device
) -> Choice:
    """The way of choosing that the config names."""
    rules = Rules(config, special_ids, device)
    if config.method != "beam":
        return _Sample(TokenDistribution(rules, config), config, limits)
    return _Groups(rules, config) if config.groups > 1 else _Best(rules, config)


class Rules:
    """What every choice obeys: penalties on scores, and ids that are never chosen."""

    def __init__(
        self, config: DecodingConfig, special_ids: SpecialIds, device: torch.device
    ) -> None:
        self.penalties = penalties(config, special_ids.banned_sequences)
        self.min_length = config.min_length
        self.banned = torch.tensor(special_ids.banned, dtype=torch.int64, device=device)
        # A model without an end token has a negative id here, which would index the last token.
        ends = (special_ids.end,) if special_ids.end >= 0 else ()
        no_end = (*special_ids.banned, *ends)
        self.no_end = torch.tensor(no_end, dtype=torch.int64, device=device)

    def excluded(self, n: int) -> Tensor:
        """(E,) ids that cannot follow n tokens."""
        return self.banned if n >= self.min_length else self.no_end

    def penalize(self, scores: Tensor, read: Read) -> Tensor:
        """Scores (B*k, V) after the penalties for what was read so far."""
        if not self.penalties:
            return scores
        texts = torch.from_numpy(read()).to(scores.device).flatten(0, 1)  # (B*k, T)
        for penalty in self.penalties:
            scores = penalty(scores, texts)
        return scores


class _Best:
    """Beam search: the best 2 * beam, since half of them may end."""

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.beam = rules, config.beam

    def __call__(self, logits: Tensor, scores: Tensor, state: SearchState) -> Candidates:
        excluded, n = self.rules.excluded(len(state.steps)), 2 * self.beam
        if not self.rules.penalties:
            return best_continuations(logits, scores, excluded, n)
        if self.beam == 1:
            return best_continuations(self.rules.penalize(logits, state.texts), scores, excluded, n)
        # A beam adds log-probabilities. A penalty that depends on the sign of logits would change
        # with a constant that has no meaning there. transformers does the same.
        log_probs = self.rules.penalize(logits.log_softmax(-1), state.texts)  # (B*k, V)
        return best_sums(log_probs.index_fill_(1, excluded, -INF), scores, n)


class _Groups:
    """Diverse beam search: groups choose one after another, later ones avoid earlier tokens.

    Each source has one row for each group: row i of the state is group i % groups.
    Source: Vijayakumar et al. 2018, algorithm 1, with the Hamming distance.
    """

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.groups, self.width = rules, config.groups, config.width
        self.diversity = config.diversity

    def __call__(self, logits: Tensor, scores: Tensor, state: SearchState) -> Candidates:
        n = 2 * self.width
        log_probs = self.rules.penalize(logits.log_softmax(-1), state.texts)
        log_probs = log_probs.index_fill(1, self.rules.excluded(len(state.steps)), -INF)
        log_probs = log_probs.view(*scores.shape, -1)  # (B, k, V)
        sources, groups = np.divmod(state.active, self.groups)
        taken = log_probs.new_zeros(sources.max() + 1, log_probs.shape[2])  # (sources, V)
        candidates = Candidates(
            np.full((len(sources), n), -np.inf, dtype=np.float32),
            np.zeros((len(sources), n), dtype=np.int64),
            np.zeros((len(sources), n), dtype=np.int64),
        )
        for group in range(self.groups):
            rows = np.flatnonzero(groups == group)
            if not len(rows):
                continue
            at = torch.from_numpy(rows).to(logits.device)
            here = torch.from_numpy(sources[rows]).to(logits.device)
            penalized = log_probs[at] - self.diversity * taken[here][:, None]  # (R, k, V)
            chosen = best_sums(penalized.flatten(0, 1), scores[at], n)
            for whole, part in zip(candidates, chosen, strict=True):
                whole[rows] = part
            self._take(taken, here, chosen, state.end)
        return candidates

    def _take(self, taken: Tensor, sources: Tensor, chosen: Candidates, end: int) -> None:
        """Count the tokens that open texts continue with."""
        continues = (chosen.tokens != end) & (chosen.values > -np.inf)  # (R, n)
        continues &= continues.cumsum(1) <= self.width
        rows, _ = continues.nonzero()
        tokens = torch.from_numpy(chosen.tokens[continues]).to(taken.device)
        one = torch.ones(len(tokens), dtype=taken.dtype, device=taken.device)
        at = sources[torch.from_numpy(rows).to(taken.device)]
        taken.index_put_((at, tokens), one, accumulate=True)


class TokenProbs(NamedTuple):
    """The probabilities of the next token (B, V)."""

    log_probs: Tensor  # after penalties
    probs: Tensor  # after bans, temperature and cuts too; NaN if no token is possible


def forced_probs(token: int, logits: Tensor) -> TokenProbs:
    """Those of a forced token, which costs nothing."""
    probs = torch.zeros_like(logits)
    probs[:, token] = 1
    return TokenProbs(torch.zeros_like(logits), probs)


class TokenDistribution:
    """The distribution that tokens are sampled from; for greedy search it has one token."""

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.cuts = rules, cuts(config)
        self.greedy = config.method == "beam"

    def __call__(self, logits: Tensor, read: Read, n: int) -> TokenProbs:
        """The probabilities after texts of n tokens, from logits (B, V)."""
        log_probs = self.rules.penalize(logits, read).log_softmax(-1)
        allowed = log_probs.index_fill(1, self.rules.excluded(n), -INF)
        if self.greedy:
            best = allowed.argmax(-1, keepdim=True)
            allowed = torch.full_like(allowed, -INF).scatter_(1, best, allowed.gather(1, best))
        for cut in self.cuts:
            allowed = cut(allowed)
        return TokenProbs(log_probs, allowed.softmax(-1))


class _Sample:
    """Sampling: one token of each text; its log-probability is the one before cuts."""

    def __init__(
        self, distribution: TokenDistribution, config: DecodingConfig, limits: Limits
    ) -> None:
        self.distribution = distribution
        keys = limits.keys or [(i,) for i in range(len(limits.max_lengths))]
        # Each text has random numbers of its own, so its batch does not change them.
        self.numbers = [
            np.random.default_rng((config.seed, *key)).random(n)
            for key, n in zip(keys, limits.max_lengths, strict=True)
        ]

    def __call__(self, logits: Tensor, scores: Tensor, state: SearchState) -> Candidates:
        n = len(state.steps)
        log_probs, probs = self.distribution(logits, state.texts, n)  # (B, V)
        numbers = torch.tensor([self.numbers[source][n] for source in state.active])
        tokens = sample_tokens(probs, numbers[:, None])  # (B, 1)
        values = scores.cpu() + log_probs.cpu().gather(1, tokens)
        values[probs.isnan().any(-1).cpu()] = -INF  # no token is possible
        return Candidates(values.numpy(), np.zeros_like(tokens.numpy()), tokens.numpy())


def sample_tokens(probs: Tensor, numbers: Tensor) -> Tensor:
    """Tokens (B, n): where the running sum of probs (B, V) passes numbers (B, n) in [0, 1).

    Computed on the CPU in double precision, so that a seed means the same on every device.
    """
    sums = probs.cpu().double().cumsum(-1)  # (B, V)
    indices = torch.searchsorted(sums, numbers.double() * sums[:, -1:], right=True)
    return indices.clamp_(max=probs.shape[1] - 1)
