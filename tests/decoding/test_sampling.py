"""Authorities: the model's own probabilities, counted in many draws; each text alone."""

import math
from dataclasses import replace

import pytest
import torch

from decoding.toys import END, SPECIAL_IDS, START, log_probs, random_model
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.processors import no_repeat_ngram, repetition_penalty
from pellucid.decoding.search_state import NO_TOKEN
from pellucid.decoding.token_selection import sample_tokens
from pellucid.errors import ConfigError, UsageError

SOURCE = (5, 3, 9)
N = 20_000


def first_tokens(model, special_ids=SPECIAL_IDS, **settings):
    """How often each token came first."""
    config = DecodingConfig(method="sample", n_best=N, max_length=2, **settings)
    (actual,) = generate(model, Request([SOURCE]), special_ids, config)
    assert len(actual) == N
    tokens = [h.ids[0] if h.ids else END for h in actual]
    return torch.bincount(torch.tensor(tokens), minlength=model.logits.shape[1]) / N


def close(actual, expected):
    """Within five standard deviations of a count, and never where nothing may be."""
    deviation = (expected * (1 - expected) / N).sqrt()
    assert ((actual - expected).abs() <= 5 * deviation).all()


def test_samples_are_as_often_as_probable():
    model = random_model(9, seed=1)
    close(first_tokens(model), torch.tensor(log_probs(model, SOURCE, ())).exp())


def test_cut_samples_are_as_often_as_probable():
    model = random_model(9, seed=1)
    logits = torch.tensor(log_probs(model, SOURCE, ())) / 1.5
    kept = logits.masked_fill(logits < logits.topk(4).values[-1], -torch.inf)
    close(first_tokens(model, temperature=1.5, top_k=4), kept.softmax(-1))


def test_banned_tokens_leave_their_mass_to_others():
    model = random_model(9, seed=1)
    logits = torch.tensor(log_probs(model, SOURCE, ()))
    logits[[2, 4, END]] = -torch.inf
    actual = first_tokens(model, replace(SPECIAL_IDS, banned=(2, 4)), min_length=1)
    close(actual, logits.softmax(-1))


def test_without_an_end_token_every_token_may_come_first():
    model = random_model(9, seed=1)
    actual = first_tokens(model, replace(SPECIAL_IDS, end=-1), min_length=1)
    close(actual, torch.tensor(log_probs(model, SOURCE, ())).exp())


def test_whole_texts_are_as_often_as_probable():
    model = random_model(3, seed=8)
    config = DecodingConfig(method="sample", n_best=N, max_length=3)
    (actual,) = generate(model, Request([SOURCE]), SPECIAL_IDS, config)
    counts: dict[tuple[int, ...], int] = {}
    for h in actual:
        text = (*h.ids, END) if h.finished else h.ids
        counts[text] = counts.get(text, 0) + 1
    total = 0.0
    for text, count in counts.items():
        logs = [log_probs(model, SOURCE, text[:i])[y] for i, y in enumerate(text)]
        p = math.exp(sum(logs))
        total += p
        assert abs(count / N - p) <= 5 * math.sqrt(p * (1 - p) / N)
    assert total > 0.999


def test_log_probs_are_those_before_the_cuts():
    model = random_model(9, seed=3)
    config = DecodingConfig(method="sample", n_best=20, max_length=6, temperature=3.0, top_p=0.8)
    (actual,) = generate(model, Request([SOURCE]), SPECIAL_IDS, config)
    for h in actual:
        text = (*h.ids, END) if h.finished else h.ids
        expected = [log_probs(model, SOURCE, text[:i])[y] for i, y in enumerate(text)]
        assert h.token_log_probs == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_a_seed_gives_one_set_of_texts(batch_size):
    model = random_model(9, seed=2)
    sources = [tuple(range(i, i + 1 + i * 7 % 5)) for i in range(12)]
    config = DecodingConfig(method="sample", n_best=3, seed=4, batch_size=32)
    expected = generate(model, Request(sources), SPECIAL_IDS, config)
    actual = generate(model, Request(sources), SPECIAL_IDS, replace(config, batch_size=batch_size))
    assert actual == expected
    others = generate(model, Request(sources), SPECIAL_IDS, replace(config, seed=5))
    assert others != expected
    assert len({h.ids for hypotheses in expected for h in hypotheses}) > 30
    # More draws leave the first ones as they were.
    more = generate(model, Request(sources), SPECIAL_IDS, replace(config, n_best=5))
    assert [hypotheses[:3] for hypotheses in more] == expected


