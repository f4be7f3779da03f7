"""Search and embedding settings in pellucid's own layout.  Authority: the bundle that was saved."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from formats.small_models import GPT, SMALL, TOKENIZERS
from parity.peer import randomize, vary_weights
from pellucid.config.embedding import EmbeddingConfig
from pellucid.decoding.generate import Request, generate
from pellucid.errors import VerificationError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.manifest import write_manifest
from pellucid.nn.dense import Dense

FIELDS = ("token_ids", "banned", "decoding", "roles", "embedding", "prompts", "special_ids")


def published(kind: str, directory: Path, **search: Any) -> Bundle:
    """A random model of transformers with settings in generation_config.json."""
    settings = SMALL if kind == "Bart" else GPT
    name = "BartForConditionalGeneration" if kind == "Bart" else "GPT2LMHeadModel"
    config = getattr(transformers, f"{kind}Config")(**settings, tie_word_embeddings=False)
    vary_weights(getattr(transformers, name)(config)).save_pretrained(directory)
    path = directory / "generation_config.json"
    ids = {"eos_token_id": 2, "pad_token_id": 0, "bos_token_id": 1}
    path.write_text(json.dumps({**ids, "decoder_start_token_id": 1, **search}))
    return replace(open_model(directory), tokenizers=TOKENIZERS)


def windowed(bundle: Bundle) -> Bundle:
    """The model with a window, which the published GPT-2 cannot express."""
    config: Any = bundle.model_config
    c = replace(config, windows=(0, 4))
    model = PUBLISHED_FAMILIES["gpt2"].build(c, 1, bundle.model.head_configs)
    return replace(bundle, model=model.eval(), model_config=c)


def save_and_open(directory: Path, bundle: Bundle, dtype: Any = "fp32") -> Bundle:
    save_bundle(directory, bundle, dtype)
    assert json.loads((directory / "config.json").read_text())["model_type"] == "pellucid"
    opened = open_model(directory)
    for name in FIELDS:
        assert getattr(opened, name) == getattr(bundle, name), name
    return opened


def test_banned_ids_of_a_windowed_model(tmp_path):
    bundle = windowed(published("GPT2", tmp_path / "gpt2", suppress_tokens=[1, 5]))
    assert bundle.banned == (1, 5)
    opened = save_and_open(tmp_path / "m", bundle)
    request = Request([[7, 8], [9]], continues_source=True)
    texts = [
        generate(each.model, request, each.special_ids, each.decoding) for each in (bundle, opened)
    ]
    assert texts[0] == texts[1]


def test_forced_and_banned_ids_of_an_encoder_decoder(tmp_path):
    search = {"forced_bos_token_id": 7, "suppress_tokens": [9, 10, 11], "max_length": 12}
    bundle = published("Bart", tmp_path / "bart", **search)
    assert bundle.special_ids.forced_first == 7
    opened = save_and_open(tmp_path / "m", bundle, "int8")
    save_bundle(tmp_path / "n", opened)  # and back in the published layout
    reference: Any = transformers.BartForConditionalGeneration.from_pretrained(tmp_path / "n")
    settings = reference.generation_config
    assert (settings.forced_bos_token_id, settings.suppress_tokens) == (7, [9, 10, 11])


@pytest.mark.parametrize("has_dense", [True, False])
def test_dense_layers_and_prompts(has_dense, tmp_path):
    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=50, intermediate_size=12, **sizes)
    randomize(transformers.BertModel(config)).save_pretrained(tmp_path / "bert")
    dense = vary_weights(Dense(8, 6, True, torch.nn.Tanh()))
    bundle = replace(
        open_model(tmp_path / "bert"),
        tokenizers=TOKENIZERS,
        embedding=EmbeddingConfig(pooling="first", normalize=True, longest=20, prompt="Query: "),
        prompts={"prompts": {"query": "Query: "}, "default_prompt_name": "query"},
        dense=(dense,) if has_dense else (),
    )
    save_bundle(tmp_path / "m", bundle, "int8")
    opened = open_model(tmp_path / "m")
    assert opened.embedding == bundle.embedding
    assert {**opened.prompts} == {**bundle.prompts}
    assert len(opened.dense) == has_dense
    vectors = torch.randn(3, 8)
    for mine, reference in zip(opened.dense, bundle.dense, strict=True):
        torch.testing.assert_close(mine(vectors), reference(vectors))


def rewrite(directory: Path, **changes: Any) -> None:
    path = directory / "generation_config.json"
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    (directory / "manifest.json").unlink()
    write_manifest(directory)


def test_directories_without_these_settings_and_ids_that_cannot_be(tmp_path):
    bundle = windowed(published("GPT2", tmp_path / "gpt2", suppress_tokens=[1, 5]))
    save_bundle(tmp_path / "m", bundle)
    rewrite(tmp_path / "m", token_ids=None, banned=None)  # as written by version 0.1
    opened = open_model(tmp_path / "m")
    assert (dict(opened.token_ids), opened.banned) == ({}, ())
    for change in ({"banned": [10**6]}, {"token_ids": {"eos_token_id": -1}}):
        rewrite(tmp_path / "m", **change)
        with pytest.raises(VerificationError, match=r"generation_config.json: .* token ids are"):
            open_model(tmp_path / "m")
