"""Authority: the same model without a cache, on every text from its first token (D3).

All holds for steps by the model's modules and for those by a graph of tensors, as it is compiled.
"""

import pytest
import torch
from torch import Tensor

from nn.samples import DECODER, batch, build_random, max_difference, small
from pellucid.errors import UsageError
from pellucid.nn.cache import KeyValueCache
from pellucid.nn.compiled_step import CompiledStep
from pellucid.nn.step_graph import StepGraph

SHAPES = {
    "post": small(),
    "pre": small(norm_place="pre", positions="learned", head_split="slice"),
    "one-head": small(n_heads=1, positions="sinusoid-halves"),
    "decoder": DECODER,
    "nowhere": small(positions="none"),
    "buckets": small(positions="buckets", n_buckets=8, max_distance=9, norm="rms", bias="none"),
}


@pytest.fixture(params=["modules", "graph"], autouse=True)
def _steps(request, monkeypatch):
    monkeypatch.setattr(Texts, "uses_graph", request.param == "graph")
    empty_like = torch.empty_like

    def fill(x: Tensor, **options) -> Tensor:  # memory that is not initialized may hold anything
        empty = empty_like(x, **options)
        return empty.fill_(torch.nan) if empty.is_floating_point() else empty

    monkeypatch.setattr(torch, "empty_like", fill)


class Texts:
    """A cache, with the source and ids that each of its rows should contain."""

    uses_graph = False

    def __init__(self, c, lengths: tuple[int, ...] = (5, 7, 1), seed: int = 0) -> None:
        self.model = build_random(c)
        if self.uses_graph:
            graph = StepGraph(self.model)
            self.model.compiled_step = CompiledStep(
                {100: {100: lambda inputs: list(graph(*inputs))}}, self.model.decoder.distances
            )
        self.source, self.keep, _ = batch(lengths, seed=seed)
        self.both = bool(c.n_encoder_layers)
        inputs = (self.source, self.keep) if self.both else (None, None)
        with torch.no_grad():
            self.cache = self.model.prefill(*inputs, len(lengths))
        self.sources = torch.arange(len(lengths))
        self.ids = torch.zeros(len(lengths), 0, dtype=torch.long)
        self.rng = torch.Generator().manual_seed(seed)

    def step(self, t: int = 1) -> None:
        """Append t random tokens to each row, and compare with no cache."""
        new = torch.randint(13, (len(self.ids), t), generator=self.rng)
        self.ids = torch.cat((self.ids, new), 1)
        with torch.no_grad():
            step = self.model.step(new, self.cache)
            states = self.uncached()[:, -t:]
            expected = self.model.heads["lm"](states)
        assert (self.cache.length, self.cache.rows) == (self.ids.shape[1], len(self.ids))
        assert step.logits.dtype == torch.float32
        assert max_difference(step.state, states) <= 1e-5
        assert max_difference(step.logits, expected) <= 1e-5

    def uncached(self) -> Tensor:
        if not self.both:
            return self.model(self.ids)
        return self.model(self.source[self.sources], self.keep[self.sources], self.ids)

    def expand(self, k: int) -> None:
        self.cache.expand(k)
        self.sources = self.sources.repeat_interleave(k)
        self.ids = self.ids.repeat_interleave(k, 0)

    def expanded(self, k: int) -> "Texts":
        self.expand(k)
        self.step()
        return self

    def reorder(self, parents: list[int]) -> None:
        self.cache.reorder(torch.tensor(parents))
        assert torch.equal(self.sources, self.sources[parents])  # the test's own duty
        self.ids = self.ids[parents]

    def keep_rows(self, rows: list[int]) -> None:
        self.cache.keep_rows(torch.tensor(rows))
        self.sources, self.ids = self.sources[rows], self.ids[rows]

    def truncate(self, n: int) -> None:
        self.cache.truncate(n)
        self.ids = self.ids[:, :n]


class Joined:
    """The cache of several `Texts`, with what each of its rows should contain."""

    def __init__(self, parts: list[Texts]) -> None:
        self.model, self.cache = parts[0].model, parts[0].cache
        self.rows = [(texts, row) for texts in parts[:1] for row in range(len(texts.ids))]
        self.ids = list(parts[0].ids)
        for texts in parts[1:]:
            self.join(texts)

    def join(self, texts: Texts) -> None:
        self.cache.join(texts.cache)
        self.rows += [(texts, row) for row in range(len(texts.ids))]
        self.ids += list(texts.ids)

    def keep_rows(self, rows: list[int]) -> None:
        self.cache.keep_rows(torch.tensor(rows))
        self.rows, self.ids = [self.rows[r] for r in rows], [self.ids[r] for r in rows]

    def step(self, t: int = 1) -> None:
        """Append t random tokens to each row, and compare each with no cache."""
        new = torch.randint(13, (len(self.ids), t))
        self.ids = [torch.cat(pair) for pair in zip(self.ids, new, strict=True)]
        with torch.no_grad():
            step = self.model.step(new, self.cache)
        assert self.cache.rows == len(self.ids)
        for (texts, row), ids, state in zip(self.rows, self.ids, step.state, strict=True):
            source = texts.sources[row]
            inputs = (texts.source[source, None], texts.keep[source, None]) if texts.both else ()
            with torch.no_grad():
                expected = self.model(*inputs, ids[None]) if texts.both else self.model(ids[None])
            assert max_difference(state, expected[0, -t:]) <= 1e-5


