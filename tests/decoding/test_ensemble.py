"""Authorities: a decoder that averages probabilities of whole texts itself; algebra."""

import pytest
import torch
from torch import Tensor

from decoding.toys import Recomputing, random_sources, random_transformer
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ensemble import Ensemble
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.errors import UsageError

SPECIAL_IDS = SpecialIds(start=1, end=2, banned=(0, 1))


@pytest.mark.parametrize("beam", [1, 4])
def test_probabilities_are_the_mean(beam):
    models = [
        random_transformer(0),
        random_transformer(1, d_model=24),
        random_transformer(2, n_decoder_layers=2),
    ]

    def logits(source: Tensor, keep: Tensor | None, ids: Tensor) -> Tensor:
        result = [m.heads["lm"](m(source, keep, ids))[:, -1].double() for m in models]
        return torch.stack([x.softmax(-1) for x in result]).mean(0).log().float()

    config = DecodingConfig(beam=beam, n_best=beam, max_length=9, batch_size=8)
    actual = generate(Ensemble(models), Request(random_sources()), SPECIAL_IDS, config)
    expected = generate(Recomputing(logits), Request(random_sources()), SPECIAL_IDS, config)
    for mine, others in zip(actual, expected, strict=True):
        assert [h.ids for h in mine] == [h.ids for h in others]
        for a, b in zip(mine, others, strict=True):
            assert a.token_log_probs == pytest.approx(b.token_log_probs, abs=1e-4)


def test_one_model_twice_is_that_model():
    one = random_transformer(0)
    config = DecodingConfig(beam=3, n_best=3, max_length=9)
    twice = generate(Ensemble([one, one]), Request(random_sources()), SPECIAL_IDS, config)
    alone = generate(one, Request(random_sources()), SPECIAL_IDS, config)
    assert [[h.ids for h in hs] for hs in twice] == [[h.ids for h in hs] for hs in alone]


def test_decoders_alone():
    shape = {"n_encoder_layers": 0}
    pair = Ensemble([random_transformer(0, **shape), random_transformer(1, **shape)])
    with pytest.raises(UsageError, match="continues_source=True"):
        generate(pair, Request([[3, 4]]), SPECIAL_IDS, DecodingConfig())
    prompts = random_sources()
    config = DecodingConfig(beam=2, max_length=9)
    together = generate(pair, Request(prompts, continues_source=True), SPECIAL_IDS, config)
    for prompt, (result,) in zip(prompts, together, strict=True):
        request = Request([prompt], continues_source=True)
        ((alone,),) = generate(pair, request, SPECIAL_IDS, config)
        assert result.ids == alone.ids


def test_what_is_no_ensemble():
    with pytest.raises(UsageError, match="at least one"):
        Ensemble([])
    with pytest.raises(UsageError, match=r"40 tokens in, 40 out.*41 tokens in"):
        Ensemble([random_transformer(0), random_transformer(1, vocab_size=41)])
    with pytest.raises(UsageError, match="one shape"):
        Ensemble([random_transformer(0), random_transformer(1, n_encoder_layers=0)])
