"""Prompts continued by a decoder alone.

Authorities: transformers' generate with the same weights; every text alone, without padding.
"""

import pytest
import torch

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.errors import UsageError
from pellucid.formats.huggingface import open_published

transformers = pytest.importorskip("transformers")

PAD, END, SIZE = 0, 1, 97
SPECIAL_IDS = SpecialIds(start=END, end=END, banned=(PAD,))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The same random model in transformers and in pellucid, in double precision."""
    config = transformers.GPT2Config(
        vocab_size=SIZE,
        n_positions=64,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=PAD,
        tie_word_embeddings=False,
    )
    reference = transformers.GPT2LMHeadModel(config).eval()
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for p in reference.parameters():
            p.normal_(float(p.ndim == 1 and p[0] == 1), 0.4, generator=rng)
        reference.lm_head.weight[END] *= 0.8  # texts of many lengths
    directory = tmp_path_factory.mktemp("published")
    reference.save_pretrained(directory)
    return reference.double(), open_published(directory).model.double()


@pytest.fixture(scope="module")
def prompts():
    rng = torch.Generator().manual_seed(9)
    lengths = torch.randint(1, 12, (48,), generator=rng).tolist()
    return [torch.randint(2, SIZE, (n,), generator=rng).tolist() for n in lengths]


def generated(reference, prompts, **settings):
    """Return (ids, score) of each reference hypothesis, without prompt and padding."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(p)) + p for p in prompts])
    out = reference.generate(
        ids,
        attention_mask=ids != PAD,
        max_new_tokens=20,
        do_sample=False,
        bad_words_ids=[[PAD]],
        return_dict_in_generate=True,
        output_scores=True,
        **settings,
    )
    scores = out.sequences_scores if settings["num_beams"] > 1 else [0.0] * len(out.sequences)
    rows = [row[longest:].tolist() for row in out.sequences]
    rows = [row[: row.index(END) + 1] if END in row else row for row in rows]
    return [(row, float(score)) for row, score in zip(rows, scores, strict=True)]


PENALTIES = [
    ({}, {}),
    ({"repetition_penalty": 1.7}, {"repetition_penalty": 1.7}),
    ({"no_repeat_ngram": 2}, {"no_repeat_ngram_size": 2}),
    (
        {"repetition_penalty": 0.8, "no_repeat_ngram": 3, "min_length": 4},
        {"repetition_penalty": 0.8, "no_repeat_ngram_size": 3, "min_new_tokens": 4},
    ),
]


@pytest.mark.parametrize(("actual", "settings"), PENALTIES)
def test_greedy_is_that_of_transformers(models, prompts, actual, settings):
    reference, model = models
    expected = generated(reference, prompts, num_beams=1, **settings)
    config = DecodingConfig(beam=1, max_length=20, batch_size=20, **actual)
    result = generate(model, Request(prompts, pad=5, continues_source=True), SPECIAL_IDS, config)
    texts = [[*h.ids, *[END] * h.finished] for (h,) in result]
    assert texts == [ids for ids, _ in expected]
    assert len({len(ids) for ids in texts}) > 4, "texts of one length prove little"


@pytest.mark.parametrize(("actual", "settings"), PENALTIES)
def test_beams_are_those_of_transformers(models, prompts, actual, settings):
    reference, model = models
    expected = generated(
        reference,
        prompts,
        num_beams=4,
        num_return_sequences=4,
        early_stopping=True,
        length_penalty=1.0,
        **settings,
    )
    config = DecodingConfig(beam=4, n_best=4, max_length=20, batch_size=20, **actual)
    result = generate(model, Request(prompts, pad=5, continues_source=True), SPECIAL_IDS, config)
    flat = [h for hypotheses in result for h in hypotheses]
    texts = [[*h.ids, *[END] * h.finished] for h in flat]
    assert texts == [ids for ids, _ in expected]
    assert [h.score for h in flat] == pytest.approx([score for _, score in expected], abs=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"beam": 1},
        {"beam": 3, "n_best": 3, "no_repeat_ngram": 2, "repetition_penalty": 1.3},
        {"beam": 4, "n_best": 4, "groups": 2, "diversity": 0.7},
        {"method": "sample", "n_best": 2, "top_p": 0.9, "repetition_penalty": 1.3},
    ],
)
def test_in_batches_and_alone(models, prompts, settings):
    _, model = models
    config = DecodingConfig(max_length=12, batch_size=16, **settings)
    request = Request(prompts, pad=7, continues_source=True)
    together = generate(model, request, SPECIAL_IDS, config)
    one = DecodingConfig(max_length=12, batch_size=1, **settings)
    alone = generate(model, request, SPECIAL_IDS, one)
    for mine, others in zip(together, alone, strict=True):
        assert [h.ids for h in mine] == [h.ids for h in others]
        for a, b in zip(mine, others, strict=True):
            assert a.token_log_probs == pytest.approx(b.token_log_probs, abs=1e-5)


def test_cached_and_uncached(models, prompts):
    # Authority: the model computes the whole text again for every token.
    _, model = models
    config = DecodingConfig(beam=1, max_length=9)
    result = generate(model, Request(prompts[:8], continues_source=True), SPECIAL_IDS, config)
    for prompt, (h,) in zip(prompts, result, strict=False):
        text = [*prompt]
        for token in (*h.ids, *[END] * h.finished):
            with torch.no_grad():
                logits = model.heads["lm"](model(torch.tensor([text])))[0, -1]
            logits[PAD] = -torch.inf
            assert int(logits.argmax()) == token
            text.append(token)


def test_an_empty_prompt_is_the_start_token(models):
    _, model = models
    config = DecodingConfig(beam=2, max_length=6)
    empty, start = generate(model, Request([[], [END]], continues_source=True), SPECIAL_IDS, config)
    assert empty == start


def test_a_prompt_may_be_followed_by_forced_tokens(models, prompts):
    _, model = models
    config = DecodingConfig(beam=2, max_length=6)
    forced = generate(
        model, Request([prompts[0]], [prompts[1][:3]], continues_source=True), SPECIAL_IDS, config
    )
    assert list(forced[0][0].ids[:3]) == prompts[1][:3]
    joined = Request([[*prompts[0], *prompts[1][:3]]], continues_source=True)
    result = generate(model, joined, SPECIAL_IDS, DecodingConfig(beam=2, max_length=3, alpha=0))
    assert forced[0][0].ids[3:] == result[0][0].ids


def test_a_source_for_a_model_that_reads_none(models):
    _, model = models
    with pytest.raises(UsageError, match="pass continues_source=True"):
        generate(model, Request([[3, 4]]), SPECIAL_IDS, DecodingConfig())
