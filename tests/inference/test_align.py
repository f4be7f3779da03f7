"""Alignments of a source that was split.  Authority: its sentences, translated one by one."""

from dataclasses import replace
from typing import Any

import pytest

from pellucid import garden
from pellucid.api import Loaded
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.model import ModelConfig
from pellucid.formats.bundle import Bundle
from pellucid.nn.device import choose_device
from pellucid.nn.model import build
from pellucid.text.train import train_tokenizers

PAIRS = list(garden.pairs(60, "en", "de"))
SENTENCES = ["The dog sleeps.", "A cat sees the old house.", "The man reads."]
LONG = " ".join(SENTENCES)


@pytest.fixture(scope="module", params=["sinusoid", "learned"])
def model(request):
    """A random translator that has positions for a sentence, not for three."""
    tokenizers = train_tokenizers(lambda: PAIRS, TokenizerConfig(vocab_size=350))
    shape: dict[str, Any] = {"d_model": 16, "d_ff": 32, "n_heads": 2, "max_length": 64}
    layers = {"n_encoder_layers": 1, "n_decoder_layers": 2}
    c = ModelConfig(vocab_size=350, positions=request.param, **shape, **layers)
    longest = max(len(tokenizers.source.encode(s).ids) for s in SENTENCES)
    bundle = Bundle(
        model=build(replace(c, vocab_size=tokenizers.source.vocab_size), seed=2),
        model_config=c,
        tokenizers=tokenizers,
        task="translation",
        roles=Roles(),
        decoding=DecodingConfig(max_length=10, batch_size=2, beam=2),
        languages=("en", "de"),
        longest_source=longest,
        card="",
    )
    return Loaded(bundle, choose_device("cpu"))


def test_parts_are_aligned_each_with_its_own_source(model):
    singles = model.translate(SENTENCES)
    whole, empty, again = model.translate([LONG, "", SENTENCES[0]])
    assert whole.parts == 3
    assert whole.source_ids == tuple(i for t in singles for i in t.source_ids)
    assert whole.ids == tuple(i for t in singles for i in t.ids)
    expected, source_start, start = [], 0, 0
    for t in singles:
        assert len(t.alignment) == len(t.ids) > 0
        expected += [(source_start + s, start + i) for s, i in t.alignment]
        source_start, start = source_start + len(t.source_ids), start + len(t.ids)
    assert whole.alignment == tuple(expected)
    assert (empty.alignment, empty.parts) == ((), 1)
    assert again.alignment == singles[0].alignment


def test_each_hypothesis_of_a_split_source_is_aligned(model):
    (ranked,) = model.translate([LONG], n_best=2)
    singles = model.translate(SENTENCES, n_best=2)
    for rank, whole in enumerate(ranked):
        lengths = [len(each[rank].source_ids) for each in singles]
        expected, source_start, start = [], 0, 0
        for each, n in zip(singles, lengths, strict=True):
            expected += [(source_start + s, start + i) for s, i in each[rank].alignment]
            source_start, start = source_start + n, start + len(each[rank].ids)
        assert whole.alignment == tuple(expected)
