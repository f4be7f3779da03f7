"""`m.ids` and `m.text`.  Authority: transformers' tokenizers on the same directories."""

from pathlib import Path
from typing import Any

import pytest
import transformers

import pellucid
from cli.writers import write_bert, write_gpt2
from pellucid.api import Loaded
from text.published.samples import FAIRSEQ, byte_bpe, configure, spm

TEXTS = ["The dog sleeps.", "last week, the snake", "a", "Ünder the table"]
SMALL: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def write_roberta(directory: Path) -> Path:
    byte_bpe(directory, FAIRSEQ, tokenizer_class="RobertaTokenizer")
    size = len(transformers.AutoTokenizer.from_pretrained(directory))
    config = transformers.RobertaConfig(
        vocab_size=size, intermediate_size=16, max_position_embeddings=40, pad_token_id=1, **SMALL
    )
    transformers.RobertaForMaskedLM(config).save_pretrained(directory)
    return directory


def write_t5(directory: Path) -> Path:
    roles = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    (directory / "spiece.model").write_bytes(spm(**roles))
    configure(directory, tokenizer_class="T5Tokenizer")
    size = len(transformers.AutoTokenizer.from_pretrained(directory))
    shape = {"d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 20, "num_layers": 1}
    config = transformers.T5Config(vocab_size=size, decoder_start_token_id=0, **shape)
    transformers.T5ForConditionalGeneration(config).save_pretrained(directory)
    return directory


WRITERS: dict[str, Any] = {
    "bert": lambda directory: write_bert(directory, seed=0),
    "gpt2": lambda directory: write_gpt2(directory, seed=0),
    "roberta": write_roberta,
    "t5": write_t5,
}


@pytest.mark.parametrize("name", WRITERS)
def test_ids_have_the_special_tokens_that_the_model_reads(name, tmp_path):
    model = pellucid.load(WRITERS[name](tmp_path), device="cpu")
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        ids = tokenizer(text).input_ids
        assert model.ids(text) == ids
        words = tokenizer(text.replace(".", "").replace(",", "")).input_ids
        assert model.text(words) == tokenizer.decode(words, skip_special_tokens=True)
    assert model.ids(TEXTS[0], TEXTS[1]) == tokenizer(TEXTS[0], TEXTS[1]).input_ids


def test_ids_are_those_of_a_translation():  # authority: what `translate` itself reads and writes
    model: Loaded = pellucid.load("en-de", device="cpu")
    (result,) = model.translate(TEXTS[:1])
    assert model.ids(TEXTS[0]) == list(result.source_ids)
    assert model.text(result.ids) == result.text
    assert model.text([*result.ids, model.tokenizer.target.id("eos")]) == result.text
