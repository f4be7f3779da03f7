"""How the next tokens are chosen: the best ones, groups that avoid one another, or a draw."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ledger import Ledger, Limits, SpecialIds
from pellucid.decoding.processors import INF, cuts, penalties
from pellucid.decoding.top_k import Candidates, best_continuations, best_sums

Choice = Callable[[Tensor, Tensor, Ledger], Candidates]
"""(logits (B*k, V), scores (B, k) so far, the book) -> ways to go on of each source."""

Read = Callable[[], np.ndarray]
"""Gives the texts (B, k, T) that were read so far, to who asks."""


def choice(
    config: DecodingConfig, special_ids: SpecialIds, limits: Limits, device: torch.device
) -> Choice:
    """What the config asks for."""
    rules = Rules(config, special_ids, device)
    if config.method != "beam":
        return _Draw(Law(rules, config), config, limits)
    return _Groups(rules, config) if config.groups > 1 else _Best(rules, config)


class Rules:
    """What holds for every choice: penalties on scores, and ids that may not be chosen."""

    def __init__(
        self, config: DecodingConfig, special_ids: SpecialIds, device: torch.device
    ) -> None:
        self.penalties = penalties(config, special_ids.banned_sequences)
        self.min_length = config.min_length
        self.banned = torch.tensor(special_ids.banned, dtype=torch.int64, device=device)
        # No end token is a negative id, which indexing takes for the last token of all.
        ends = (special_ids.end,) if special_ids.end >= 0 else ()
        no_end = (*special_ids.banned, *ends)
        self.no_end = torch.tensor(no_end, dtype=torch.int64, device=device)

    def excluded(self, n: int) -> Tensor:
        """(E,) ids that may not follow n tokens."""
        return self.banned if n >= self.min_length else self.no_end

    def penalised(self, scores: Tensor, read: Read) -> Tensor:
        """Scores (B*k, V) after what was read so far had its say."""
        if not self.penalties:
            return scores
        texts = torch.from_numpy(read()).to(scores.device).flatten(0, 1)  # (B*k, T)
        for penalty in self.penalties:
            scores = penalty(scores, texts)
        return scores


class _Best:
    """The best 2 * beam: half of them may end."""

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.beam = rules, config.beam

    def __call__(self, logits: Tensor, scores: Tensor, book: Ledger) -> Candidates:
        excluded, n = self.rules.excluded(len(book.steps)), 2 * self.beam
        if not self.rules.penalties:
            return best_continuations(logits, scores, excluded, n)
        if self.beam == 1:
            return best_continuations(self.rules.penalised(logits, book.texts), scores, excluded, n)
        # A beam adds up log-probabilities; logits penalised by their sign would change with a
        # constant that means nothing there. transformers makes the same difference.
        log_probs = self.rules.penalised(logits.log_softmax(-1), book.texts)  # (B*k, V)
        return best_sums(log_probs.index_fill_(1, excluded, -INF), scores, n)


class _Groups:
    """Groups choose one after another, and later ones avoid what earlier ones go on with.

    Each source comes as many times as there are groups: number i of the book is group i % groups.
    Source: Vijayakumar et al. 2018, algorithm 1, with the Hamming distance.
    """

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.groups, self.width = rules, config.groups, config.width
        self.diversity = config.diversity

    def __call__(self, logits: Tensor, scores: Tensor, book: Ledger) -> Candidates:
        n = 2 * self.width
        log_probs = self.rules.penalised(logits.log_softmax(-1), book.texts)
        log_probs = log_probs.index_fill(1, self.rules.excluded(len(book.steps)), -INF)
        log_probs = log_probs.view(*scores.shape, -1)  # (B, k, V)
        sources, groups = np.divmod(book.active, self.groups)
        taken = log_probs.new_zeros(sources.max() + 1, log_probs.shape[2])  # (sources, V)
        found = Candidates(
            np.full((len(sources), n), -np.inf, dtype=np.float32),
            np.zeros((len(sources), n), dtype=np.int64),
            np.zeros((len(sources), n), dtype=np.int64),
        )
        for group in range(self.groups):
            rows = np.flatnonzero(groups == group)
            if not len(rows):
                continue
            at = torch.from_numpy(rows).to(logits.device)
            mine = torch.from_numpy(sources[rows]).to(logits.device)
            penalised = log_probs[at] - self.diversity * taken[mine][:, None]  # (R, k, V)
            chosen = best_sums(penalised.flatten(0, 1), scores[at], n)
            for whole, part in zip(found, chosen, strict=True):
                whole[rows] = part
            self._take(taken, mine, chosen, book.end)
        return found

    def _take(self, taken: Tensor, sources: Tensor, chosen: Candidates, end: int) -> None:
        """Count the tokens that go on: the first of those that do not end."""
        goes_on = (chosen.tokens != end) & (chosen.values > -np.inf)  # (R, n)
        goes_on &= goes_on.cumsum(1) <= self.width
        rows, _ = goes_on.nonzero()
        tokens = torch.from_numpy(chosen.tokens[goes_on]).to(taken.device)
        one = torch.ones(len(tokens), dtype=taken.dtype, device=taken.device)
        at = sources[torch.from_numpy(rows).to(taken.device)]
        taken.index_put_((at, tokens), one, accumulate=True)


class Chances(NamedTuple):
    """How probable each token is (B, V)."""

    log_probs: Tensor  # after penalties
    probs: Tensor  # of being chosen: after bans, temperature and cuts too; NaN if none can be


def certain(token: int, logits: Tensor) -> Chances:
    """Of a forced token, which is no choice and costs nothing."""
    probs = torch.zeros_like(logits)
    probs[:, token] = 1
    return Chances(torch.zeros_like(logits), probs)


class Law:
    """What a draw goes by; greedy search is a draw too, whose one token is certain."""

    def __init__(self, rules: Rules, config: DecodingConfig) -> None:
        self.rules, self.cuts = rules, cuts(config)
        self.greedy = config.method == "beam"

    def __call__(self, logits: Tensor, read: Read, n: int) -> Chances:
        """Of what follows texts that have n tokens, by logits (B, V)."""
        log_probs = self.rules.penalised(logits, read).log_softmax(-1)
        allowed = log_probs.index_fill(1, self.rules.excluded(n), -INF)
        if self.greedy:
            best = allowed.argmax(-1, keepdim=True)
            allowed = torch.full_like(allowed, -INF).scatter_(1, best, allowed.gather(1, best))
        for cut in self.cuts:
            allowed = cut(allowed)
        return Chances(log_probs, allowed.softmax(-1))


class _Draw:
    """One token of each text, drawn; its log-probability is that before cuts and temperature."""

    def __init__(self, law: Law, config: DecodingConfig, limits: Limits) -> None:
        self.law = law
        keys = limits.keys or [(i,) for i in range(len(limits.max_lengths))]
        # Numbers of a text's own, all of them drawn ahead: they hang on no neighbour in a batch.
        self.numbers = [
            np.random.default_rng((config.seed, *key)).random(n)
            for key, n in zip(keys, limits.max_lengths, strict=True)
        ]

    def __call__(self, logits: Tensor, scores: Tensor, book: Ledger) -> Candidates:
        n = len(book.steps)
        log_probs, probs = self.law(logits, book.texts, n)  # (B, V)
        numbers = torch.tensor([self.numbers[source][n] for source in book.active])
        tokens = drawn(probs, numbers[:, None])  # (B, 1)
        values = scores.cpu() + log_probs.cpu().gather(1, tokens)
        values[probs.isnan().any(-1).cpu()] = -INF  # nothing was left to draw from
        return Candidates(values.numpy(), np.zeros_like(tokens.numpy()), tokens.numpy())


def drawn(probs: Tensor, numbers: Tensor) -> Tensor:
    """The token of probs (B, V) at which the running sum passes each number in [0, 1): (B, n).

    Computed on the CPU in double precision, so that a seed means the same on every device.
    """
    sums = probs.cpu().double().cumsum(-1)  # (B, V)
    places = torch.searchsorted(sums, numbers.double() * sums[:, -1:], right=True)
    return places.clamp_(max=probs.shape[1] - 1)
