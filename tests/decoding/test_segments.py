"""Writing with a memory of segments, which drops its oldest as it goes."""

import pytest
import torch

from parity.peer import vary_weights
from pellucid.config.decoding import DecodingConfig
from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.decoding.speculative import Draft, speculate
from pellucid.errors import UsageError
from pellucid.families.transformer_xl.family import TRANSFO_XL

SIZE, END, PAD = 30, 0, 1
SPECIAL_IDS = SpecialIds(start=END, end=END, banned=(PAD,))
C = TransformerXLConfig(
    vocab_size=SIZE,
    d_model=16,
    n_encoder_layers=0,
    n_decoder_layers=2,
    n_heads=2,
    d_ff=20,
    positions="sinusoid-halves",
    cutoffs=(12, 20),
    tie_projections=(False, True, True),
    tie_embeddings="none",
    div_val=2,
    mem_len=5,
)
SHAPES = {
    "one length": {},
    "all lengths": {"same_length": False},
}


def model_of(shape, seed=3):
    c = TransformerXLConfig(**{**vars(C), **SHAPES[shape]})
    model = vary_weights(TRANSFO_XL.build(c, seed=0), seed)
    with torch.no_grad():
        for table in model.heads["lm"].tables:
            table.mul_(3.0)
        model.heads["lm"].biases[0][END] += 3  # texts of many lengths
    return model.double()


@pytest.fixture(scope="module", params=SHAPES)
def model(request):
    return model_of(request.param)


@pytest.fixture(scope="module")
def prompts():
    rng = torch.Generator().manual_seed(4)
    lengths = torch.randint(1, 14, (12,), generator=rng).tolist()
    return [torch.randint(2, SIZE, (n,), generator=rng).tolist() for n in lengths]


@pytest.mark.parametrize(
    "settings",
    [
        {"beam": 1},
        {"beam": 3, "n_best": 3},
        {"beam": 4, "n_best": 4, "groups": 2, "diversity": 0.7},
        {"method": "sample", "n_best": 2, "top_p": 0.9},
    ],
)
def test_in_batches_and_alone(model, prompts, settings):  # authority: each text alone
    request = Request(prompts, pad=7, continues_source=True)
    together, alone = (
        generate(
            model, request, SPECIAL_IDS, DecodingConfig(max_length=12, batch_size=n, **settings)
        )
        for n in (8, 1)
    )
    for mine, others in zip(together, alone, strict=True):
        assert [h.ids for h in mine] == [h.ids for h in others]
        for a, b in zip(mine, others, strict=True):
            assert a.token_log_probs == pytest.approx(b.token_log_probs, abs=1e-5)
    assert len({best.ids for best, *_ in together}) > 6, "equal texts prove little"
    lengths = {len(h.ids) for actual in together for h in actual}
    assert len(lengths) > 1, "texts of one length prove little"


def test_greedy_search_is_the_recurrence(model, prompts):
    # Authority: segments of one token each, whose memory is handed on by hand.
    actual = generate(
        model,
        Request(prompts[:8], continues_source=True),
        SPECIAL_IDS,
        DecodingConfig(beam=1, max_length=9),
    )
    for prompt, (h,) in zip(prompts, actual, strict=False):
        memory, text = None, [*prompt, *h.ids, *[END] * h.finished]
        for i, token in enumerate(text[:-1]):
            with torch.no_grad():
                state, memory = model.segment(torch.tensor([[token]]), memory)
                log_probs = model.heads["lm"](state)[0, -1]
            log_probs[PAD] = -torch.inf
            assert i + 1 < len(prompt) or int(log_probs.argmax()) == text[i + 1]


def test_caches_that_cannot_be_truncated_are_refused(model, prompts):
    request = Request(prompts[:1], continues_source=True)
    config = DecodingConfig(beam=1, max_length=8)
    with pytest.raises(UsageError, match="the memory of a Transformer-XL cannot be truncated"):
        speculate(model, Draft(model), request, SPECIAL_IDS, config)
