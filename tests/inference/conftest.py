"""Models that transformers wrote, with random weights."""

from pathlib import Path
from typing import Any

import pytest
import transformers

from cli.writers import END
from parity.peer import randomize
from pellucid.json_files import read_json
from text.published.samples import byte_bpe, wordpiece


def vocab_size(directory: Path, name: str) -> int:
    """Return the number of tokens of the vocabulary in a directory."""
    if name.endswith(".txt"):
        return len((directory / name).read_text().rstrip("\n").split("\n"))
    return len(read_json(directory / name))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory) -> tuple[Any, Path]:
    """A random GPT-2 of transformers with a tokenizer, and its directory."""
    directory = byte_bpe(
        tmp_path_factory.mktemp("gpt2"), [END], tokenizer_class="GPT2Tokenizer", eos_token=END
    )
    size = vocab_size(directory, "vocab.json")
    shape: dict[str, Any] = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    config = transformers.GPT2Config(vocab_size=size, bos_token_id=0, eos_token_id=0, **shape)
    reference: Any = randomize(transformers.GPT2LMHeadModel(config))
    reference.save_pretrained(directory)
    return reference, directory


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> tuple[Any, Path]:
    """A random BERT of transformers with a tokenizer, and its directory."""
    directory = wordpiece(tmp_path_factory.mktemp("bert"), tokenizer_class="BertTokenizer")
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"intermediate_size": 32, "max_position_embeddings": 40}
    config = transformers.BertConfig(vocab_size=vocab_size(directory, "vocab.txt"), **shape)
    reference: Any = randomize(transformers.BertForMaskedLM(config))
    reference.save_pretrained(directory)
    return reference, directory
