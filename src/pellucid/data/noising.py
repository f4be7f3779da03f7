"""Noise that objectives put on ids: pure functions of ids and a random generator."""

from typing import NamedTuple

import numpy as np


class MaskingShares(NamedTuple):
    """How tokens are hidden."""

    chosen: float
    """Share of the tokens of a row that are predicted."""
    masked: float
    """Of those, the share that becomes the mask token."""
    random: float
    """And the share that becomes a random token; the rest stays."""


class MaskingTokens(NamedTuple):
    """What hidden tokens are replaced by."""

    mask: int
    """The id of the mask token."""
    regular: np.ndarray
    """Ids of random tokens: all except special tokens."""


def mask_tokens(
    ids: np.ndarray,
    is_text: np.ndarray,
    shares: MaskingShares,
    tokens: MaskingTokens,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Hide tokens for a model to predict.

    ids: (B, T). is_text: (B, T), True where a token may be chosen. Each row has its share chosen,
    rounded, and at least one token. Returns the noised ids (B, T), and chosen (B, T), True where a
    token is to be predicted.  Source: Devlin et al. 2019, section 3.1 and appendix C.2.
    """
    n_text = is_text.sum(axis=1, keepdims=True)  # (B, 1)
    n_chosen = np.minimum(np.maximum(np.rint(n_text * shares.chosen), 1), n_text)
    draws = np.where(is_text, rng.random(ids.shape), 2.0)
    rank = draws.argsort(axis=1).argsort(axis=1)  # (B, T), 0 = drawn first
    chosen = rank < n_chosen
    fate = rng.random(ids.shape)
    masked = chosen & (fate < shares.masked)
    replaced = chosen & ~masked & (fate < shares.masked + shares.random)
    noised = np.where(masked, tokens.mask, ids)
    noised[replaced] = rng.choice(tokens.regular, int(replaced.sum()))
    return noised, chosen
