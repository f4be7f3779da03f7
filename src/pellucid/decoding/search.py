"""The decoding loop: from a filled cache, one step per token until all texts have ended."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.search_state import Hypothesis, SearchState, SpecialIds, TextLimits
from pellucid.decoding.token_selection import build_selector
from pellucid.decoding.top_k import Candidates
from pellucid.nn.cache import Cache, Decoder

__all__ = ["Hypothesis", "SpecialIds", "TextLimits", "device_of", "search", "search_steps"]


def search(
    model: Decoder,
    cache: Cache,
    special_ids: SpecialIds,
    config: DecodingConfig,
    limits: TextLimits,
) -> list[list[Hypothesis]]:
    """Return the n best texts of each source in the cache, best first.

    cache: as `prefill` returns it, one row for each source; it is modified.
    Raises: UsageError if no text is possible.
    """
    *_, state = search_steps(model, cache, special_ids, config, limits)
    return state.hypotheses()


@torch.inference_mode()
def search_steps(
    model: Decoder,
    cache: Cache,
    special_ids: SpecialIds,
    config: DecodingConfig,
    limits: TextLimits,
) -> Iterator[SearchState]:
    """Search as `search` does, but yield the state after each step."""
    device = device_of(model)
    current = Search(special_ids, config, limits, device)
    while not current.is_done:
        logits = model.step(_tensor(current.tokens, device).view(-1, 1), cache).logits[:, -1]
        k, rows = current.width, current.take(current.choose(logits, current.scores))
        yield current.state
        if not current.is_done:
            update_cache(cache, k, rows, device)


class Search:
    """The search for the texts of a batch of sources, given the logits of a model step by step."""

    def __init__(
        self,
        special_ids: SpecialIds,
        config: DecodingConfig,
        limits: TextLimits,
        device: torch.device,
    ) -> None:
        """device: that of the logits."""
        n_sources = len(limits.max_lengths)
        if not limits.prompts:
            limits = replace(limits, prompts=[(special_ids.start,)] * n_sources)
        self.state = SearchState(config, special_ids.end, limits)
        self.tokens = np.array([[prompt[-1]] for prompt in limits.prompts])
        """(B, k), what the model reads next: the last token of each open text."""
        self.scores = np.zeros((n_sources, 1), dtype=np.float32)
        """(B, k), log-probability of each open text."""
        self._choose = build_selector(config, special_ids, limits, device)
        self._forced = forced_ids(special_ids, limits)
        self._n_forced = max(map(len, self._forced))
        self._special_ids, self._limits, self._device = special_ids, limits, device

    @property
    def is_done(self) -> bool:
        """Whether all texts have ended."""
        return not len(self.state.active)

    @property
    def width(self) -> int:
        """The number of open texts of each source: 1 before the first step."""
        return self.tokens.shape[1]

    def choose(self, logits: Tensor, scores: np.ndarray) -> Candidates:
        """Return candidates to continue each source, given logits (B * k, V), scores (B, k)."""
        return self._choose(logits, _tensor(scores, self._device), self.state)

    @property
    def shared_key(self) -> tuple | None:
        """Equal for searches that choose the same, given logits and scores; None: they do not."""
        return self._choose.shared_key(len(self.state.steps))

    def take(self, candidates: Candidates) -> np.ndarray:
        """Continue or end each open text.

        Return the rows (B, k) of the model's cache that the texts which stay open continue.
        """
        self._force_tokens(candidates)
        k = self.width
        stay, parents, self.tokens, self.scores = self.state.advance(candidates)
        return stay[:, None] * k + parents

    def _force_tokens(self, candidates: Candidates) -> None:
        """Replace the candidates of sources with a forced token; their scores stay equal."""
        n, state, special_ids = len(self.state.steps), self.state, self._special_ids
        is_last = n + 1 >= state.shortest_limit and special_ids.forced_last is not None
        if n >= self._n_forced and not is_last:
            return
        k = self.width
        for row, source in enumerate(state.active.tolist()):
            limit = self._limits.max_lengths[source]
            token = forced_at(self._forced[source], special_ids, limit, n)
            if token is not None:
                candidates.values[row] = -np.inf
                candidates.values[row, :k] = self.scores[row]
                candidates.parents[row, :k] = np.arange(k)
                candidates.tokens[row] = token


def choose_all(searches: Sequence[Search], logits: Tensor) -> list[Candidates]:
    """Return the candidates of each search, given the logits of all, in their order.

    Neighbors that choose alike do it in one call. They have the same number of open texts.
    """
    chosen, row = [], 0
    for key, group in groupby(searches, lambda search: search.shared_key):
        alike = list(group)
        for part in [alike] if key is not None else [[search] for search in alike]:
            scores = np.concatenate([search.scores for search in part])
            candidates = part[0].choose(logits[row : row + scores.size], scores)
            row, first = row + scores.size, 0
            for search in part:
                end = first + len(search.tokens)
                chosen.append(Candidates(*(x[first:end] for x in candidates)))
                first = end
    return chosen


def device_of(model: object) -> torch.device:
    """Return the device of a model's first parameter; the CPU if it has none."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((p.device for p in parameters), torch.device("cpu"))


def forced_ids(special_ids: SpecialIds, limits: TextLimits) -> list[tuple[int, ...]]:
    """Return the ids that each text must begin with."""
    first = () if special_ids.forced_first is None else (special_ids.forced_first,)
    prefixes = limits.prefixes or [()] * len(limits.max_lengths)
    assert len(prefixes) == len(limits.max_lengths)
    return [(*first, *prefix) for prefix in prefixes]


def forced_at(
    forced: Sequence[int], special_ids: SpecialIds, max_length: int, n: int
) -> int | None:
    """Return the token that must follow n others, or None. forced: as of `forced_ids`."""
    if n + 1 == max_length and special_ids.forced_last is not None:
        return special_ids.forced_last
    return forced[n] if n < len(forced) else None


def update_cache(cache: Cache, k: int, rows: np.ndarray, device: torch.device) -> None:
    """Reorder a cache of k rows for each source so that its rows are the open texts.

    rows: as of `Search.take`.
    """
    width = rows.shape[1]
    # At the first step each source has one row, which all its texts continue.
    parents = rows[:, 0] if k < width else rows.ravel()
    if len(parents) < cache.rows:
        cache.keep_rows(_tensor(parents, device))
    elif (parents != np.arange(len(parents))).any():
        cache.reorder(_tensor(parents, device))
    if k < width:
        cache.expand(width)


def _tensor(x: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).to(device)
