"""Heads with a CRF on disk.  Authority: the saved model itself, bit by bit."""

from dataclasses import replace

import pytest
import torch

from nn.samples import ENCODER, randomize
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError
from pellucid.formats.bundle import Bundle
from pellucid.formats.own_layout import load_model
from pellucid.formats.save_bundle import export_published, save_bundle
from pellucid.nn.model import build
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizer

HEAD = HeadConfig(kind="token", outputs=3, labels=("O", "B-X", "I-X"), crf=True)


@pytest.fixture
def bundle():
    tokenizer = train_tokenizer(
        ["the dog"] * 3, TokenizerConfig(kind="char", vocab_size=64, min_frequency=1)
    )
    config = replace(ENCODER, vocab_size=tokenizer.vocab_size)
    model = build(config, heads={"tagger": HEAD})
    randomize(model)
    return Bundle(
        model=model.eval(),
        model_config=config,
        tokenizers=Tokenizers(tokenizer, tokenizer),
        task="tagging",
        roles=Roles(),
        decoding=DecodingConfig(),
        languages=("", ""),
        longest_source=60,
        card="",
        family="bert",
    )


def test_our_layout_keeps_a_crf(bundle, tmp_path):
    save_bundle(tmp_path / "m", bundle)
    loaded = load_model(tmp_path / "m").model
    assert loaded.head_configs == {"tagger": HEAD}
    state = loaded.state_dict()
    assert {"heads.tagger.crf.start", "heads.tagger.crf.transitions"} <= state.keys()
    assert all(torch.equal(state[name], t) for name, t in bundle.model.state_dict().items())


def test_the_published_layout_has_no_names_for_a_crf(bundle, tmp_path):
    with pytest.raises(ConfigError, match="head tagger: crf=True"):
        export_published(tmp_path / "m", bundle)
    assert not (tmp_path / "m").exists()
