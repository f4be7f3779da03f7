"""Authority: `generate` and `stream`, which decode each call by itself."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from threading import Event

import pytest
import torch

from decoding.stepping import stepping
from decoding.toys import END, SPECIAL_IDS, random_model, random_transformer
from nn.recurrent import random_translator
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate, stream
from pellucid.decoding.search_batch import CallPart, SearchBatch
from pellucid.decoding.session import CacheSize
from pellucid.decoding.shared import SharedDecoder
from pellucid.errors import UsageError

CONFIGS = {
    "beam": DecodingConfig(beam=3, n_best=2, max_length=14),
    "other length": DecodingConfig(beam=3, max_length=6, length_norm="gnmt", min_length=4),
    "greedy": DecodingConfig(beam=1, max_length=20),
    "penalties": DecodingConfig(beam=3, max_length=9, no_repeat_ngram=2, repetition_penalty=1.3),
    "samples": DecodingConfig(method="sample", n_best=3, top_p=0.9, seed=3, max_length=12),
    "groups": DecodingConfig(beam=4, groups=2, diversity=0.5, n_best=2, max_length=8),
    "first k": DecodingConfig(beam=3, stop="first_k", batch_size=2),
}
SOURCES = [[2 + (7 * i + j) % 9 for j in range(1 + i * 5 % 7)] for i in range(5)]


def decoding(model, rows: int = 256, tokens: int = 1 << 20):
    """Run the steps of a decoder in a thread."""
    return stepping(lambda wake: SharedDecoder(model, wake, rows, tokens))


class Counting:
    """A model that performs actions before its n-th steps, in the thread that decodes."""

    def __init__(self, model, actions: Mapping[int, Callable[[], None]]) -> None:
        self.model, self.actions, self.n_steps = model, actions, 0
        self.rows_seen: list[int] = []
        self.prefill = model.prefill

    def step(self, ids, cache):
        self.n_steps += 1
        self.rows_seen.append(len(ids))
        self.actions.get(self.n_steps, lambda: None)()
        return self.model.step(ids, cache)


def start(decoder: SharedDecoder, threads: Executor, request: Request, config) -> Future:
    """Start a call in another thread, and return when it is waiting for the decoder."""
    session, is_waiting = decoder.session(), Event()
    submit = session.submit
    session.submit = lambda call: (submit(call), is_waiting.set())[0]
    result = threads.submit(session.generate, request, SPECIAL_IDS, config)
    is_waiting.wait()
    return result


@pytest.mark.parametrize("max_rows", [256, 7, 1])
@pytest.mark.parametrize("build", [random_transformer, random_translator])
def test_calls_that_come_while_others_are_decoded(build, max_rows):
    requests = [
        Request(SOURCES[i % 4 :], seed_keys=[(i, j) for j in range(5 - i % 4)]) for i in range(7)
    ]
    pairs = list(zip(requests, CONFIGS.values(), strict=True))
    results: dict[int, Future] = {}
    model = build(seed=0)

    def act(i: int) -> Callable[[], None]:
        return lambda: results.update({i: start(decoder, threads, *pairs[i])})

    counting = Counting(model, {2 * i: act(i) for i in range(1, 7)})
    with decoding(counting, max_rows) as decoder, ThreadPoolExecutor(8) as threads:
        act(0)()
        shared = [results[i].result() for i in range(7)]  # each begins before the last one ends
    for (request, config), texts in zip(pairs, shared, strict=True):
        alone = generate(model, request, SPECIAL_IDS, config)
        assert [[h.ids for h in each] for each in texts] == [[h.ids for h in e] for e in alone]
        for each, expected in zip(texts, alone, strict=True):
            assert [h.score for h in each] == pytest.approx([h.score for h in expected], abs=1e-5)
    most = 12 if max_rows == 1 else max_rows  # a source with its 3 copies or 4 beams takes its turn
    assert max(counting.rows_seen) <= most


def test_sources_wait_until_there_is_room_for_several():
    model, request = random_transformer(0), Request(SOURCES * 3)
    configs = [replace(CONFIGS["greedy"], max_length=n, batch_size=2) for n in (3, 5, 7, 11, 13)]
    counting, begun = Counting(model, {}), []

    def prefill(ids, *args):
        begun.append((counting.n_steps, len(ids)))
        return model.prefill(ids, *args)

    counting.prefill = prefill
    with decoding(counting, rows=8) as decoder, ThreadPoolExecutor(5) as threads:
        for result in [start(decoder, threads, request, config) for config in configs]:
            result.result()
    assert sum(n for _, n in begun) == 5 * len(request.sources)
    for (before, _), (now, n) in pairwise(begun[:-1]):
        assert n >= 2 or now - before > 8  # a quarter of the 8 open ones


def test_prompts_of_different_lengths():
    model = random_transformer(1, n_encoder_layers=0)
    requests = [Request([list(range(2, 3 + n))], continues_source=True) for n in (0, 11, 4, 23)]
    configs = [DecodingConfig(beam=2, max_length=8 + i) for i in range(4)]
    results: list[Future] = []

    def act(i: int) -> Callable[[], None]:
        return lambda: results.append(start(decoder, threads, requests[i], configs[i]))

    counting = Counting(model, {3 * i: act(i) for i in range(1, 4)})
    with decoding(counting) as decoder, ThreadPoolExecutor(8) as threads:
        act(0)()
        results[0].result()
        shared = [result.result() for result in results]
    for request, config, texts in zip(requests, configs, shared, strict=True):
        alone = generate(model, request, SPECIAL_IDS, config)
        assert [h.ids for h in texts[0]] == [h.ids for h in alone[0]]


def test_steps_of_a_stream_come_beside_other_calls():
    model, request = random_transformer(2), Request(SOURCES)
    config = DecodingConfig(beam=1, max_length=9)
    with decoding(model) as decoder, ThreadPoolExecutor(1) as threads:
        other = start(decoder, threads, Request(SOURCES[:2]), CONFIGS["beam"])
        steps = list(decoder.session().stream(request, SPECIAL_IDS, config))
        other.result()
    by_source = [[p for p in steps if p.source == i] for i in range(len(SOURCES))]
    alone = list(stream(model, request, SPECIAL_IDS, config))
    assert by_source == [[p for p in alone if p.source == i] for i in range(len(SOURCES))]


def test_a_cancelled_call_leaves_before_the_second_next_step():
    model = random_model(7, seed=1)
    model.logits[:, END] = -1e4  # no text ends by itself
    sessions, long = [], DecodingConfig(beam=1, max_length=40)
    counting = Counting(model, {10: lambda: sessions[0].cancel(UsageError("client is gone"))})
    with decoding(counting) as decoder, ThreadPoolExecutor(1) as threads:
        sessions.append(decoder.session())
        call = threads.submit(sessions[0].generate, Request([(3,)]), SPECIAL_IDS, long)
        with pytest.raises(UsageError, match="client is gone"):
            call.result()
        assert counting.n_steps == 10
        with pytest.raises(UsageError, match="client is gone"):  # nor does it begin anything
            sessions[0].generate(Request([(3,)]), SPECIAL_IDS, long)
        assert counting.n_steps == 10
        ((text,),) = decoder.session().generate(Request([(3,)]), SPECIAL_IDS, long)
        assert len(text.ids) == 40  # others are served


def test_an_impossible_text_is_an_error_of_its_call_alone():
    model = random_transformer(0)
    everything = replace(SPECIAL_IDS, banned=tuple(range(40)))
    with decoding(model) as decoder, ThreadPoolExecutor(1) as threads:
        good = start(decoder, threads, Request(SOURCES), CONFIGS["beam"])
        with pytest.raises(UsageError, match="no possible text"):
            decoder.session().generate(Request(SOURCES), everything, CONFIGS["beam"])
        assert len(good.result()) == len(SOURCES)


def test_a_fault_of_the_model_ends_the_calls_that_it_reads_but_no_others():
    def fail() -> None:
        raise RuntimeError("out of memory")

    counting = Counting(random_transformer(0), {4: fail})
    with decoding(counting) as decoder:
        with pytest.raises(RuntimeError, match="out of memory"):
            decoder.session().generate(Request(SOURCES), SPECIAL_IDS, CONFIGS["beam"])
        texts = decoder.session().generate(Request(SOURCES), SPECIAL_IDS, CONFIGS["beam"])
    assert len(texts) == len(SOURCES)
    assert decoder.size == CacheSize(0, 0)


def test_no_text_joins_a_batch_that_has_failed():
    decoder = SharedDecoder(random_transformer(0), lambda: None, 9, 99)
    cache = decoder.model.prefill(torch.tensor([[2]]), None, 1)
    failed, other = SearchBatch(cache, []), SearchBatch(cache, [])
    decoder._batches = [failed]
    decoder._join(other)
    assert decoder._batches == [failed, other]


def test_the_positions_of_open_texts_are_limited_with_their_padding():
    model = random_model(7, seed=1)
    model.logits[:, END] = -1e4
    config = DecodingConfig(beam=1, max_length=4)
    counting = Counting(model, {})
    with decoding(counting, tokens=15) as decoder:  # of 5 each: a source and 4 tokens
        texts = decoder.session().generate(Request([(3,)] * 9), SPECIAL_IDS, config)
        assert max(counting.rows_seen) == 3
        assert texts == generate(model, Request([(3,)] * 9), SPECIAL_IDS, config)
        counting.rows_seen.clear()
        decoder.session().generate(Request([(3,) * 4, *[(3,)] * 8]), SPECIAL_IDS, config)
        assert max(counting.rows_seen[:4]) == 1  # of 8: two would be 16


def test_nothing_to_search_for():
    with decoding(random_transformer(0)) as decoder:
        assert decoder.session().generate(Request([]), SPECIAL_IDS, CONFIGS["beam"]) == []
        texts = decoder.session().generate(Request(SOURCES), SPECIAL_IDS, CONFIGS["beam"])
        assert len(texts) == len(SOURCES)
    assert not decoder.has_work


def test_a_stream_that_is_left_ends_for_the_decoder_too():
    model = random_model(7, seed=1)
    model.logits[:, END] = -1e4
    decoder = SharedDecoder(model, lambda: None, 9, 99)
    session = decoder.session()
    with ThreadPoolExecutor(1) as threads:
        config = DecodingConfig(beam=1, max_length=40)
        steps = session.stream(Request([(3,)]), SPECIAL_IDS, config)
        first = threads.submit(next, steps)
        while not first.done():
            decoder.step()
        steps.close()
        decoder.step()
    assert not decoder.has_work


def test_a_mistake_in_what_one_call_brings_is_its_own():
    def fails(ids) -> bool:
        raise ValueError("stop")

    model = random_transformer(0)
    with decoding(model) as decoder, ThreadPoolExecutor(1) as threads:
        good = start(decoder, threads, Request(SOURCES), CONFIGS["beam"])
        bad = Request(SOURCES, is_stopped=fails)
        with pytest.raises(ValueError, match="stop"):
            decoder.session().generate(bad, SPECIAL_IDS, CONFIGS["beam"])
        assert len(good.result()) == len(SOURCES)


def test_no_call_waits_for_all_texts_of_an_earlier_one():
    model = random_model(7, seed=1)
    model.logits[:, END] = -1e4
    config = DecodingConfig(beam=1, max_length=4)
    counting = Counting(model, {})
    with decoding(counting, rows=2) as decoder, ThreadPoolExecutor(1) as threads:
        many = start(decoder, threads, Request([(3,)] * 50), config)
        decoder.session().generate(Request([(4,)]), SPECIAL_IDS, config)
        assert not many.done()
        many.result()


def check_all_calls_fail(decoder: SharedDecoder, error: type[Exception]) -> None:
    """A step of two calls raises an error of ours, which both learn of."""
    with ThreadPoolExecutor(2) as threads:
        calls = [start(decoder, threads, Request(SOURCES), CONFIGS["beam"]) for _ in range(2)]
        with pytest.raises(error, match="a mistake"):
            decoder.step()
        for call in calls:
            with pytest.raises(RuntimeError, match="the decoder failed"):
                call.result(10)
    assert not decoder.has_work


@pytest.mark.parametrize("n", [2, 3])  # the first steps of sources, and one that follows
def test_an_error_of_ours_ends_all_calls_and_is_raised(n):
    def fail() -> None:
        raise TypeError("a mistake")

    model = Counting(random_transformer(0), {n - 1: fail})
    decoder = SharedDecoder(model, lambda: None, 3, 99)
    check_all_calls_fail(decoder, TypeError)


def test_an_error_of_ours_in_one_search_ends_the_calls_beside_it_too(monkeypatch):
    take, n_taken = CallPart.take, 0

    def fail(part: CallPart, candidates):
        nonlocal n_taken
        n_taken += 1
        if n_taken == 4:  # of two calls, the second step of the second one
            raise OverflowError("a mistake")
        return take(part, candidates)

    monkeypatch.setattr(CallPart, "take", fail)
    decoder = SharedDecoder(random_transformer(0), lambda: None, 256, 1 << 20)
    check_all_calls_fail(decoder, OverflowError)


def test_closing_ends_the_calls_of_now_and_later():
    decoder = SharedDecoder(random_transformer(0), lambda: None, 3, 99)
    with ThreadPoolExecutor(3) as threads:
        calls = [start(decoder, threads, Request(SOURCES), CONFIGS["beam"]) for _ in range(2)]
        decoder.step()
        decoder.close()
        calls.append(start(decoder, threads, Request(SOURCES), CONFIGS["beam"]))
        for call in calls:
            with pytest.raises(RuntimeError, match="the decoder is closed"):
                call.result()