@pytest.mark.parametrize("name", SHAPES)
def test_every_step_past_two_growths(name):  # capacity 8, 16, 24, 32, 40
    texts = Texts(SHAPES[name], (5, 2))
    for _ in range(36):
        texts.step()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("first", [1, 7, 8, 9, 33, 40])
def test_several_tokens_at_once(name, first):  # the edges of capacity
    texts = Texts(SHAPES[name])
    texts.step(first)
    texts.step(2)
    texts.step(1)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_what_a_beam_search_does(name, late):
    texts = Texts(SHAPES[name])
    if late:
        texts.step(2)
    texts.expand(3)
    texts.step()
    texts.reorder([0, 0, 2, 5, 4, 3, 6, 6, 6])
    texts.step()
    texts.reorder([2, 1, 0, 3, 3, 3, 8, 7, 6])
    texts.step(3)
    texts.keep_rows([0, 1, 2, 6, 7, 8])  # the second source is done
    texts.step()
    texts.reorder([1, 0, 2, 3, 3, 4])
    texts.step(14)  # and grows past its capacity
    texts.keep_rows([3, 4, 5])
    texts.reorder([2, 0, 1])
    texts.step()
    texts.truncate(4)
    texts.step(2)


@pytest.mark.parametrize("name", SHAPES)
def test_rejected_tokens_leave_no_trace(name):  # as speculative decoding does
    texts = Texts(SHAPES[name])
    texts.step(10)
    texts.truncate(3)
    texts.step(1)
    texts.truncate(0)
    texts.step(20)
    texts.truncate(20)  # nothing to forget
    texts.step(1)


@pytest.mark.parametrize("name", SHAPES)
def test_texts_join_others_between_steps(name):  # as the requests to a server do
    first, second, third = (
        Texts(SHAPES[name], lengths, seed)
        for lengths, seed in (((5, 2), 0), ((9,), 1), ((1, 3), 2))
    )
    for texts, n in ((first, 12), (second, 1), (third, 3)):
        texts.expand(2)
        texts.step(n)
    running = Joined([first, second])
    running.step()
    running.join(third)
    running.step()
    running.keep_rows([5, 4, 6, 6])  # of the longest texts none is left
    running.step(9)  # and grow past the capacity
    before = running.cache.length
    running.join(Texts(SHAPES[name], (4,), 3).expanded(2))
    assert running.cache.length < before  # their padding is removed
    running.step()
    running.keep_rows([4, 5])
    running.step(2)
    running.join(Texts(SHAPES[name], (2,), 4).expanded(2))
    if running.cache.cross is not None:
        assert running.cache.cross[0].states.k.shape[2] == 4  # that of the sources too
    running.step()


@pytest.mark.parametrize("name", SHAPES)
def test_texts_join_where_others_left(name):
    first, second = Texts(SHAPES[name], (5, 2, 3), 0), Texts(SHAPES[name], (4,), 1)
    first.expand(2)
    first.step(3)
    second.expand(2)
    second.step(2)
    first.keep_rows([0, 1, 4, 5])
    running = Joined([first, second])
    running.step()
    running.step()


def test_sources_leave_before_the_first_token():
    texts = Texts(small())
    texts.expand(2)
    texts.keep_rows([2, 3])
    texts.step(2)
    texts.expand(2)
    texts.step(1)


@pytest.mark.parametrize("n", [-1, 4])
def test_truncating_to_what_was_never_there(n):
    texts = Texts(small())
    texts.step(3)
    with pytest.raises(UsageError, match=f"cannot truncate a cache of 3 tokens to {n}"):
        texts.truncate(n)
    texts.step()  # and it is unharmed


def test_memory_is_neither_copied_by_beams_nor_moved_by_reorders():  # authority: its address
    texts = Texts(small())
    texts.step()
    texts.expand(4)
    keys = texts.cache.cross[0].states.k
    assert keys.shape[0] == 3
    texts.reorder([3, 2, 1, 0, *range(4, 12)])
    assert texts.cache.cross[0].states.k.data_ptr() == keys.data_ptr()


def test_two_reorders_use_the_same_two_buffers():  # authority: their addresses
    texts = Texts(DECODER)
    texts.step()
    texts.expand(2)
    seen = set()
    for _ in range(6):
        texts.reorder([1, 0, 3, 3, 4, 5])
        seen.add(texts.cache.slots(0)[0].append(torch.zeros(6, 0, 2, 4, 4)).k.data_ptr())
    assert len(seen) == 2


def test_the_cache_follows_the_models_dtype():
    model = build_random(DECODER).double()
    cache = model.prefill(None, None, 2)
    assert isinstance(cache, KeyValueCache)
    with torch.no_grad():
        step = model.step(torch.zeros(2, 1, dtype=torch.long), cache)
    assert (step.logits.dtype, step.state.dtype) == (torch.float32, torch.float64)
