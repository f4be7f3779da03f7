"""The decoding loop: from a filled cache, one step per token until all texts have ended."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.search_state import Hypothesis, Limits, SearchState, SpecialIds
from pellucid.decoding.token_selection import build_selector
from pellucid.decoding.top_k import Candidates
from pellucid.nn.cache import Cache, Decoder

__all__ = ["Hypothesis", "Limits", "SpecialIds", "device_of", "search", "search_steps"]


def search(
    model: Decoder, cache: Cache, special_ids: SpecialIds, config: DecodingConfig, limits: Limits
) -> list[list[Hypothesis]]:
    """Return the n best texts of each source in the cache, best first.

    cache: as `prefill` returns it, one row for each source; it is modified.
    Raises: UsageError if no text is possible.
    """
    *_, state = search_steps(model, cache, special_ids, config, limits)
    return state.hypotheses()


@torch.inference_mode()
def search_steps(
    model: Decoder, cache: Cache, special_ids: SpecialIds, config: DecodingConfig, limits: Limits
) -> Iterator[SearchState]:
    """Search as `search` does, but yield the state after each step."""
    if not limits.prompts:
        limits = replace(limits, prompts=[(special_ids.start,)] * cache.rows)
    forced = forced_ids(special_ids, limits)
    longest_forced = max(map(len, forced))
    state = SearchState(config, special_ids.end, limits)
    device = device_of(model)
    k, n_sources = 1, cache.rows
    tokens = np.array([[prompt[-1]] for prompt in limits.prompts])
    scores = np.zeros((n_sources, 1), dtype=np.float32)
    choose = build_selector(config, special_ids, limits, device)
    for t in range(max(limits.max_lengths)):
        ids = _tensor(tokens, device).view(-1, 1)  # (rows, 1)
        logits = model.step(ids, cache).logits[:, -1]  # (rows, V)
        candidates = choose(logits, _tensor(scores, device), state)
        if t < longest_forced or (
            t + 1 >= state.shortest_limit and special_ids.forced_last is not None
        ):
            tokens_at = [
                forced_at(forced[s], special_ids, limits.max_lengths[s], t)
                for s in state.active.tolist()
            ]
            _force_tokens(candidates, scores, tokens_at)
        stay, parents, tokens, scores = state.advance(candidates)
        yield state
        if not len(stay):
            break
        _update_cache(cache, k, stay, parents, device)
        k = config.width


def device_of(model: object) -> torch.device:
    """Return the device of a model's first parameter; the CPU if it has none."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((p.device for p in parameters), torch.device("cpu"))


def forced_ids(special_ids: SpecialIds, limits: Limits) -> list[tuple[int, ...]]:
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


def _force_tokens(candidates: Candidates, scores: np.ndarray, forced: list[int | None]) -> None:
    """Replace the candidates of sources with a forced token by that token; scores stay equal."""
    k = scores.shape[1]
    for row, token in enumerate(forced):
        if token is not None:
            candidates.values[row] = -np.inf
            candidates.values[row, :k] = scores[row]
            candidates.parents[row, :k] = np.arange(k)
            candidates.tokens[row] = token


def _update_cache(
    cache: Cache, k: int, stay: np.ndarray, parents: np.ndarray, device: torch.device
) -> None:
    """Reorder a cache of k rows for each source so that its rows are the open texts."""
    beam = parents.shape[1]
    # At the first step each source has one row, which all its texts continue.
    rows = stay if k < beam else (stay[:, None] * k + parents).ravel()
    if len(rows) < cache.rows:
        cache.keep_rows(_tensor(rows, device))
    elif (rows != np.arange(len(rows))).any():
        cache.reorder(_tensor(rows, device))
    if k < beam:
        cache.expand(beam)


def _tensor(x: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).to(device)
