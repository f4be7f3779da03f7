"""Authorities: the model's own distribution, all texts counted; its own greedy text."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from decoding.toys import (
    END,
    SPECIAL_IDS,
    HashCache,
    RunningHash,
    log_probs,
    random_model,
    random_sources,
    random_transformer,
)
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ensemble import Ensemble
from pellucid.decoding.generate import Request, generate, stop_strings
from pellucid.decoding.search import SpecialIds
from pellucid.decoding.speculative import Draft, speculate
from pellucid.errors import UsageError
from pellucid.nn.cache import Cache, Step

SOURCE = (5, 3, 9)
N = 3000


class Rewinding(RunningHash):
    """The toy with a memory that can go back: it keeps each of its states."""

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> "States":
        return States(super().prefill(source, keep, rows).state)

    def step(self, ids: Tensor, cache: Cache) -> Step:
        assert isinstance(cache, States)
        logits = []
        for column in ids.T:
            logits.append(super().step(column[:, None], cache).logits)
            cache.states.append(cache.state)
        return Step(torch.cat(logits, 1), cache.state[:, None, None].float())


class States(HashCache):
    def __init__(self, state: Tensor) -> None:
        super().__init__(state)
        self.states = [state]

    def truncate(self, n: int) -> None:
        assert 0 <= n <= self.length
        self.states = self.states[: n + 1]
        self.state, self.length = self.states[n], n


def toy(vocab_size: int, seed: int, spread: float = 2.0) -> Rewinding:
    return Rewinding(random_model(vocab_size, seed, spread).logits)


@pytest.mark.parametrize("n_proposed", [1, 4])
@pytest.mark.parametrize("draft_seed", [8, 9])  # the model itself, and a stranger
def test_texts_are_as_often_as_the_model_says(n_proposed, draft_seed):
    model, draft = toy(3, seed=8), Draft(toy(3, draft_seed), n_proposed)
    config = DecodingConfig(method="sample", max_length=4)
    counts: Counter[tuple[int, ...]] = Counter()
    accepted = proposed = 0
    for seed in range(N):
        actual = speculate(model, draft, Request([SOURCE]), SPECIAL_IDS, replace(config, seed=seed))
        h = actual.hypothesis
        counts[(*h.ids, END) if h.finished else h.ids] += 1
        accepted, proposed = accepted + actual.accepted, proposed + actual.proposed
    total = 0.0
    for text, count in counts.items():
        p = math.exp(sum(log_probs(model, SOURCE, text[:i])[y] for i, y in enumerate(text)))
        total += p
        assert abs(count / N - p) <= 5 * math.sqrt(p * (1 - p) / N)
    assert total > 0.99
    assert (accepted == proposed) == (draft_seed == 8)


def test_temperature_and_cuts_hold_for_both():
    model, draft = toy(9, seed=8), Draft(toy(9, seed=9))
    config = DecodingConfig(method="sample", max_length=2, temperature=2.0, top_k=3)
    counts = torch.zeros(9)
    for seed in range(N):
        actual = speculate(model, draft, Request([SOURCE]), SPECIAL_IDS, replace(config, seed=seed))
        counts[actual.hypothesis.ids[0] if actual.hypothesis.ids else END] += 1 / N
    logits = torch.tensor(log_probs(model, SOURCE, ())) / 2
    p = logits.masked_fill(logits < logits.topk(3).values[-1], -torch.inf).softmax(-1)
    assert ((counts - p).abs() <= 5 * (p * (1 - p) / N).sqrt()).all()


GREEDY = [
    {},
    {"repetition_penalty": 1.3, "no_repeat_ngram": 2},
    {"min_length": 5},
]


@pytest.mark.parametrize("settings", GREEDY)
@pytest.mark.parametrize("n_encoder_layers", [0, 1])
def test_greedy_is_greedy(settings, n_encoder_layers):
    shape = {"n_encoder_layers": n_encoder_layers}
    model, other = random_transformer(0, **shape), random_transformer(1, d_model=8, **shape)
    special_ids = SpecialIds(start=1, end=2, banned=(0, 1), forced_first=7)
    config = DecodingConfig(beam=1, max_length=17, **settings)
    for source in random_sources():
        request = Request([source], [source[:2]], continues_source=not n_encoder_layers)
        ((expected,),) = generate(model, request, special_ids, config)
        for draft in (Draft(other, 3), Draft(model, 5), Draft(Ensemble([other, model]), 1)):
            actual = speculate(model, draft, request, special_ids, config)
            assert actual.hypothesis.ids == expected.ids
            assert actual.hypothesis.finished == expected.finished
            wanted_logs = pytest.approx(expected.token_log_probs, abs=1e-4)
            assert actual.hypothesis.token_log_probs == wanted_logs
            assert actual.hypothesis.score == pytest.approx(expected.score, abs=1e-4)
            assert draft.model is not model or actual.accepted == actual.proposed


def test_stop_strings():
    model, draft = toy(6, seed=5), Draft(toy(6, seed=6))
    stopped = stop_strings(lambda ids: "".join("abcdef"[i] for i in ids), ["cd", "e"])
    config = DecodingConfig(beam=1, max_length=15)
    for i in range(20):
        request = Request([(i,)], is_stopped=stopped)
        ((expected,),) = generate(model, request, SPECIAL_IDS, config)
        actual = speculate(model, draft, request, SPECIAL_IDS, config).hypothesis
        assert (actual.ids, actual.finished) == (expected.ids, expected.finished)


def test_the_model_is_asked_less_often():
    model = toy(6, seed=5)
    model.logits[:, END] = -1e4
    config = DecodingConfig(beam=1, max_length=20)
    draft = Draft(Rewinding(model.logits), n_proposed=4)
    actual = speculate(model, draft, Request([SOURCE]), SPECIAL_IDS, config)
    assert len(actual.hypothesis.ids) == 20
    assert (actual.proposed, actual.accepted) == (
        16,
        16,
    )  # the other 4 are the model's own, one a call


def test_what_cannot_be():
    model, config = toy(5, seed=0), DecodingConfig(beam=1)
    with pytest.raises(UsageError, match=r"a hash cannot go back.*Leave out the draft"):
        speculate(model, Draft(random_model(5, 0)), Request([SOURCE]), SPECIAL_IDS, config)
    with pytest.raises(UsageError, match="2 sources"):
        speculate(model, Draft(model), Request([SOURCE] * 2), SPECIAL_IDS, config)
    two = DecodingConfig(beam=2)
    with pytest.raises(UsageError, match="keeps 2"):
        speculate(model, Draft(model), Request([SOURCE]), SPECIAL_IDS, two)
    model.logits.fill_(float("nan"))
    with pytest.raises(UsageError, match="NaN"):
        speculate(model, Draft(model), Request([SOURCE]), SPECIAL_IDS, config)
