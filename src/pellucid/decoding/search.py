"""One loop for greedy and beam search: prefill, then step after step until all texts have ended."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ledger import Hypothesis, Ledger, Limits
from pellucid.decoding.top_k import Candidates, best_continuations
from pellucid.nn.cache import Cache, Decoder

__all__ = ["Hypothesis", "Limits", "Vocabulary", "device_of", "search"]


@dataclass(frozen=True)
class Vocabulary:
    """The ids that a search must know."""

    start: int
    """What the decoder reads first."""
    end: int
    banned: tuple[int, ...] = ()
    """Never chosen. Log-probabilities are of the full softmax: the others do not gain by it."""
    forced_first: int | None = None
    """What every text begins with (a language code)."""


@torch.inference_mode()
def search(
    model: Decoder, cache: Cache, vocabulary: Vocabulary, config: DecodingConfig, limits: Limits
) -> list[list[Hypothesis]]:
    """The n best texts of each source in the cache, best first.

    The cache comes fresh from `prefill`, one row a source; it is used up.
    Raises: UsageError if no text is possible.
    """
    forced = _forced(vocabulary, limits)
    longest_forced = max(map(len, forced))
    book = Ledger(config, vocabulary.end, limits)
    device = device_of(model)
    k, n_sources = 1, cache.rows
    tokens = np.full((n_sources, 1), vocabulary.start)
    scores = np.zeros((n_sources, 1), dtype=np.float32)
    banned = torch.tensor(vocabulary.banned, dtype=torch.int64, device=device)
    no_end = torch.tensor((*vocabulary.banned, vocabulary.end), device=device)
    for t in range(max(limits.max_lengths)):
        ids = _tensor(tokens, device).view(-1, 1)  # (rows, 1)
        logits = model.step(ids, cache).logits[:, -1]  # (rows, V)
        excluded = banned if t >= config.min_length else no_end
        found = best_continuations(logits, _tensor(scores, device), excluded, 2 * config.beam)
        if t < longest_forced:
            _force(found, scores, [forced[s] for s in book.active], t)
        stay, parents, tokens, scores = book.advance(found)
        if not len(stay):
            break
        _follow(cache, k, stay, parents, device)
        k = config.beam
    return book.hypotheses()


def device_of(model: object) -> torch.device:
    """Where a model's first parameter is; the CPU for a model without any."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((p.device for p in parameters), torch.device("cpu"))


def _forced(vocabulary: Vocabulary, limits: Limits) -> list[tuple[int, ...]]:
    first = () if vocabulary.forced_first is None else (vocabulary.forced_first,)
    prefixes = limits.prefixes or [()] * len(limits.max_lengths)
    assert len(prefixes) == len(limits.max_lengths)
    return [(*first, *prefix) for prefix in prefixes]


def _force(found: Candidates, scores: np.ndarray, forced: list[tuple[int, ...]], t: int) -> None:
    """Leave a source that must say a certain token that one candidate, at no cost."""
    for row, ids in enumerate(forced):
        if t < len(ids):
            found.values[row] = -np.inf
            found.values[row, 0] = scores[row, 0]
            found.parents[row] = 0
            found.tokens[row] = ids[t]


def _follow(
    cache: Cache, k: int, stay: np.ndarray, parents: np.ndarray, device: torch.device
) -> None:
    """Bring a cache of k rows a source to where the open texts are."""
    beam = parents.shape[1]
    # At the first step each source has one row, and all its texts continue it.
    rows = stay if k < beam else (stay[:, None] * k + parents).ravel()
    if len(rows) < cache.rows:
        cache.keep_rows(_tensor(rows, device))
    elif (rows != np.arange(len(rows))).any():
        cache.reorder(_tensor(rows, device))
    if k < beam:
        cache.expand(beam)


def _tensor(x: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).to(device)
