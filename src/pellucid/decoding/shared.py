"""Continuous batching: calls of several threads share the steps of one decoder.

The texts of a call join between two steps, and leave as soon as they have ended (Yu et al. 2022,
Orca, section 4.1). Each is searched as in `generate`, so results do not depend on the others.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from pellucid.decoding.generate import build_limits, fill_cache, rows_to_read
from pellucid.decoding.search import Search, device_of
from pellucid.decoding.search_batch import CallPart, SearchBatch
from pellucid.decoding.session import CacheSize, Call, Session, join_sizes
from pellucid.errors import PellucidError
from pellucid.nn.cache import Decoder

MODEL_ERRORS = (PellucidError, RuntimeError, MemoryError, IndexError)
"""Errors that a model raises: of its input, of torch (out of memory among them), of memory."""

ADMISSION_SHARE, ADMISSION_STEPS = 4, 8
"""Waiting sources join when those that fit are a quarter of the open ones, or after 8 steps. To
read sources and to join the caches takes as long as a step or two, for one source as for many."""


class _Start(NamedTuple):
    """Sources of a call that are to be read."""

    call: Call
    chosen: list[int]


class SharedDecoder:
    """A decoder, the calls that wait for it, and the batches of open texts.

    Calls come from any thread; `step` is called by one.
    """

    def __init__(
        self, model: Decoder, wake: Callable[[], None], max_rows: int, max_tokens: int
    ) -> None:
        """wake: called when there is work.

        max_rows: texts that are open at a time. max_tokens: positions of their caches, padding
        included. A source that needs more than this by itself is decoded without others.
        """
        self.model, self.max_rows, self.max_tokens, self._wake = model, max_rows, max_tokens, wake
        self._device = device_of(model)
        self._waiting: deque[Call] = deque()
        self._starting: list[Call] = []
        self._batches: list[SearchBatch] = []
        self._n_steps = 0  # since calls were admitted
        self._is_closed = False

    def session(self) -> Session:
        """Return a session whose calls this decoder serves."""
        return Session(self.model, self._submit, self._wake)

    @property
    def size(self) -> CacheSize:
        """What the open texts need of the cache."""
        return join_sizes(part.size for batch in self._batches for part in batch.parts)

    @property
    def has_work(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._batches or self._waiting)

    @torch.inference_mode()
    def step(self) -> None:
        """Let waiting texts join, then add a token to each open one.

        An error of the model ends the calls that it was reading. Any other error ends all calls,
        and is raised.
        """
        try:
            self._admit()
            for batch in self._batches:
                self._step(batch)
        except BaseException as error:
            failure = RuntimeError(f"the decoder failed ({type(error).__name__})")
            failure.__cause__ = error
            self._end_calls(failure)
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

    def _admit(self) -> None:
        """Start the sources of waiting calls that there is room for."""
        self._n_steps += 1
        for _ in range(len(self._waiting)):  # others are appended meanwhile
            call = self._waiting.popleft()
            if call.waiting and not call.is_over():
                self._waiting.append(call)
        if not self._waiting:
            return
        size = self.size
        n_open = sum(part.n_open for batch in self._batches for part in batch.parts)
        enough = -(-n_open // ADMISSION_SHARE)
        if self._n_steps < ADMISSION_STEPS and self._count_fitting(size, enough) < enough:
            return
        self._n_steps = 0
        starting: dict[int, list[_Start]] = {}  # by the width of the search
        while self._waiting:
            call = self._waiting.popleft()
            self._starting.append(call)
            chosen, size = self._choose_sources(call, size)
            if not chosen:  # no call that came later and needs less may overtake it
                self._waiting.appendleft(self._starting.pop())
                break
            starting.setdefault(call.config.width, []).append(_Start(call, chosen))
        self._waiting += [call for call in self._starting if call.waiting]  # after the others
        for starts in starting.values():
            for batch in self._start(starts):
                self._join(batch)
        self._starting = []

    def _join(self, batch: SearchBatch) -> None:
        """Append a batch to one that is open, if there is one of its kind."""
        for other in self._batches:
            if other.parts and other.can_join(batch):  # it has none after an error
                try:
                    other.join(batch)
                except MODEL_ERRORS as error:  # out of memory
                    other.fail(error)
                    batch.fail(error)
                return
        self._batches.append(batch)

    def _count_fitting(self, size: CacheSize, enough: int) -> int:
        """Return how many waiting sources there is room for, at most `enough`.

        size: of what is open.
        """
        n = 0
        for call in tuple(self._waiting):
            for source in tuple(call.waiting):
                size = size.joined_with(call.size(source, call.config.copies))
                if n == enough or not self._fits(size):
                    return n
                n += 1
        return n

    def _fits(self, size: CacheSize) -> bool:
        return size.rows <= self.max_rows and size.tokens <= self.max_tokens

    def _choose_sources(self, call: Call, size: CacheSize) -> tuple[list[int], CacheSize]:
        """Take sources of a call for which there is room. size: of what is open. Return it too."""
        chosen = []
        while call.waiting and len(chosen) < call.config.batch_size:
            larger = size.joined_with(call.size(call.waiting[0], call.config.copies))
            if size.rows and not self._fits(larger):
                break
            chosen.append(call.waiting.popleft())
            size = larger
        return chosen, size

    def _start(self, starts: Sequence[_Start]) -> list[SearchBatch]:
        """Read the sources of some calls, and return them as batches after their first step."""
        parts, rows = [], []
        for call, chosen in starts:
            copied = [i for i in chosen for _ in range(call.config.copies)]
            limits = build_limits(call.request, call.special_ids, call.config, copied)
            search = Search(call.special_ids, call.config, limits, self._device)
            parts.append(CallPart(call, copied, search))
            rows += rows_to_read(call.request, limits, copied)
        try:
            cache = fill_cache(self.model, rows, starts[0].call.request)
        except MODEL_ERRORS as error:
            if len(starts) > 1:  # it may be the fault of one
                return [batch for start in starts for batch in self._start([start])]
            starts[0].call.fail(error)
            return []
        batch = SearchBatch(cache, parts)
        self._step(batch)
        return [batch] if batch.parts else []

    def _step(self, batch: SearchBatch) -> None:
        try:
            batch.step(self.model, self._device)
        except MODEL_ERRORS as error:
            batch.fail(error)

    def _end_calls(self, error: Exception) -> None:
        for batch in self._batches:
            batch.fail(error)
        for call in self._starting:
            call.fail(error)
        self._batches, self._starting = [], []
        while self._waiting:
            self._waiting.popleft().fail(error)
