"""Searches of several calls that take their steps in one cache."""

from collections.abc import Sequence

import numpy as np
import torch

from pellucid.decoding.generate import read_new_ids
from pellucid.decoding.search import Search, choose_all, update_cache
from pellucid.decoding.search_state import Hypothesis
from pellucid.decoding.session import CacheSize, Call, join_sizes
from pellucid.decoding.top_k import Candidates
from pellucid.errors import PellucidError
from pellucid.nn.cache import Cache, Decoder, KeyValueCache

TEXT_ERRORS = (PellucidError, ValueError, LookupError, TypeError)
"""Errors of the functions that a call brings, such as the one that looks for its stop strings."""


class CallPart:
    """Part of a call: sources that are searched together."""

    def __init__(self, call: Call, chosen: Sequence[int], search: Search) -> None:
        """chosen: the number in the call of each source of the search."""
        self.call, self.chosen, self.search = call, chosen, search
        self.ended: dict[int, list[Hypothesis]] = {}  # by source of the search

    @property
    def n_open(self) -> int:
        """The number of sources whose texts are open."""
        return len(self.search.state.active)

    @property
    def size(self) -> CacheSize:
        """The size of a cache for its open texts."""
        sources = self.search.state.active.tolist()
        return join_sizes(self.call.size(self.chosen[source], copies=1) for source in sources)

    def take(self, candidates: Candidates) -> np.ndarray:
        """Continue the search, and send what changed. Return the rows (B, k) as the search does."""
        state = self.search.state
        before = state.active.tolist()
        rows = self.search.take(candidates)
        if self.call.is_streamed:
            for source in before:
                new = read_new_ids(state, source)
                self.call.replies.put(new._replace(source=self.chosen[source]))
        else:
            for source in set(before) - set(state.active.tolist()):
                self.ended[source] = state.best_hypotheses(source)
                self._send_if_complete(source)
        return rows

    def _send_if_complete(self, source: int) -> None:
        """Send the texts of a source if all its copies have ended."""
        copies = self.call.config.copies
        first = source - source % copies
        if all(copy in self.ended for copy in range(first, first + copies)):
            texts = [text for copy in range(first, first + copies) for text in self.ended.pop(copy)]
            self.call.replies.put((self.chosen[first], texts))


class SearchBatch:
    """Parts of calls whose texts take their steps together, as the rows of one cache."""

    def __init__(self, cache: Cache, parts: list[CallPart]) -> None:
        self.cache, self.parts = cache, parts

    @property
    def width(self) -> int:
        """The number of open texts of each source."""
        return self.parts[0].search.width

    def can_join(self, other: "SearchBatch") -> bool:
        """Return whether another batch can be appended: its sources have as many rows each."""
        caches = self.cache, other.cache
        return self.width == other.width and all(isinstance(c, KeyValueCache) for c in caches)

    def join(self, other: "SearchBatch") -> None:
        """Append the parts of another batch."""
        self.cache.join(other.cache)  # pyright: ignore[reportAttributeAccessIssue]
        self.parts += other.parts

    def step(self, model: Decoder, device: torch.device) -> None:
        """Add a token to each text, and drop the parts that have ended."""
        k, parts = self.width, self.parts
        tokens = [torch.from_numpy(part.search.tokens).reshape(-1, 1) for part in parts]
        logits = model.step(torch.cat(tokens).to(device), self.cache).logits[:, -1]
        chosen = choose_all([part.search for part in parts], logits)
        kept, open_parts, start = [], [], 0
        for part, ids, candidates in zip(parts, tokens, chosen, strict=True):
            if not part.call.is_over():
                try:
                    kept.append(start + part.take(candidates))
                    open_parts.append(part)
                except TEXT_ERRORS as error:
                    part.call.fail(error)
            start += len(ids)
        # Not before: `fail` must reach all parts after an error that is not caught here.
        self.parts = [part for part in open_parts if not part.search.is_done]
        if self.parts:
            update_cache(self.cache, k, np.concatenate(kept), device)

    def fail(self, error: Exception) -> None:
        """End all calls with an error."""
        for part in self.parts:
            part.call.fail(error)
        self.parts = []
