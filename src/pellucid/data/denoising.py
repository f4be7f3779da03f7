"""The noise of BART and mBART on documents: pure functions of ids and a random generator.

Source: Lewis et al. 2020, section 2.2; Liu et al. 2020, section 2.2.
"""

from typing import NamedTuple

import numpy as np

from pellucid.config.tasks.denoising import DenoisingConfig
from pellucid.text.whole_words import WordBoundaries

SENTENCE_ENDS = tuple(".!?。！？")


class DenoisingTokens(NamedTuple):
    """The tokens that matter to the noise."""

    mask: int
    """The id of the mask token."""
    ends_sentence: np.ndarray
    """(V,), True for each id of the vocabulary that ends a sentence."""
    words: WordBoundaries | None = None
    """For whole words: which pieces begin and end words."""


def noise_document(
    ids: np.ndarray, c: DenoisingConfig, tokens: DenoisingTokens, rng: np.random.Generator
) -> np.ndarray:
    """Return a noised copy of a document (N,), at most as long."""
    if c.permute_sentences:
        ids = permute_sentences(ids, tokens.ends_sentence[ids], rng)
    if c.infilled and len(ids):
        ids = _infill_share(ids, c, tokens, rng)
    if c.masked:
        ids = ids.copy()
        ids[_choose(len(ids), c.masked, rng)] = tokens.mask
    if c.deleted:
        ids = np.delete(ids, _choose(len(ids), c.deleted, rng))
    if c.rotated and len(ids) and rng.random() < c.rotated:
        ids = np.roll(ids, -int(rng.integers(len(ids))))
    return ids


def permute_sentences(ids: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put the sentences of a document (N,) into random order.

    ends: (N,), True where a token ends a sentence; of successive ones, the last does.
    """
    is_last = ends[:-1] & ~ends[1:]
    sentences = np.split(ids, np.flatnonzero(is_last) + 1)
    return np.concatenate([sentences[i] for i in rng.permutation(len(sentences))])


def draw_span_lengths(n_tokens: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    """Return lengths of spans from a Poisson distribution that add up to `n_tokens`.

    The last is shortened to fit. There are at most as many spans as tokens, so that infilling does
    not make a text longer: of more, empty ones are left out.
    """
    lengths = np.zeros(0, np.int64)
    while lengths.sum() < n_tokens:
        lengths = np.concatenate((lengths, rng.poisson(mean, n_tokens)))
    lengths = lengths[: int(np.searchsorted(lengths.cumsum(), n_tokens)) + 1]
    lengths[-1:] -= lengths.sum() - n_tokens
    n_excess = max(len(lengths) - n_tokens, 0)
    return np.delete(lengths, np.flatnonzero(lengths == 0)[:n_excess])


def infill(ids: np.ndarray, lengths: np.ndarray, mask: int, rng: np.random.Generator) -> np.ndarray:
    """Replace spans of these lengths by one mask token each; all positions are equally likely.

    ids: (N,). A span of length 0 is a mask token between two tokens.
    """
    n_kept = len(ids) - lengths.sum()
    is_span = np.zeros(n_kept + len(lengths), bool)  # the noised text: kept tokens, and spans
    is_span[rng.choice(len(is_span), len(lengths), replace=False)] = True
    widths = np.ones(len(is_span), np.int64)  # tokens of the text at each position
    widths[is_span] = lengths
    starts = widths.cumsum() - widths
    noised = np.full(len(is_span), mask, ids.dtype)
    noised[~is_span] = ids[starts[~is_span]]
    return noised


def _infill_share(
    ids: np.ndarray, c: DenoisingConfig, tokens: DenoisingTokens, rng: np.random.Generator
) -> np.ndarray:
    """Infill a share of the tokens, or of the words, of a document."""
    if tokens.words is None:
        lengths = draw_span_lengths(round(len(ids) * c.infilled), c.span_length, rng)
        return infill(ids, lengths, tokens.mask, rng)
    numbers = tokens.words.number_words(ids[None])[0]
    words = np.split(ids, np.flatnonzero(np.diff(numbers)) + 1)
    lengths = draw_span_lengths(round(len(words) * c.infilled), c.span_length, rng)
    mask, noised = np.array([tokens.mask]), infill(np.arange(len(words)), lengths, -1, rng)
    return np.concatenate([mask if i < 0 else words[i] for i in noised])


def _choose(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of a share of n tokens, rounded."""
    return rng.choice(n, round(n * share), replace=False)
