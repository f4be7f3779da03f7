"""Authorities: the paper's equation, each candidate's whole text read anew; algebra."""

import pytest
import torch

from decoding.toys import random_sources, random_transformer
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.contrastive import Contrast, contrastive
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import Vocabulary
from pellucid.errors import ConfigError, UsageError

VOCABULARY = Vocabulary(start=1, end=2, banned=(0, 1))


def states(model, source, text):
    """States (T, D) of a text, without a cache."""
    if model.encoder is None:
        return model(torch.tensor([text]))[0]
    return model(torch.tensor([source]), None, torch.tensor([text]))[0]


@torch.no_grad()
def plain(model, source, contrast, n, forced=()):
    """At most n tokens, every candidate by itself."""
    text = list(source) if model.encoder is None else [1]
    written = []
    while len(written) < n:
        context = states(model, source, text)
        logits = model.heads["lm"](context)[-1].double()
        logits[[0, 1]] = -torch.inf
        probs, tokens = logits.softmax(-1).topk(contrast.candidates)
        if len(written) < len(forced):
            best = forced[len(written)]
        else:
            scores = []
            for p, token in zip(probs.tolist(), tokens.tolist(), strict=True):
                new = states(model, source, [*text, token])[-1]
                likeness = max(torch.cosine_similarity(context, new[None], dim=-1).tolist())
                scores.append((1 - contrast.alpha) * p - contrast.alpha * likeness)
            best = int(tokens[max(range(len(scores)), key=scores.__getitem__)])
        if best == 2:
            break
        text.append(best)
        written.append(best)
    return tuple(written)


@pytest.mark.parametrize("n_encoder_layers", [0, 1])
@pytest.mark.parametrize("contrast", [Contrast(), Contrast(7, 0.3), Contrast(2, 1.0)])
def test_texts_are_the_papers(n_encoder_layers, contrast):
    model = random_transformer(0, n_encoder_layers=n_encoder_layers)
    config = DecodingConfig(beam=1, max_length=10)
    prefixes = [(9, 4)[: i % 3] for i in range(20)]
    request = Request(random_sources(), prefixes, continued=not n_encoder_layers)
    found = contrastive(model, request, VOCABULARY, config, contrast)
    for source, prefix, h in zip(random_sources(), prefixes, found, strict=True):
        assert h.ids == plain(model, source, contrast, 10, prefix)
    assert len({h.ids for h in found}) > 5


def test_without_contrast_it_is_greedy():
    model = random_transformer(0)
    config = DecodingConfig(beam=1, max_length=10, no_repeat_ngram=2, min_length=3)
    found = contrastive(model, Request(random_sources()), VOCABULARY, config, Contrast(alpha=0.0))
    wanted = generate(model, Request(random_sources()), VOCABULARY, config)
    assert [h.ids for h in found] == [h.ids for (h,) in wanted]
    for h, (other,) in zip(found, wanted, strict=True):
        assert h.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-4)


def test_what_is_banned_is_no_candidate():
    model = random_transformer(0)
    vocabulary = Vocabulary(start=1, end=2, banned=tuple(i for i in range(40) if i not in (2, 5)))
    config = DecodingConfig(beam=1, max_length=10)
    found = contrastive(model, Request(random_sources()), vocabulary, config, Contrast(8, 0.9))
    assert {i for h in found for i in h.ids} <= {5}


def test_what_cannot_be():
    for candidates, alpha in ((0, 0.6), (4, 1.1), (4, float("nan"))):
        with pytest.raises(ConfigError, match="alpha is from 0 to 1"):
            Contrast(candidates, alpha)
    beams = DecodingConfig()
    with pytest.raises(UsageError, match="keeps 5"):
        contrastive(random_transformer(0), Request(random_sources()), VOCABULARY, beams, Contrast())