def test_samples_depend_on_the_key_of_a_source():  # authority: each alone
    model = random_model(9, seed=2)
    config = DecodingConfig(method="sample", n_best=3, seed=4, min_length=9)
    keys = [(i // 2, i % 2) for i in range(6)]
    actual = generate(model, Request([SOURCE] * 6, seed_keys=keys), SPECIAL_IDS, config)
    for key, hypotheses in zip(keys, actual, strict=True):
        assert generate(model, Request([SOURCE], seed_keys=[key]), SPECIAL_IDS, config) == [
            hypotheses
        ]
    assert len({h.ids for hypotheses in actual for h in hypotheses}) == 18


def test_top_k_of_one_is_greedy():
    model = random_model(9, seed=2)
    request = Request([SOURCE, (1,), (2, 2)])
    draw = DecodingConfig(method="sample", top_k=1, max_length=9)
    greedy = DecodingConfig(beam=1, max_length=9)
    actual = generate(model, request, SPECIAL_IDS, draw)
    assert actual == generate(model, request, SPECIAL_IDS, greedy)


def test_nothing_left_to_sample():
    model = random_model(3, seed=0)
    config = DecodingConfig(method="sample")
    with pytest.raises(UsageError, match="every token is banned"):
        generate(model, Request([SOURCE]), replace(SPECIAL_IDS, banned=(0, 1, 2)), config)
    model.logits.fill_(float("nan"))
    with pytest.raises(UsageError, match="NaN"):
        generate(model, Request([SOURCE]), SPECIAL_IDS, config)


def test_sampling_at_the_bounds_of_the_intervals():  # authority: by hand
    probs = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]])
    numbers = torch.tensor([[0.0, 0.24, 0.25, 0.9, 1 - 2**-53]], dtype=torch.float64)
    assert sample_tokens(probs, numbers).tolist() == [[1, 1, 3, 3, 3]]


@pytest.mark.parametrize("method", ["beam", "sample"])
def test_penalties_look_at_all_that_was_read(method):
    # Authority: the same choice made text by text from logits penalised by hand.
    model = random_model(7, seed=6)
    model.logits[:, END] -= 2.0
    settings = {"repetition_penalty": 1.4, "no_repeat_ngram": 2, "max_length": 15}
    if method == "sample":  # of one token, so that nothing is left to chance
        config = DecodingConfig(method="sample", top_k=1, **settings)
    else:
        config = DecodingConfig(beam=1, **settings)
    ((h,),) = generate(model, Request([SOURCE]), SPECIAL_IDS, config)
    text = [START]
    for token in (*h.ids, *[END] * h.finished):
        cache = model.prefill(torch.tensor([SOURCE]), None, 1)
        row = model.step(torch.tensor([text]), cache).logits[:, -1]
        read = torch.tensor([[NO_TOKEN, *text]])
        row = no_repeat_ngram(repetition_penalty(row, read, 1.4), read, 2)
        assert int(row.argmax()) == token
        text.append(token)
    assert len(h.ids) > 5


@pytest.mark.parametrize(
    ("wrong", "message", "fix"),
    [
        ({"temperature": 0.7}, "Use method=sample", {"method": "sample"}),
        ({"top_k": 3}, "Use method=sample", {"method": "sample"}),
        ({"method": "sample", "top_p": 1.5}, "Use 1 or less", {"top_p": 1.0}),
        ({"method": "sample", "temperature": 0.0}, "at least", {"temperature": 0.1}),
        ({"groups": 5}, "diversity=0", {"diversity": 0.5}),
        ({"groups": 2, "diversity": 0.5}, "Use beam=6", {"beam": 6}),
        ({"diversity": 0.5}, "Set groups to 2", {"groups": 5}),
        ({"method": "sample", "groups": 5, "diversity": 0.5}, "does not apply", {"method": "beam"}),
    ],
)
def test_impossible_settings(wrong, message, fix):  # authority: as tests/config/test_settings.py
    with pytest.raises(ConfigError, match=message):
        DecodingConfig(**wrong)
    assert DecodingConfig(**{**wrong, **fix})


def test_sampling_ignores_the_beam():
    draw = DecodingConfig(method="sample", n_best=50, beam=4)
    assert (draw.width, draw.copies) == (1, 50)
