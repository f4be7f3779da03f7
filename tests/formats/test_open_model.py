"""Opening published directories.  Authority: transformers, where it opens them too."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import pellucid
from cli.writers import END, write_bert, write_gpt2
from pellucid.cli.main import main
from pellucid.errors import PellucidError, UsageError, VerificationError
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.text.published.open import open_tokenizers
from text.published.samples import wordpiece

WORD = "<new>"


def with_one_token_more(directory: Path) -> int:
    """Give the tokenizer of a GPT-2 a token that the model has no row for; its id."""
    size = open_tokenizers(directory).source.vocab_size
    entry = {"content": WORD, "special": False, "normalized": False, "lstrip": False}
    path = directory / "tokenizer_config.json"
    config = json.loads(path.read_text())
    table = {str(size): {**entry, "rstrip": False, "single_word": False}}
    path.write_text(json.dumps({**config, "added_tokens_decoder": table}))
    return size


@torch.no_grad()
def test_a_tokenizer_may_have_more_tokens_than_the_model_has_rows(tmp_path):
    directory = write_gpt2(tmp_path / "gpt2", seed=1)
    size = with_one_token_more(directory)
    assert main(["import", str(directory), str(tmp_path / "kept")]) == 0
    save_bundle(tmp_path / "own", open_model(directory), "int8")
    reference: Any = transformers.GPT2LMHeadModel.from_pretrained(directory).eval()
    for place in (directory, tmp_path / "kept", tmp_path / "own"):
        model = pellucid.load(place, device="cpu")
        texts = ["The old dog", "A cat saw"]
        actual = model.generate(texts, beam=1, max_length=6)
        if place != tmp_path / "own":
            for text, best in zip(texts, actual, strict=True):
                row = torch.tensor([model.tokenizer.source.encode(text).ids])
                expected = reference.generate(
                    row, max_new_tokens=6, do_sample=False, pad_token_id=0
                )
                assert list(best.ids) == [i for i in expected[0, row.shape[1] :].tolist() if i]
        for use in (model.generate, model.embed):
            with pytest.raises(UsageError, match=rf"'{WORD}' \(id {size}\).*only {size} rows"):
                use([f"The {WORD} dog"])
        with pytest.raises(UsageError, match="rows"):
            model.generate(texts, prefix=WORD)
        with pytest.raises(UsageError, match="rows"):
            model.generate(texts, banned=[WORD])
        assert END in model.tokenizer.source.tokens.values()


def test_a_role_without_a_row_is_none(tmp_path):  # as <mask> of facebook/bart-large-cnn
    directory = write_bert(tmp_path / "bert", seed=1)
    tokenizer = open_tokenizers(directory).source
    mask = tokenizer.id("mask")
    bounded = tokenizer.limit_vocab(mask)
    assert "mask" not in bounded.roles
    assert tokenizer.id("mask") == mask
    assert max(bounded.pieces_by_id) == mask - 1
    with pytest.raises(UsageError, match="no 'mask' token"):
        bounded.id("mask")
    assert tokenizer.limit_vocab(tokenizer.vocab_size) is tokenizer


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("generation_config.json", '{"num_beams": "many"}'),
        ("tokenizer_config.json", '{"tokenizer_class": "Nobody"}'),
        ("merges.txt", None),
        ("modules.json", '[{"type": "x.Unheard", "path": ""}]'),
        ("pellucid.json", "{}"),
    ],
)
def test_what_cannot_be_opened_is_not_imported(file, content, tmp_path):
    """Authority: opening it."""
    directory = Path(shutil.copytree(write_gpt2(tmp_path / "m", seed=1), tmp_path / "copied"))
    path = directory / file
    path.unlink() if content is None else path.write_text(content)
    for command in (["info", str(directory)], ["import", str(directory), str(tmp_path / "kept")]):
        assert main(command) != 0
    with pytest.raises(PellucidError):
        open_model(directory)
    assert not (tmp_path / "kept").exists()


def test_git_lfs_pointers_that_opening_does_not_read(tmp_path):
    """As after `git lfs pull --include=model.safetensors`.  Authority: the files that are read."""
    directory = write_bert(tmp_path / "bert", seed=1)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 438000\n"
    for name in ("tf_model.h5", "pytorch_model.bin", "flax_model.msgpack"):
        (directory / name).write_text(pointer)
    assert open_model(directory).family == "bert"
    (directory / "vocab.txt").write_text(pointer)
    with pytest.raises(VerificationError, match=r"vocab\.txt is a Git LFS pointer"):
        open_model(directory)


def test_a_truncation_side_that_is_not_supported_is_reported(tmp_path):  # authority: the words
    directory = wordpiece(tmp_path, tokenizer_class="BertTokenizer", truncation_side="left")
    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=2000, intermediate_size=12, **sizes)
    transformers.BertModel(config).save_pretrained(directory)
    (note,) = open_model(directory).notes
    assert note.startswith("truncation_side=left: ")
    assert main(["info", str(directory)]) == 0
