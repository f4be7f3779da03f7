"""Sources longer than training saw.  Authorities: Unicode's character database; singles."""

from dataclasses import replace
from typing import Any

import pytest

from pellucid import garden
from pellucid.api import Loaded
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.model import ModelConfig
from pellucid.errors import DataError
from pellucid.formats.bundle import Bundle
from pellucid.inference.score import score
from pellucid.nn.device import choose_device
from pellucid.nn.model import build
from pellucid.text.train import train_tokenizers

PAIRS = list(garden.pairs(60, "en", "de"))
GROWS = "\ufdfa"  # 3 bytes, one character, and 18 letters in its compatibility form


def translator(**shape: Any) -> Loaded:
    """A random translator whose tokenizer normalizes by NFKC."""
    tokenizer_config = TokenizerConfig(vocab_size=400, normalize="nfkc")
    tokenizers = train_tokenizers(lambda: PAIRS, tokenizer_config)
    sizes: dict[str, Any] = {"d_model": 16, "d_ff": 32, "n_heads": 2, "max_length": 64}
    layers = {"n_encoder_layers": 1, "n_decoder_layers": 1}
    c = ModelConfig(vocab_size=tokenizers.source.vocab_size, **sizes | layers | shape)
    bundle = Bundle(
        model=build(c, seed=2),
        model_config=c,
        tokenizers=tokenizers,
        task="translation",
        roles=Roles(),
        decoding=DecodingConfig(max_length=4, beam=1),
        languages=("en", "de"),
        longest_source=40,
        card="",
    )
    return Loaded(bundle, choose_device("cpu"))


@pytest.mark.parametrize("positions", ["sinusoid", "learned"])
def test_a_text_that_grows_when_it_is_normalized_is_split(positions):
    model = translator(positions=positions)
    long = f"{GROWS} {GROWS} {GROWS} {GROWS}"
    assert len(model.ids(long)) > 64 > len(long.encode())
    first, whole, last = model.translate(["The dog.", long, "A cat."])
    assert whole.parts > 1
    assert max(n for n, _ in whole.part_lengths) <= 41
    singles = [model.translate([text])[0] for text in ("The dog.", "A cat.")]
    assert [first.ids, last.ids] == [t.ids for t in singles]


def test_an_ensemble_reads_no_more_than_each_of_its_models():
    model = translator()
    small = Loaded(replace(model.bundle, longest_source=1000), choose_device("cpu"))
    short = translator(positions="learned", max_length=40)
    (result,) = small.translate(["The dog sleeps here. " * 9], ensemble=[short])
    assert result.parts > 1


def test_a_pair_longer_than_the_model_reads_is_named():
    model = translator(positions="learned")
    pairs = [("a", "b"), ("The dog sleeps here. " * 20, "b")]
    with pytest.raises(DataError, match=r"x\.en:2: \d+ source and \d+ target .* reads 64"):
        score(model.bundle, pairs, ["x.en:1", "x.en:2"])
    with pytest.raises(DataError, match="pair 'The dog sleeps"):
        score(model.bundle, pairs)
