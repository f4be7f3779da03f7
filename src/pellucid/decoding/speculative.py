"""Speculative decoding: a small model proposes tokens, the large one verifies them in one step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, check_request, check_single_text, start_cache
from pellucid.decoding.search import device_of, forced_at, forced_ids
from pellucid.decoding.search_state import Hypothesis, SpecialIds, TextLimits, length_norm
from pellucid.decoding.token_selection import (
    Rules,
    TokenDistribution,
    TokenProbs,
    forced_probs,
    sample_tokens,
)
from pellucid.errors import UsageError
from pellucid.nn.cache import Decoder


@dataclass(frozen=True)
class Draft:
    """The model that proposes tokens."""

    model: Decoder
    """It has the vocabulary of the model that verifies."""
    n_proposed: int = 4
    """Number of tokens that are proposed at a time."""


class SpeculativeResult(NamedTuple):
    """A text, and how many tokens were proposed and accepted."""

    hypothesis: Hypothesis
    proposed: int
    accepted: int


@torch.inference_mode()
def speculate(
    model: Decoder, draft: Draft, request: Request, special_ids: SpecialIds, config: DecodingConfig
) -> SpeculativeResult:
    """Generate a text for one source from the distribution of the large model.

    Greedy search gives the same text as without a draft. Source: Leviathan et al. 2023, algorithm
    1. Raises: UsageError if the request has not exactly one source, the config keeps more than one
    text open, or a model's cache cannot be truncated.
    """
    check_single_text(config)
    check_request(model, request, special_ids, config)
    check_request(draft.model, request, special_ids, config)
    if len(request.sources) != 1 or draft.n_proposed < 1:
        raise UsageError(
            f"{len(request.sources)} sources with {draft.n_proposed} proposed tokens: a draft"
            " proposes 1 token or more, for one source at a time. Call it for each source."
        )
    target = _CachedModel(model, request, special_ids, config)
    drafter = _CachedModel(draft.model, request, special_ids, config)
    text = _Text(target.limits, special_ids, config)
    rng = np.random.default_rng((config.seed, *request.seed_key(0)))
    proposed = accepted = 0
    while not text.ended:
        ids = list(text.ids)
        proposals: list[TokenProbs] = []
        for _ in range(min(draft.n_proposed, text.room - 1)):
            (probs,) = drafter.read(ids, 1)
            if bool(probs.probs.isnan().any()):
                break  # the draft has no possible token, but the model itself may have one
            proposals.append(probs)
            ids.append(_sample(probs.probs, rng))
        verified = target.read(ids, len(proposals) + 1)
        tokens, n = _accept(verified, proposals, ids[len(text.ids) :], rng)
        proposed, accepted = proposed + len(proposals), accepted + n
        for token, probs in zip(tokens, verified, strict=False):
            text.add(token, probs)
        target.rewind(text)
        drafter.rewind(text)
    return SpeculativeResult(text.hypothesis(config), proposed, accepted)


class _Text:
    """The text so far; its ids begin with the last id before the text."""

    def __init__(self, limits: TextLimits, special_ids: SpecialIds, config: DecodingConfig) -> None:
        first = limits.prompts[0][-1] if limits.prompts else special_ids.start
        self.ids, self.log_probs = [first], list[float]()
        self.end, self.is_stopped = special_ids.end, limits.is_stopped
        self.room = limits.max_lengths[0]
        self.finished = False

    @property
    def ended(self) -> bool:
        return self.finished or not self.room

    def add(self, token: int, probs: TokenProbs) -> None:
        """Append a token, unless the text has ended."""
        if self.ended:
            return
        if bool(probs.probs.isnan().any()):
            raise UsageError(
                "there is no possible text: every token is banned, or the model's logits are NaN."
                " Check the banned tokens, then the model's weights."
            )
        self.ids.append(token)
        self.log_probs.append(float(probs.log_probs[0, token]))
        self.room -= 1
        stopped = self.is_stopped is not None and self.is_stopped(self.ids[1:])
        self.finished = token == self.end or stopped

    def hypothesis(self, config: DecodingConfig) -> Hypothesis:
        """Return the text as the result of a search."""
        ids = self.ids[1:-1] if self.ids[-1] == self.end else self.ids[1:]
        total = sum(self.log_probs)
        return Hypothesis(
            ids=tuple(ids),
            score=total / length_norm(len(self.log_probs), config),
            log_prob=total,
            token_log_probs=tuple(self.log_probs),
            finished=self.finished,
        )


class _CachedModel:
    """One of the two models and its cache."""

    def __init__(
        self, model: Decoder, request: Request, special_ids: SpecialIds, config: DecodingConfig
    ) -> None:
        self.model, self.device = model, device_of(model)
        self.cache, self.limits = start_cache(model, request, special_ids, config, [0])
        self.start = self.cache.length
        try:
            self.cache.truncate(self.start)
        except UsageError as error:
            raise UsageError(
                "tokens that are refused must be removed from the cache, which this model's cannot:"
                f" {error} Leave out the draft: no other search needs that."
            ) from None
        self.distribution = TokenDistribution(Rules(config, special_ids, self.device), config)
        self.special_ids = special_ids
        (self.forced,) = forced_ids(special_ids, self.limits)

    def read(self, ids: Sequence[int], n: int) -> list[TokenProbs]:
        """Read the new ones among ids; return the probabilities after each of the last n ids."""
        new = torch.tensor([ids[self.cache.length - self.start :]], device=self.device)
        logits = self.model.step(new, self.cache).logits[0, -n:]  # (n, V)
        first = len(ids) - n + 1
        return [self._probs(row[None], ids[: first + i]) for i, row in enumerate(logits)]

    def rewind(self, text: _Text) -> None:
        """Truncate the cache to the text without its last token."""
        self.cache.truncate(min(self.cache.length, self.start + len(text.ids) - 1))

    def _probs(self, logits: Tensor, ids: Sequence[int]) -> TokenProbs:
        """Return the next token's probabilities from logits (1, V).

        ids: the last id before the text, then the text.
        """
        n = len(ids) - 1
        token = forced_at(self.forced, self.special_ids, self.limits.max_lengths[0], n)
        if token is not None:
            return forced_probs(token, logits)
        before = self.limits.prompts[0][:-1] if self.limits.prompts else ()
        return self.distribution(logits, lambda: np.array([[[*before, *ids]]]), n)


def _accept(
    verified: Sequence[TokenProbs],
    proposals: Sequence[TokenProbs],
    tokens: Sequence[int],
    rng: np.random.Generator,
) -> tuple[list[int], int]:
    """Return the accepted tokens plus one more, and the number of accepted tokens.

    A proposal of probability q is accepted with probability min(1, p / q); a refused one is
    replaced by a sample from max(0, p - q). Together they are distributed as p.
    """
    for i, token in enumerate(tokens):
        p, q = verified[i].probs.cpu().double(), proposals[i].probs.cpu().double()  # (1, V)
        if not rng.random() * float(q[0, token]) < float(p[0, token]):
            rest = (p - q).clamp(min=0)
            # If p and q differ by rounding only, the difference may be empty: sample from p.
            return [*tokens[:i], _sample(rest if bool(rest.any()) else p, rng)], i
    return [*tokens, _sample(verified[len(tokens)].probs, rng)], len(tokens)


def _sample(probs: Tensor, rng: np.random.Generator) -> int:
    return int(sample_tokens(probs, torch.tensor([[rng.random()]], dtype=torch.float64)))
