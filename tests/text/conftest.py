"""Small tokenizers of every kind."""

import pytest

from pellucid.config.data import TokenizerConfig
from pellucid.text.tokenizer import Tokenizer
from pellucid.text.train import train_tokenizer
from pellucid.text.untrained import KINDS
from text.samples import TEXTS


@pytest.fixture(scope="session", params=list(KINDS))
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def trained() -> dict[str, Tokenizer]:
    sizes = {"byte-bpe": 400}
    return {
        kind: train_tokenizer(TEXTS, TokenizerConfig(kind=kind, vocab_size=sizes.get(kind, 300)))
        for kind in KINDS
    }
