"""The paper's Transformer as a Marian, or pre-norm as a PEGASUS.

Authority: transformers, on the directory written.
"""

from typing import Any

import pytest
import torch
import transformers

from parity.peer import assert_close, check_texts, export_and_open, randomize, vary_weights
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.decoding.search import SpecialIds
from pellucid.errors import ConfigError
from pellucid.formats.bundle import Bundle
from pellucid.formats.huggingface import open_published
from pellucid.formats.save_bundle import export_published
from pellucid.formats.transformer_export import convert_transformer
from pellucid.inference.translate import translate
from pellucid.nn.model import Transformer, build
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizer

SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "d_model": 12,
    "n_encoder_layers": 2,
    "n_decoder_layers": 3,
    "n_heads": 2,
    "d_ff": 16,
    "max_length": 40,
}
ID = {"pad": 0, "bos": 1, "eos": 2, "unk": 3}
SOURCE = torch.tensor([[5, 9, 7, 3, 11, 2], [8, 4, 6, 2, 0, 0], [5, 12, 2, 0, 0, 0]])
KEEP = SOURCE != 0
TARGET = torch.tensor([[1, 9, 7, 3], [1, 4, 6, 2], [1, 5, 8, 9]])


def made(heads: dict[str, HeadConfig] | None = None, **changes: Any) -> Transformer:
    model = build(ModelConfig(**{**SHAPE, **changes}), seed=1, heads=heads)
    randomize(model)
    return model


@torch.no_grad()
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_embeddings": "inputs"},
        {"tie_embeddings": "none"},
        {"tie_embeddings": "decoder", "target_vocab_size": 30},
        {"tie_embeddings": "decoder"},
        {"tie_embeddings": "none", "target_vocab_size": 60},
        {"positions": "sinusoid-halves", "activation": "swish"},
        {"scale_embeddings": False, "activation": "gelu-tanh"},
        {"heads": {"lm": HeadConfig(kind="lm")}},
        {"d_head": 6, "n_decoder_layers": 1},
        {"norm_place": "pre"},
        {"norm_place": "pre", "tie_embeddings": "inputs"},
        {"norm_place": "pre", "tie_embeddings": "decoder", "activation": "gelu"},
        {"norm_place": "pre", "heads": {"lm": HeadConfig(kind="lm")}},
    ],
    ids=str,
)
def test_the_same_logits(changes, tmp_path):
    model = made(**changes)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    expected = model.heads["lm"](model(SOURCE, KEEP, TARGET))
    published = convert_transformer(model, Roles(), ID.__getitem__)
    kind = "PegasusForConditionalGeneration" if "norm_place" in changes else "MarianMTModel"
    reference = export_and_open(published, getattr(transformers, kind), tmp_path / "marian")
    result = reference(SOURCE, attention_mask=KEEP.long(), decoder_input_ids=TARGET).logits
    assert_close(result, expected)
    again = open_published(tmp_path / "marian").model
    assert_close(again.heads["lm"](again(SOURCE, KEEP, TARGET)), expected)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def parts(roles: Roles) -> Bundle:
    """A finished run's model that writes texts which differ."""
    text = ["the quick brown fox jumps over a lazy dog", "0123456789"]
    config = TokenizerConfig(kind="char", vocab_size=60, min_frequency=1)
    tokenizer = train_tokenizer(text, config)
    c = ModelConfig(**{**SHAPE, "vocab_size": tokenizer.vocab_size, "tie_embeddings": "none"})
    model = build(c, seed=1)
    return Bundle(
        model=vary_weights(model, seed=2),
        model_config=c,
        tokenizers=Tokenizers(tokenizer, tokenizer),
        task="translation",
        roles=roles,
        decoding=DecodingConfig(),
        languages=("en", "de"),
        longest_source=30,
        card="",
    )


@pytest.mark.parametrize("roles", [Roles(), Roles(forced_first="unk", banned=("pad", "bos"))])
def test_the_same_translations(roles, tmp_path):
    """What may not be written, and how a text begins, stands in the directory."""
    actual = parts(roles)
    export_published(tmp_path / "marian", actual)
    reference = transformers.MarianMTModel.from_pretrained(tmp_path / "marian").eval()
    id_of = actual.tokenizers.target.id
    forced = id_of(roles.forced_first) if roles.forced_first else None
    banned = tuple(map(id_of, roles.banned))
    check_texts(actual.model, reference, SpecialIds(id_of("bos"), id_of("eos"), banned, forced))


@torch.no_grad()
def test_exported_it_translates_texts_the_same(tmp_path):
    """Authority: transformers, which has its tokens from the exported tokenizer alone."""
    actual = parts(Roles())
    texts = ["the quick brown fox", "a lazy dog 0123456789", "fox", "jumps over", "brown dog", ""]
    result = [
        best.text for best, *_ in translate(actual, texts, DecodingConfig(beam=3, max_length=20))
    ]
    export_published(tmp_path / "marian", actual)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tmp_path / "marian")
    reference: Any = transformers.MarianMTModel.from_pretrained(tmp_path / "marian").eval()
    end = actual.tokenizers.source.id("eos")
    for text, expected in zip(texts[:-1], result, strict=False):
        inputs = tokenizer(text, return_tensors="pt")
        row = inputs["input_ids"][0].tolist()
        assert row == [*actual.tokenizers.source.encode(text).ids, end]
        ids = reference.generate(**inputs, num_beams=3, max_length=21, early_stopping=True)
        assert tokenizer.decode(ids[0], skip_special_tokens=True) == expected
    assert len(set(result)) > 3, "equal texts prove little"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("positions", "learned"),
        ("positions", "none"),
        ("head_split", "slice"),
        ("gated", True),
        ("norm", "rms"),
        ("norm_eps", 1e-6),
        ("embedding_norm", True),
        ("attention_scale", "none"),
        ("bias", "none"),
        ("windows", (0, 2)),
        ("layer_groups", 1),
        ("n_segments", 2),
        ("d_head", 4),
        ("n_encoder_layers", 0),
        ("n_decoder_layers", 0),
    ],
)
@pytest.mark.parametrize("place", ["post", "pre"])
def test_what_has_no_form_there_is_refused(place, name, value):
    heads = {"lm": HeadConfig(kind="lm", bias=False)}
    model = made(heads, norm_place=place, **{name: value})
    with pytest.raises(ConfigError, match=f"{name}="):
        convert_transformer(model, Roles(), ID.__getitem__)


def test_a_second_vocabulary_is_refused_before_norms(tmp_path):
    model = made(norm_place="pre", tie_embeddings="none", target_vocab_size=60)
    with pytest.raises(ConfigError, match="target_vocab_size=60"):
        convert_transformer(model, Roles(), ID.__getitem__)


@pytest.mark.parametrize(
    "heads",
    [
        {},
        {"lm": HeadConfig(kind="lm", scale=2.0)},
        {"tagger": HeadConfig(kind="token", outputs=3)},
    ],
)
def test_other_heads_are_refused(heads):
    with pytest.raises(ConfigError, match="heads "):
        convert_transformer(made(heads), Roles(), ID.__getitem__)
