"""A small model guesses some tokens ahead, and the model itself looks at all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.choice import Chances, Law, Rules, certain, drawn
from pellucid.decoding.generate import Request, begun, check, one_text
from pellucid.decoding.ledger import Hypothesis, SpecialIds
from pellucid.decoding.search import device_of, forced_at, forced_ids
from pellucid.decoding.single import Text
from pellucid.errors import UsageError
from pellucid.nn.cache import Decoder


@dataclass(frozen=True)
class Draft:
    """Who guesses."""

    model: Decoder
    """Of the same vocabulary as the model that it guesses for."""
    ahead: int = 4
    """Tokens guessed at a time."""


class Speculated(NamedTuple):
    """A text, and how the guesses fared."""

    hypothesis: Hypothesis
    guessed: int
    accepted: int


@torch.inference_mode()
def speculate(
    model: Decoder, draft: Draft, request: Request, special_ids: SpecialIds, config: DecodingConfig
) -> Speculated:
    """A text of the model's own distribution for one source; greedy search gives its greedy text.

    Source: Leviathan et al. 2023, algorithm 1. Raises: UsageError if the request has not one
    source, the config keeps more than one text open, or a model's memory cannot go back.
    """
    one_text(config)
    check(model, request, config)
    check(draft.model, request, config)
    if len(request.sources) != 1 or draft.ahead < 1:
        raise UsageError(
            f"{len(request.sources)} sources with {draft.ahead} tokens guessed ahead: guesses are"
            " made for one source at a time, one token or more. Call once for each source."
        )
    author = _Side(model, request, special_ids, config)
    guesser = _Side(draft.model, request, special_ids, config)
    text = Text(author.limits, special_ids, config)
    rng = np.random.default_rng((config.seed, *request.key(0)))
    guessed = accepted = 0
    while not text.ended:
        ids = list(text.ids)
        guesses: list[Chances] = []
        for _ in range(min(draft.ahead, text.room - 1)):
            (chances,) = guesser.read(ids, 1)
            if bool(chances.probs.isnan().any()):
                break  # no guess is possible, yet the model itself may know
            guesses.append(chances)
            ids.append(_draw(chances.probs, rng))
        judged = author.read(ids, len(guesses) + 1)
        mine, n = _accepted(judged, guesses, ids[len(text.ids) :], rng)
        guessed, accepted = guessed + len(guesses), accepted + n
        for token, chances in zip(mine, judged, strict=False):
            text.add(token, chances)
        author.forget(text)
        guesser.forget(text)
    return Speculated(text.hypothesis(config), guessed, accepted)


class _Side:
    """One of the two models, its memory, and what may follow a text by its word."""

    def __init__(
        self, model: Decoder, request: Request, special_ids: SpecialIds, config: DecodingConfig
    ) -> None:
        self.model, self.device = model, device_of(model)
        self.cache, self.limits = begun(model, request, special_ids, config, [0])
        self.start = self.cache.length
        try:
            self.cache.truncate(self.start)
        except UsageError as error:
            raise UsageError(
                "guesses that are refused must be taken back, which a memory of this kind cannot:"
                f" {error} Leave out the draft: no other search goes back."
            ) from None
        self.law, self.special_ids = (
            Law(Rules(config, special_ids, self.device), config),
            special_ids,
        )
        (self.forced,) = forced_ids(special_ids, self.limits)

    def read(self, ids: Sequence[int], n: int) -> list[Chances]:
        """Read what of ids is new: what may follow each of the last n of them."""
        new = torch.tensor([ids[self.cache.length - self.start :]], device=self.device)
        logits = self.model.step(new, self.cache).logits[0, -n:]  # (n, V)
        first = len(ids) - n + 1
        return [self._chances(row[None], ids[: first + i]) for i, row in enumerate(logits)]

    def forget(self, text: Text) -> None:
        """Go back to where the text is read but for its last token."""
        self.cache.truncate(min(self.cache.length, self.start + len(text.ids) - 1))

    def _chances(self, logits: Tensor, ids: Sequence[int]) -> Chances:
        """By logits (1, V), of what follows ids, the first of which was there before."""
        n = len(ids) - 1
        token = forced_at(self.forced, self.special_ids, self.limits.max_lengths[0], n)
        if token is not None:
            return certain(token, logits)
        before = self.limits.beginnings[0][:-1] if self.limits.beginnings else ()
        return self.law(logits, lambda: np.array([[[*before, *ids]]]), n)


def _accepted(
    judged: Sequence[Chances],
    guesses: Sequence[Chances],
    tokens: Sequence[int],
    rng: np.random.Generator,
) -> tuple[list[int], int]:
    """The guessed tokens up to the first that is refused, one of the model's own, and how many.

    A guess of probability q is accepted with probability min(1, p / q). In place of a refused one
    comes a draw from max(0, p - q): together they come as often as p says.
    """
    for i, token in enumerate(tokens):
        p, q = judged[i].probs.cpu().double(), guesses[i].probs.cpu().double()  # (1, V)
        if not rng.random() * float(q[0, token]) < float(p[0, token]):
            rest = (p - q).clamp(min=0)
            # Two laws alike to rounding leave nothing over; the model's own is then as good.
            return [*tokens[:i], _draw(rest if bool(rest.any()) else p, rng)], i
    return [*tokens, _draw(judged[len(tokens)].probs, rng)], len(tokens)


def _draw(probs: Tensor, rng: np.random.Generator) -> int:
    return int(drawn(probs, torch.tensor([[rng.random()]], dtype=torch.float64)))
