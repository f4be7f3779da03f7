"""Authorities: sources one by one; a published library's own generation with the same weights."""

import pytest
import torch
from torch import Tensor

from decoding.toys import SPECIAL_IDS, Recomputing, random_model
from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.errors import UsageError
from pellucid.nn.model import build

SOURCES = [tuple(range(i, i + 1 + i * 7 % 5)) for i in range(23)]


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_order_is_restored(batch_size):
    model = random_model(7, seed=1)
    config = DecodingConfig(beam=3, n_best=2, batch_size=batch_size)
    prefixes = [(2, 3)[: i % 3] for i in range(len(SOURCES))]
    reported: list[int] = []
    result = generate(
        model, Request(SOURCES, prefixes, pad=5), SPECIAL_IDS, config, reported.append
    )
    alone = [
        generate(model, Request([s], [p]), SPECIAL_IDS, config)[0]
        for s, p in zip(SOURCES, prefixes, strict=True)
    ]
    assert result == alone
    assert sum(reported) == len(SOURCES)
    assert len(reported) == -(-len(SOURCES) // batch_size)


def test_nothing_to_do():
    assert generate(random_model(5, seed=0), Request([]), SPECIAL_IDS, DecodingConfig()) == []


def test_prefixes_for_some_sources_only():
    model = random_model(5, seed=0)
    with pytest.raises(UsageError, match="1 prefixes for 23 sources"):
        generate(model, Request(SOURCES, [(2,)]), SPECIAL_IDS, DecodingConfig())


def test_lengths():
    model = random_model(5, seed=2)
    model.logits[:, 1] = -1e4  # never ends of itself
    result = generate(model, Request(SOURCES), SPECIAL_IDS, DecodingConfig(beam=2))
    assert [len(h.ids) for (h,) in result] == [2 * len(s) + 20 for s in SOURCES]
    result = generate(model, Request(SOURCES), SPECIAL_IDS, DecodingConfig(beam=2, max_length=3))
    assert {len(h.ids) for (h,) in result} == {3}


@pytest.mark.parametrize("beam", [1, 4])
def test_transformer_in_batches_and_alone(beam):
    # Authority: algebra (D2, D3): one by one there is no padding and no neighbour.
    c = ModelConfig(
        vocab_size=600, d_model=16, d_ff=32, n_heads=2, n_encoder_layers=2, n_decoder_layers=2
    )
    model = build(c, seed=3).eval()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=rng))
    sources = [torch.randint(4, 600, (n % 9 + 1,), generator=rng).tolist() for n in range(40)]
    config = DecodingConfig(beam=beam, n_best=beam, max_length=12, batch_size=16)
    special_ids = SpecialIds(start=1, end=2, banned=(0, 1, 3))
    together = generate(model, Request(sources), special_ids, config)
    for source, result in zip(sources, together, strict=True):
        (alone,) = generate(model, Request([source]), special_ids, config)
        assert [h.ids for h in result] == [h.ids for h in alone]
        for a, b in zip(result, alone, strict=True):
            assert a.token_log_probs == pytest.approx(b.token_log_probs, abs=1e-4)


transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def marian():
    config = transformers.MarianConfig(
        vocab_size=311,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        pad_token_id=310,
        eos_token_id=0,
        decoder_start_token_id=310,
        forced_eos_token_id=None,
        bos_token_id=None,
    )
    torch.manual_seed(5)
    model = transformers.MarianMTModel(config).eval()
    with torch.no_grad():  # large weights make texts that differ, and an end that is likely
        for name, p in model.named_parameters():
            if p.ndim == 2:
                p.mul_(50.0 if "shared" in name else 3.0 if "positions" in name else 20.0)
        model.final_logits_bias[0, 0] = 9.0
    # A head of its own: a tied one would repeat one token, with equal scores.
    model.lm_head.weight = torch.nn.Parameter(0.7 * torch.randn(311, 16))
    return model.double()  # rounding, which depends on batch and cache, must not decide


def compute_reference(model, sources, **settings) -> list[tuple[list[int], float]]:
    """Return ids and score of every hypothesis of transformers."""
    longest = max(map(len, sources))
    ids = torch.tensor([[*s, *[310] * (longest - len(s))] for s in sources])
    out = model.generate(
        ids,
        attention_mask=ids != 310,
        return_dict_in_generate=True,
        output_scores=True,
        **settings,
    )
    scores = [0.0] * len(out.sequences) if settings["num_beams"] == 1 else out.sequences_scores
    return [
        ([i for i in row[1:].tolist() if i not in (0, 310)], float(score))
        for row, score in zip(out.sequences, scores, strict=True)
    ]


@pytest.mark.parametrize("beam", [1, 4, 5])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("forced", [None, 42])
def test_same_texts_as_transformers(marian, beam, alpha, forced):
    rng = torch.Generator().manual_seed(7)
    lengths = torch.randint(1, 9, (120,), generator=rng).tolist()
    sources = [[*torch.randint(2, 310, (n,), generator=rng).tolist(), 0] for n in lengths]

    def logits(source: Tensor, keep: Tensor | None, ids: Tensor) -> Tensor:
        keep = torch.ones_like(source, dtype=torch.bool) if keep is None else keep
        out = marian(input_ids=source, attention_mask=keep, decoder_input_ids=ids)
        return out.logits[:, -1].float()

    config = DecodingConfig(beam=beam, n_best=beam, alpha=alpha, max_length=20, batch_size=40)
    special_ids = SpecialIds(start=310, end=0, banned=(310, 17, 150), forced_first=forced)
    result = generate(Recomputing(logits), Request(sources, pad=310), special_ids, config)
    expected = compute_reference(
        marian,
        sources,
        num_beams=beam,
        num_return_sequences=beam,
        length_penalty=alpha,
        early_stopping=True,
        max_new_tokens=20,
        bad_words_ids=[[310], [17], [150]],
        forced_bos_token_id=forced,
        do_sample=False,
    )
    flat = [h for hypotheses in result for h in hypotheses]
    if beam == 1:
        assert [list(h.ids) for h in flat] == [ids for ids, _ in expected]
    for at in range(0, len(flat) if beam > 1 else 0, beam):
        # Texts with exactly equal scores have no particular order in transformers.
        actual = sorted((-h.score, list(h.ids)) for h in flat[at : at + beam])
        others = sorted((-score, ids) for ids, score in expected[at : at + beam])
        assert [ids for _, ids in actual] == [ids for _, ids in others]
        assert [score for score, _ in actual] == pytest.approx([x for x, _ in others], abs=1e-5)
    assert len({len(h.ids) for h in flat}) > 4, "texts of one length prove little"
    assert {h.finished for h in flat} == {True, False}
