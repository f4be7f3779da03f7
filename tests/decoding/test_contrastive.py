"""Authorities: the paper's equation, each candidate's whole text read anew; algebra."""

from dataclasses import replace

import pytest
import torch

from decoding.toys import random_sources, random_transformer
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.contrastive import contrastive
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.errors import ConfigError

SPECIAL_IDS = SpecialIds(start=1, end=2, banned=(0, 1))
CONFIG = DecodingConfig(method="contrastive", max_length=10)


def states(model, source, text):
    """States (T, D) of a text, without a cache."""
    if model.encoder is None:
        return model(torch.tensor([text]))[0]
    return model(torch.tensor([source]), None, torch.tensor([text]))[0]


@torch.no_grad()
def plain(model, source, config, forced=()):
    """Every candidate by itself."""
    text = list(source) if model.encoder is None else [1]
    written = []
    while len(written) < config.max_length:
        context = states(model, source, text)
        logits = model.heads["lm"](context)[-1].double()
        logits[[0, 1]] = -torch.inf
        probs, tokens = logits.softmax(-1).topk(config.candidates)
        if len(written) < len(forced):
            best = forced[len(written)]
        else:
            scores = []
            for p, token in zip(probs.tolist(), tokens.tolist(), strict=True):
                new = states(model, source, [*text, token])[-1]
                likeness = max(torch.cosine_similarity(context, new[None], dim=-1).tolist())
                scores.append((1 - config.contrast) * p - config.contrast * likeness)
            best = int(tokens[max(range(len(scores)), key=scores.__getitem__)])
        if best == 2:
            break
        text.append(best)
        written.append(best)
    return tuple(written)


@pytest.mark.parametrize("n_encoder_layers", [0, 1])
@pytest.mark.parametrize(("candidates", "contrast"), [(4, 0.6), (7, 0.3), (2, 1.0)])
def test_texts_are_the_papers(n_encoder_layers, candidates, contrast):
    model = random_transformer(0, n_encoder_layers=n_encoder_layers)
    config = replace(CONFIG, candidates=candidates, contrast=contrast)
    prefixes = [(9, 4)[: i % 3] for i in range(20)]
    request = Request(random_sources(), prefixes, continued=not n_encoder_layers)
    found = contrastive(model, request, SPECIAL_IDS, config)
    for source, prefix, h in zip(random_sources(), prefixes, found, strict=True):
        assert h.ids == plain(model, source, config, prefix)
    assert len({h.ids for h in found}) > 5


def test_without_contrast_it_is_greedy():
    model = random_transformer(0)
    config = replace(CONFIG, contrast=0.0, no_repeat_ngram=2, min_length=3)
    greedy = DecodingConfig(beam=1, max_length=10, no_repeat_ngram=2, min_length=3)
    found = contrastive(model, Request(random_sources()), SPECIAL_IDS, config)
    wanted = generate(model, Request(random_sources()), SPECIAL_IDS, greedy)
    assert [h.ids for h in found] == [h.ids for (h,) in wanted]
    for h, (other,) in zip(found, wanted, strict=True):
        assert h.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-4)


def test_what_is_banned_is_no_candidate():
    model = random_transformer(0)
    special_ids = SpecialIds(start=1, end=2, banned=tuple(i for i in range(40) if i not in (2, 5)))
    config = replace(CONFIG, candidates=8, contrast=0.9)
    found = contrastive(model, Request(random_sources()), special_ids, config)
    assert {i for h in found for i in h.ids} <= {5}


def test_what_cannot_be():
    for wrong in ({"candidates": 1}, {"contrast": 1.1}, {"contrast": float("nan")}, {"n_best": 2}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            replace(CONFIG, **wrong)
    with pytest.raises(ConfigError, match="no meaning for method=beam"):
        DecodingConfig(contrast=0.5)
