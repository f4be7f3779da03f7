"""Search and tokenizer settings that only config.json holds.  Authority: transformers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from formats.small_models import BOTH_STACKS
from parity.peer import vary_weights
from pellucid.decoding.generate import Request, generate
from pellucid.errors import VerificationError
from pellucid.formats import import_published as importing
from pellucid.formats.import_published import import_published
from pellucid.formats.open_model import open_model
from text.published import samples

SEARCH: dict[str, Any] = {
    "num_beams": 4,
    "length_penalty": 2.0,
    "early_stopping": True,
    "no_repeat_ngram_size": 3,
    "max_length": 30,
    "min_length": 5,
    "bad_words_ids": [[9], [11]],
    "task_specific_params": {"summarization": {"prefix": "summarize: "}},
}
SOURCES = [[0, *range(12, 20), 2], [0, 30, 31, 17, 2], [0, 44, 2]]


def legacy_bart(directory: Path, **settings: Any) -> Path:
    """A directory from before generation_config.json, with its search in config.json."""
    config = transformers.BartConfig(vocab_size=50, **BOTH_STACKS)
    vary_weights(transformers.BartForConditionalGeneration(config), seed=4).save_pretrained(
        directory
    )
    (directory / "generation_config.json").unlink(missing_ok=True)
    path = directory / "config.json"
    content = json.loads(path.read_text())
    del content["forced_eos_token_id"]
    path.write_text(json.dumps({**content, **settings}))
    return directory


@torch.no_grad()
def generate_reference(directory: Path) -> list[list[int]]:
    reference: Any = transformers.BartForConditionalGeneration.from_pretrained(directory).eval()
    rows = [reference.generate(torch.tensor([row]))[0].tolist()[1:] for row in SOURCES]
    return [[i for i in row if i not in (1, 2)] for row in rows]


def generate_actual(directory: Path) -> list[list[int]]:
    bundle = open_model(directory)
    texts = generate(bundle.model, Request(SOURCES), bundle.special_ids, bundle.decoding)
    return [[i for i in best.ids if i not in (1, 2)] for best, *_ in texts]


def test_an_import_keeps_the_search_of_a_config(tmp_path):
    source = legacy_bart(tmp_path / "source", **SEARCH, eos_token_id=[2, 3])
    import_published(source, tmp_path / "copy")
    original, copy = open_model(source), open_model(tmp_path / "copy")
    assert (original.decoding.beam, original.source_prefix) == (4, "summarize: ")
    for name in ("decoding", "token_ids", "banned", "source_prefix", "notes"):
        assert getattr(copy, name) == getattr(original, name), name
    config = transformers.AutoConfig.from_pretrained(tmp_path / "copy")
    assert config.task_specific_params == SEARCH["task_specific_params"]


@pytest.mark.parametrize("flag", [True, False])
def test_texts_start_with_the_start_token_if_a_config_says_so(flag, tmp_path):
    settings = {"force_bos_token_to_be_generated": flag, "max_length": 12, "num_beams": 2}
    source = legacy_bart(tmp_path / "source", **settings, forced_bos_token_id=None)
    expected = generate_reference(source)
    assert all(text[0] == 0 for text in expected) == flag
    assert generate_actual(source) == expected
    import_published(source, tmp_path / "copy")
    assert generate_actual(tmp_path / "copy") == expected


def test_the_flag_alone_and_beside_a_generation_config(tmp_path):
    source = legacy_bart(tmp_path / "source", force_bos_token_to_be_generated=True)
    assert open_model(source).token_ids["forced_bos_token_id"] == 0
    (source / "generation_config.json").write_text(json.dumps({"max_length": 9}))
    reference: Any = transformers.BartForConditionalGeneration.from_pretrained(source)
    assert reference.generation_config.forced_bos_token_id is None
    assert "forced_bos_token_id" not in open_model(source).token_ids


def mbart_50(directory: Path) -> Path:
    """An mBART-50 whose tokenizer class is in config.json alone, as on the hub."""
    directory.mkdir()
    samples.mbart(directory)
    (directory / "tokenizer_config.json").write_text(json.dumps({"src_lang": "de_DE"}))
    reference = transformers.MBart50Tokenizer.from_pretrained(directory)
    config = transformers.MBartConfig(vocab_size=len(reference), **BOTH_STACKS)
    transformers.MBartForConditionalGeneration(config).save_pretrained(directory)
    path = directory / "config.json"
    settings = {"tokenizer_class": "MBart50Tokenizer"}
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return directory


def test_an_import_keeps_the_tokenizer_class_of_a_config(tmp_path):
    source = mbart_50(tmp_path / "source")
    reference = transformers.MBart50Tokenizer.from_pretrained(source)
    import_published(source, tmp_path / "copy")
    text = "the cat sleeps"
    for directory in (source, tmp_path / "copy"):
        tokenizer = open_model(directory).tokenizers.source
        ids = tokenizer.add_special_tokens(tokenizer.encode(text).ids).ids
        assert ids == reference(text)["input_ids"]


@pytest.mark.parametrize("name", ["num_beams", "task_specific_params", "tokenizer_class"])
def test_a_copy_that_would_differ_is_refused(name, tmp_path, monkeypatch):
    source = mbart_50(tmp_path / "source")
    path = source / "config.json"
    path.write_text(json.dumps({**SEARCH, **json.loads(path.read_text())}))
    (source / "generation_config.json").unlink()
    monkeypatch.setattr(importing, "KEPT_SETTINGS", importing.KEPT_SETTINGS - {name})
    with pytest.raises(VerificationError, match="would differ from the original"):
        import_published(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
