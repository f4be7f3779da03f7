"""The one search over a recurrent decoder.

Authorities: every possible text, counted out; the same model asked for the whole text each time.
"""

import itertools
from dataclasses import replace

import pytest
import torch

from decoding.toys import Recomputing
from nn.recurrent import SMALL, random_translator
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.alignment import align, hard_alignment
from pellucid.decoding.ensemble import Ensemble
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.errors import UsageError
from pellucid.taps import record

SPECIAL_IDS = SpecialIds(start=0, end=1)
SOURCES = [[3, 2, 4, 1], [4, 1], [2, 2, 3, 4, 2, 1]]
SHAPES = [("lstm", "general", True), ("gru", "additive", False), ("lstm", "none", False)]
LONGEST = 3


def model_of(cell, attention, feeding, vocab_size=5):
    shape = {"cell": cell, "attention": attention, "input_feeding": feeding}
    return random_translator(replace(SMALL, vocab_size=vocab_size, **shape), seed=4)


def every_text(model, source):
    """All texts of at most LONGEST tokens, best first by the mean log-probability of a token."""
    ids = torch.tensor([source])
    result = []
    for length in range(1, LONGEST + 1):
        for text in itertools.product(range(5), repeat=length):
            ends = text[-1] == SPECIAL_IDS.end
            if SPECIAL_IDS.end in text[:-1] or not (ends or length == LONGEST):
                continue
            state = model(ids, None, torch.tensor([[SPECIAL_IDS.start, *text[:-1]]]))
            log_probs = model.heads["lm"](state).log_softmax(-1)[0]
            score = float(log_probs[range(length), list(text)].double().mean())
            result.append((text[:-1] if ends else text, score))
    return sorted(result, key=lambda one: -one[1])


@pytest.mark.parametrize(("cell", "attention", "feeding"), SHAPES)
@torch.inference_mode()
def test_a_beam_as_wide_as_all_texts_finds_the_best(cell, attention, feeding):
    model = model_of(cell, attention, feeding)
    config = DecodingConfig(beam=5**LONGEST, n_best=5, max_length=LONGEST, stop="exact")
    result = generate(model, Request(SOURCES), SPECIAL_IDS, config)
    for source, hypotheses in zip(SOURCES, result, strict=True):
        expected = every_text(model, source)[:5]
        assert [h.ids for h in hypotheses] == [text for text, _ in expected]
        for h, (_, score) in zip(hypotheses, expected, strict=True):
            assert h.score == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize(("cell", "attention", "feeding"), SHAPES)
def test_search_with_a_cache_is_search_without(cell, attention, feeding):
    model = model_of(cell, attention, feeding, vocab_size=13)

    def whole(source, keep, ids):
        return model.heads["lm"](model(source, keep, ids))[:, -1]

    config = DecodingConfig(beam=3, n_best=3, batch_size=2)
    actual = generate(model, Request(SOURCES), SPECIAL_IDS, config)
    reference = generate(Recomputing(whole), Request(SOURCES), SPECIAL_IDS, config)
    for a, b in zip(actual, reference, strict=True):
        assert [h.ids for h in a] == [h.ids for h in b]
        assert [h.score for h in a] == pytest.approx([h.score for h in b], abs=1e-5)


def test_it_reads_its_source_apart():
    model = model_of(*SHAPES[0])
    with pytest.raises(UsageError, match="leave out continues_source"):
        generate(model, Request(SOURCES, continues_source=True), SPECIAL_IDS, DecodingConfig())


def test_an_ensemble_may_hold_one():  # authority: two of the same are the one
    model = model_of(*SHAPES[0], vocab_size=13)
    config = DecodingConfig(beam=3)
    alone = generate(model, Request(SOURCES), SPECIAL_IDS, config)
    both = generate(Ensemble([model, model]), Request(SOURCES), SPECIAL_IDS, config)
    assert [h.ids for [h] in both] == [h.ids for [h] in alone]


@pytest.mark.parametrize("layer", [-2, -1, 0])
def test_alignment_is_the_attention_of_its_step(layer):
    # Authority: the scores by hand: q k of states and memory that their taps show.
    model = model_of("gru", "dot", False, vocab_size=13)
    targets = [[5, 6, 7], [8]]
    result = align(model, SOURCES[:2], targets, start=0, layer=layer)
    for source, target, weights in zip(SOURCES, targets, result, strict=False):
        with record(model, "*") as seen, torch.inference_mode():
            model(torch.tensor([source]), None, torch.tensor([[0, *target[:-1]]]))
        (states,), (memory,) = seen["decoder.states"], seen["encoder.output"]
        expected = (states[0] @ memory[0].T).softmax(-1)
        assert torch.allclose(weights, expected, atol=1e-6)
        best = [(t, int(row.argmax())) for t, row in enumerate(expected)]
        assert hard_alignment(weights) == best


def test_alignment_needs_attention():
    with pytest.raises(UsageError, match="needs an encoder-decoder with attention"):
        align(model_of("lstm", "none", False), SOURCES, [[2]] * 3, start=0)
    with pytest.raises(UsageError, match="has 1 layers"):
        align(model_of(*SHAPES[0]), SOURCES, [[2]] * 3, start=0, layer=1)
