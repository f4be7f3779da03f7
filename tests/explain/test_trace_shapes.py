"""Traces of encoders, decoders, recurrent models and Transformer-XL.

Authority: transformers' inputs and outputs for the same texts, the models' own forward passes
without taps, and counting by hand.
"""

from typing import Any

import numpy as np
import pytest
import torch
import transformers

import pellucid
from parity.test_transformer_xl import HALF, model_of, written
from pellucid import garden
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.rnn import RNNConfig
from pellucid.errors import UsageError
from pellucid.explain.rows import Rows
from pellucid.explain.statistics import head_statistics
from pellucid.explain.trace import TraceSpec, trace, trace_rows
from pellucid.formats.bundle import Bundle
from pellucid.formats.open_model import open_model
from pellucid.inference.logits import Inputs
from pellucid.nn.model import build
from pellucid.text.train import train_tokenizers


def test_an_encoder_reads_what_transformers_reads(bert):
    reference, directory = bert
    bundle = open_model(directory)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
    for text in ("the dog [MASK] .", "the dog sleeps\tthe cat"):
        traced = trace(bundle, text)
        expected = tokenizer(*text.split("\t"), return_tensors="pt")
        assert traced.source is not None
        assert [t.id for t in traced.source.tokens] == expected["input_ids"][0].tolist()
        assert [t.segment for t in traced.source.tokens] == expected["token_type_ids"][0].tolist()
        with torch.no_grad():
            logits = reference(**expected).logits[0]
        np.testing.assert_allclose(traced["heads.mlm.logits"], logits, atol=1e-4)
        for token in traced.source.tokens:
            if token.start is not None:
                part = traced.source.texts[token.segment][token.start : token.end]
                assert token.unknown or part == token.display.strip().removeprefix("##")


def test_a_decoder_continues_its_prompt(gpt2):
    reference, directory = gpt2
    model = pellucid.load(directory, device="cpu")
    traced = model.trace("The dog", max_new=5)
    (generated,) = model.generate(["The dog"], beam=1, max_length=5)
    prompt = model.ids("The dog")
    assert traced.target is not None
    ids = [token.id for token in traced.target.tokens]
    assert ids == [*prompt, *generated.ids]
    assert traced.target.texts == ("The dog" + generated.text,)
    with torch.no_grad():
        logits = reference(torch.tensor([ids])).logits[0]
    np.testing.assert_allclose(traced["heads.lm.logits"], logits, atol=1e-4)
    assert traced.prediction is not None
    chosen = [p.chosen.id for p in traced.prediction.positions if p.chosen is not None]
    assert chosen == ids[1:]
    alone = model.trace("The dog", max_new=0).target
    assert alone is not None
    assert alone.tokens == traced.target.tokens[: len(prompt)]
    with pytest.raises(UsageError, match="this model reads 64"):
        model.trace("dog " * 70)


@pytest.mark.parametrize("input_feeding", [True, False])
def test_a_recurrent_model(input_feeding):
    """Its attention has one head; with input feeding it is computed one step at a time."""
    tokenizers = train_tokenizers(
        lambda: list(garden.pairs(60, "en", "de")), TokenizerConfig(vocab_size=350)
    )
    c = RNNConfig(
        vocab_size=tokenizers.source.vocab_size,
        d_model=16,
        input_feeding=input_feeding,
        attention="general",
    )
    bundle = Bundle(
        model=build(c, seed=2).eval(),
        model_config=c,
        tokenizers=tokenizers,
        task="translation",
        roles=Roles(),
        decoding=DecodingConfig(max_length=10, beam=2),
        languages=("en", "de"),
        longest_source=50,
        card="",
        family="rnn",
    )
    traced = trace(bundle, "The dog sleeps.")
    assert traced.source is not None
    assert traced.target is not None
    weights = traced["decoder.attention.weights"]
    assert weights.shape == (1, len(traced.target.tokens), len(traced.source.tokens))
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    source = torch.tensor([[token.id for token in traced.source.tokens]])
    target = torch.tensor([[token.id for token in traced.target.tokens]])
    with torch.no_grad():
        expected = bundle.model.heads["lm"](bundle.model(source, None, target))[0]
    np.testing.assert_allclose(traced["heads.lm.logits"], expected, atol=1e-5)
    assert len(head_statistics(weights)) == 1
    with pytest.raises(UsageError, match="nothing of part 'feed_forward'"):
        trace(bundle, "The dog sleeps.", TraceSpec(("feed_forward",)))


def test_transformer_xl_attends_to_its_memory_first(tmp_path):
    """Without earlier text the memory is zeros, which are keys too."""
    model = model_of(HALF)
    bundle = open_model(written(model, tmp_path / "xl"))
    ids = torch.tensor([[3, 5, 1, 4]])
    traced = trace_rows(bundle, Rows(Inputs(ids)), TraceSpec())
    with torch.no_grad():
        expected = bundle.model.heads["lm"](bundle.model(ids))[0]
    np.testing.assert_allclose(traced["heads.lm.logits"], expected, atol=1e-5)
    weights = traced["decoder.layers.0.attention.weights"]
    assert weights.shape[1:] == (4, bundle.model.config.mem_len + 4)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


def test_a_model_without_tokenizer_reads_no_text(tmp_path):
    bundle = open_model(written(model_of(HALF), tmp_path / "xl"))
    with pytest.raises(UsageError, match="no tokenizer"):
        trace(bundle, "text")
