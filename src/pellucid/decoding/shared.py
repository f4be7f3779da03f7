"""Continuous batching: calls of several threads share the steps of one decoder.

The texts of a call join between two steps, and leave as soon as they have ended (Yu et al. 2022,
Orca, section 4.1). Each is searched as in `generate`, so results do not depend on the others.
"""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch

from pellucid.decoding.generate import last_piece, start_cache
from pellucid.decoding.search import Search, device_of, update_cache
from pellucid.decoding.search_state import Hypothesis
from pellucid.decoding.session import Call, Session, Size, sum_sizes
from pellucid.errors import PellucidError
from pellucid.nn.cache import Cache, Decoder, KeyValueCache

FAULTS = (PellucidError, RuntimeError, MemoryError)
"""Errors of a model: of its input, of torch (out of memory among them), of memory."""


class _Part:
    """Sources of a call that are searched together."""

    def __init__(self, call: Call, chosen: Sequence[int], search: Search) -> None:
        """chosen: the number in the call of each source of the search."""
        self.call, self.chosen, self.search = call, chosen, search
        self.ended: dict[int, list[Hypothesis]] = {}  # by source of the search

    @property
    def size(self) -> Size:
        """What its open texts need of the cache after the first step."""
        sources = self.search.state.active.tolist()
        return sum_sizes(self.call.size(self.chosen[source], copies=1) for source in sources)

    def advance(self, logits: torch.Tensor) -> np.ndarray:
        """Continue the search, and send what changed. Return the rows (B, k) as the search does."""
        state = self.search.state
        before = state.active.tolist()
        rows = self.search.advance(logits)
        if self.call.in_pieces:
            for source in before:
                piece = last_piece(state, source)
                self.call.replies.put(piece._replace(source=self.chosen[source]))
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


class _Batch:
    """Parts whose texts take their steps together, as the rows of one cache."""

    def __init__(self, cache: Cache, part: _Part) -> None:
        self.cache, self.parts = cache, [part]

    @property
    def width(self) -> int:
        """The number of open texts of each source."""
        return self.parts[0].search.width

    def join(self, other: "_Batch") -> bool:
        """Append the parts of another batch, if that is possible."""
        caches = self.cache, other.cache
        if self.width != other.width or not all(isinstance(c, KeyValueCache) for c in caches):
            return False
        self.cache.join(other.cache)  # pyright: ignore[reportAttributeAccessIssue]
        self.parts += other.parts
        return True

    def step(self, model: Decoder, device: torch.device) -> None:
        """Add a token to each text, and drop the parts that have ended."""
        k, parts = self.width, self.parts
        tokens = [torch.from_numpy(part.search.tokens).reshape(-1, 1) for part in parts]
        logits = model.step(torch.cat(tokens).to(device), self.cache).logits[:, -1]
        kept, self.parts, start = [], [], 0
        for part, ids in zip(parts, tokens, strict=True):
            if not part.call.is_over():
                try:
                    kept.append(start + part.advance(logits[start : start + len(ids)]))
                    self.parts.append(part)
                except PellucidError as error:
                    part.call.fail(error)
            start += len(ids)
        self.parts = [part for part in self.parts if not part.search.is_done]
        if self.parts:
            update_cache(self.cache, k, np.concatenate(kept), device)

    def fail(self, error: Exception) -> None:
        """End all calls with an error."""
        for part in self.parts:
            part.call.fail(error)
        self.parts = []


class SharedDecoder:
    """A decoder, the calls that wait for it, and the batches of open texts.

    Calls come from any thread; `step` is called by one.
    """

    def __init__(self, model: Decoder, wake: Callable[[], None], most: Size) -> None:
        """wake: called when there is work. most: size of all open texts at a time."""
        self.model, self.most, self._wake = model, most, wake
        self._device = device_of(model)
        self._waiting: deque[Call] = deque()
        self._batches: list[_Batch] = []
        self._is_closed = False

    def session(self) -> Session:
        """Return a session whose calls this decoder serves."""
        return Session(self.model, self._submit, self._wake)

    @property
    def size(self) -> Size:
        """What the open texts need of the cache."""
        return sum_sizes(part.size for batch in self._batches for part in batch.parts)

    @property
    def has_work(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._batches or self._waiting)

    @torch.inference_mode()
    def step(self) -> None:
        """Let waiting texts join, then add a token to each open one.

        Faults of the model end the calls that it was reading. Any other error ends all calls, and
        is raised.
        """
        try:
            for _ in range(len(self._waiting)):
                if not self._admit(self._waiting.popleft()):
                    break
            for batch in self._batches:
                self._step(batch)
        except BaseException as error:
            self._end_calls(RuntimeError(f"the decoder failed ({type(error).__name__})"))
            raise
        self._batches = [batch for batch in self._batches if batch.parts]

    def close(self) -> None:
        """End all calls, those that come later too. Called by the thread of `step`."""
        self._is_closed = True
        self._end_calls(RuntimeError("the decoder is closed"))

    def _submit(self, call: Call) -> None:
        self._waiting.append(call)
        if self._is_closed:  # after the line above: one of both threads ends the call
            call.fail(RuntimeError("the decoder is closed"))
        else:
            self._wake()

    def _admit(self, call: Call) -> bool:
        """Start as many sources of a call as there is room for. Return whether there was any."""
        if call.is_over() or not call.waiting:
            return True
        chosen, size = [], self.size
        while call.waiting and len(chosen) < call.config.batch_size:
            size = sum_sizes([size, call.size(call.waiting[0], call.config.copies)])
            exceeds = size.rows > self.most.rows or size.tokens > self.most.tokens
            if exceeds and (chosen or self._batches):  # a source that needs more than all is alone
                break
            chosen.append(call.waiting.popleft())
        if not chosen:
            self._waiting.appendleft(call)
            return False
        batch = self._start(call, [i for i in chosen for _ in range(call.config.copies)])
        if batch is not None and not any(other.join(batch) for other in self._batches):
            self._batches.append(batch)
        if call.waiting:
            self._waiting.append(call)  # after those that came later, so that none waits for all
        return True

    def _start(self, call: Call, chosen: list[int]) -> "_Batch | None":
        """Return a batch of sources after their first step, or None if none is open."""
        try:
            cache, limits = start_cache(
                self.model, call.request, call.special_ids, call.config, chosen
            )
        except FAULTS as error:
            call.fail(error)
            return None
        search = Search(call.special_ids, call.config, limits, self._device)
        batch = _Batch(cache, _Part(call, chosen, search))
        self._step(batch)
        return batch if batch.parts else None

    def _step(self, batch: _Batch) -> None:
        try:
            batch.step(self.model, self._device)
        except FAULTS as error:
            batch.fail(error)

    def _end_calls(self, error: Exception) -> None:
        for batch in self._batches:
            batch.fail(error)
        self._batches = []
        while self._waiting:
            self._waiting.popleft().fail(error)
