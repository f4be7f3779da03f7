"""Authorities: every possible text, counted out; a plain Python beam search; algebra."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from decoding.toys import (
    END,
    MODULUS,
    SPECIAL_IDS,
    START,
    RunningHash,
    brute_force,
    from_scratch,
    log_probs,
    norm,
    plain_search,
    random_model,
)
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.search import SpecialIds, TextLimits, search
from pellucid.errors import UsageError

SOURCE = (5, 3, 9)
NORMS = ("power", "gnmt")
STOPS = ("first_k", "exact", "current")


def run(model, config, limits, special_ids=SPECIAL_IDS, sources=(SOURCE,)):
    longest = max(map(len, sources))
    ids = torch.tensor([[*s, *[0] * (longest - len(s))] for s in sources])
    keep = torch.arange(longest) < torch.tensor([[len(s)] for s in sources])
    return search(model, model.prefill(ids, keep, len(sources)), special_ids, config, limits)


def check(actual, expected):
    """Check that texts, their order and their scores are equal."""
    assert [(h.ids, h.finished) for h in actual] == [(ids, fin) for ids, _, fin in expected]
    for h, (_, score, _) in zip(actual, expected, strict=True):
        assert h.score == pytest.approx(score, abs=2e-6)


@given(
    seed=st.integers(0, 10_000),
    vocab_size=st.integers(2, 4),
    max_length=st.integers(1, 5),
    length_norm=st.sampled_from(NORMS),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 2.5]),
    stop=st.sampled_from(STOPS[:2]),
    min_length=st.integers(0, 2),
)
def test_a_beam_as_wide_as_all_texts(
    seed, vocab_size, max_length, length_norm, alpha, stop, min_length
):
    # Authority: brute force (D8). A beam that holds everything finds the best texts there are.
    beam = vocab_size**max_length
    config = DecodingConfig(
        beam=beam,
        n_best=min(beam, 7),
        length_norm=length_norm,
        alpha=alpha,
        stop=stop,
        min_length=min(min_length, max_length - 1),
    )
    model = random_model(vocab_size, seed)
    (actual,) = run(model, config, TextLimits([max_length]))
    expected = brute_force(model, SOURCE, config, max_length)[: config.n_best]
    check(actual, expected)


@pytest.mark.parametrize("stop", STOPS)
def test_five_tokens_six_steps(stop):  # the largest case of D8
    model = random_model(5, seed=6)
    config = DecodingConfig(beam=5**6, n_best=50, stop=stop)
    special_ids = replace(SPECIAL_IDS, banned=(3,))
    (actual,) = run(model, config, TextLimits([6]), special_ids)
    check(actual, brute_force(model, SOURCE, config, 6, banned=(3,))[:50])


@given(
    seed=st.integers(0, 10_000),
    vocab_size=st.integers(2, 9),
    beam=st.integers(1, 6),
    max_length=st.integers(1, 12),
    length_norm=st.sampled_from(NORMS),
    alpha=st.sampled_from([0.0, 0.6, 1.0]),
    stop=st.sampled_from(STOPS),
    min_length=st.integers(0, 4),
    prefix=st.lists(st.integers(0, 1), max_size=3),
    first=st.booleans(),
    last=st.sampled_from([None, 0, END]),
)
def test_narrow_beams(
    seed, vocab_size, beam, max_length, length_norm, alpha, stop, min_length, prefix, first, last
):
    # Authority: the plain search, which shares no code with the package.
    config = DecodingConfig(
        beam=beam,
        n_best=max(1, beam // 2),
        length_norm=length_norm,
        alpha=alpha,
        stop=stop,
        min_length=min(min_length, max_length - 1),
    )
    banned = (START,) if vocab_size > 3 else ()
    first = vocab_size - 1 if first else None
    special_ids = SpecialIds(START, END, banned, forced_first=first, forced_last=last)
    limits = TextLimits([max_length], [[min(2 * i, vocab_size - 1) for i in prefix]])
    model = random_model(vocab_size, seed)
    (actual,) = run(model, config, limits, special_ids)
    check(actual, plain_search(model, SOURCE, config, limits, special_ids))


@pytest.mark.parametrize("length_norm", NORMS)
@pytest.mark.parametrize("stop", STOPS)
def test_when_a_source_is_done(stop, length_norm):
    # Authority: the plain search. In these models it matters often whether one more step is made:
    # stopping sooner, or a text later, changes what is found.
    for seed in range(60):
        model = random_model(5, seed)
        config = DecodingConfig(beam=3, n_best=2, stop=stop, length_norm=length_norm, alpha=1.0)
        (actual,) = run(model, config, TextLimits([12]))
        check(actual, plain_search(model, SOURCE, config, TextLimits([12])))


@pytest.mark.parametrize("beam", [1, 3, 4])
@pytest.mark.parametrize("vocab_size", [2, 4, 8])
def test_ties_go_to_the_lower_beam_and_token(beam, vocab_size):
    # Authority: the plain search, whose sort is stable; all tokens are equally likely, so that
    # every candidate of a step ties with every other.
    model = RunningHash(torch.zeros(MODULUS, vocab_size))
    for alpha in (0.0, 1.0):
        config = DecodingConfig(beam=beam, n_best=beam, alpha=alpha)
        (actual,) = run(model, config, TextLimits([4]))
        check(actual, plain_search(model, SOURCE, config, TextLimits([4])))


@given(
    seed=st.integers(0, 10_000),
    beam=st.sampled_from([1, 2, 5]),
    stop=st.sampled_from(STOPS),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=7),
)
def test_a_batch_is_its_singles(seed, beam, stop, lengths):
    # Authority: algebra (D2). Sources of a batch know nothing of each other.
    model = random_model(6, seed)
    config = DecodingConfig(beam=beam, n_best=beam, stop=stop)
    sources = [tuple(range(i, i + n)) for i, n in enumerate(lengths)]
    prefixes = [(2, 3, 4)[: n % 4] for n in lengths]
    together = run(model, config, TextLimits([n + 3 for n in lengths], prefixes), sources=sources)
    for source, n, prefix, actual in zip(sources, lengths, prefixes, together, strict=True):
        assert [actual] == run(model, config, TextLimits([n + 3], [prefix]), sources=[source])


@given(seed=st.integers(0, 10_000), beam=st.sampled_from([1, 2, 5]))
def test_memory_equals_recomputing(seed, beam):
    # Authority: the same predictions from each text's first token (D3).
    model = random_model(7, seed)
    config = DecodingConfig(beam=beam, n_best=beam)
    sources, limits = [(1, 2), (3, 4, 5), (6,)], TextLimits([9, 4, 12])
    cached = run(model, config, limits, sources=sources)
    assert cached == run(from_scratch(model), config, limits, sources=sources)


def test_finished_sources_leave_the_batch():
    # Authority: arithmetic. One row a source at first, then `beam`, and none once it is done.
    model = random_model(5, seed=1)
    model.logits[:, END] = -100.0
    run(model, DecodingConfig(beam=3), TextLimits([2, 5, 3]), sources=[(1,), (2,), (3,)])
    assert model.rows_seen == [3, 9, 6, 3, 3]
    model.rows_seen.clear()
    run(model, DecodingConfig(beam=1), TextLimits([1, 2, 4]), sources=[(1,), (2,), (3,)])
    assert model.rows_seen == [3, 2, 1, 1]


def test_exact_stops_as_soon_as_nothing_can_win():
    model = random_model(5, seed=2)
    model.logits[:, END] = 8.0  # the empty text has almost all probability
    (actual,) = run(model, DecodingConfig(beam=2, stop="exact", alpha=0.0), TextLimits([50]))
    assert actual[0].ids == ()
    assert actual[0].finished
    assert len(model.rows_seen) == 1


def test_log_probs_are_the_models():
    # Authority: the model asked again, token by token; banned tokens keep their probability.
    model = random_model(6, seed=3)
    config = DecodingConfig(beam=4, n_best=4)
    for stop_at in (3, 30):
        (actual,) = run(model, config, TextLimits([stop_at]), replace(SPECIAL_IDS, banned=(2, 4)))
        for h in actual:
            text = (*h.ids, END) if h.finished else h.ids
            expected = [log_probs(model, SOURCE, text[:i])[y] for i, y in enumerate(text)]
            assert h.token_log_probs == pytest.approx(expected, abs=2e-6)
            assert h.log_prob == pytest.approx(sum(expected), abs=5e-6)
            assert h.score == pytest.approx(sum(expected) / norm(len(text), config), abs=2e-6)
            assert not {2, 4} & set(h.ids)
            assert END not in h.ids
            assert h.finished or len(h.ids) == stop_at


def test_forced_tokens_come_first_and_cost_nothing():
    model = random_model(8, seed=4)
    special_ids = replace(SPECIAL_IDS, banned=(5,), forced_first=5)  # forced wins over banned
    prefixes = [(), (6,), (7, 7, 7)]
    sources = [(1,), (2,), (3,)]
    actual = run(model, DecodingConfig(beam=2), TextLimits([9] * 3, prefixes), special_ids, sources)
    for prefix, (best,) in zip(prefixes, actual, strict=True):
        forced = (5, *prefix)
        assert best.ids[: len(forced)] == forced
        assert best.token_log_probs[: len(forced)] == (0.0,) * len(forced)
        assert 5 not in best.ids[1:]


def test_a_prefix_longer_than_the_text_may_be():
    model = random_model(8, seed=4)
    ((best,),) = run(model, DecodingConfig(beam=2), TextLimits([2], [(4, 5, 6)]))
    assert best.ids == (4, 5)
    assert not best.finished


def test_min_length_counts_tokens_before_the_end():
    model = random_model(5, seed=5)
    model.logits[:, END] = 20.0
    for n in (0, 1, 4):
        config = DecodingConfig(beam=3, n_best=3, min_length=n)
        (actual,) = run(model, config, TextLimits([9]))
        assert min(len(h.ids) for h in actual) == n
        assert len(actual[0].ids) == n


def test_no_text_is_possible():
    model = random_model(3, seed=0)
    with pytest.raises(UsageError, match="every token is banned"):
        run(model, DecodingConfig(), TextLimits([3]), replace(SPECIAL_IDS, banned=(0, 1, 2)))
    model.logits.fill_(float("nan"))
    with pytest.raises(UsageError, match="NaN"):
        run(model, DecodingConfig(), TextLimits([3]))
