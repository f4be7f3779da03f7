"""Plans.  Authorities: models of the same shape (torch's count of tensors, of what a file takes,
and of multiplications); the table of sizes that GPT-3's paper prints."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import gpt3, transformer
from pellucid.families.catalog import FAMILIES
from pellucid.families.plan import plan
from pellucid.nn import kernels
from pellucid.nn.model import Transformer, build
from pellucid.nn.weights import read_tensors, save_weights, tie

VOCABULARY = 50257
ODD = ModelConfig(  # no two sizes alike, and few defaults
    vocab_size=50,
    target_vocab_size=70,
    d_model=24,
    n_encoder_layers=2,
    n_decoder_layers=3,
    n_heads=3,
    d_head=6,
    d_ff=40,
    max_length=16,
    positions="learned",
    first_position=2,
    n_segments=2,
    norm_place="pre",
    embedding_norm=True,
    gated=True,
    bias="no-qkv",
    tie_embeddings="decoder",
)
LM = HeadConfig(kind="lm", activation="gelu", norm=True)
HEADS = {
    "lm": LM,
    "tagger": HeadConfig(kind="token", outputs=5, activation="tanh", crf=True),
    "classifier": HeadConfig(kind="sequence", outputs=3, activation="tanh"),
    "pooled": HeadConfig(kind="sequence", activation="tanh"),
}
SHAPES = {
    "odd": ODD,
    "no-bias": replace(ODD, bias="none", gated=False, norm="rms"),
    "untied": replace(ODD, tie_embeddings="none", positions="buckets"),
    "inputs": replace(ODD, target_vocab_size=0, tie_embeddings="inputs", positions="sinusoid"),
    "all": replace(ODD, target_vocab_size=0, tie_embeddings="all", norm_place="post"),
    "narrow": replace(
        ODD,
        target_vocab_size=0,
        d_embedding=10,
        n_encoder_layers=4,
        n_decoder_layers=0,
        layer_groups=2,
    ),
    "slice": replace(ODD, n_encoder_layers=0, head_split="slice", d_head=0, bias="all"),
}


def on_meta(c: ModelConfig, heads=None, module=Transformer) -> int:
    with torch.device("meta"):
        model = module(c, heads)
    tie(model)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", SHAPES)
def test_every_part_is_counted(name):
    assert plan(SHAPES[name], HEADS).parameters == on_meta(SHAPES[name], HEADS)


@pytest.mark.parametrize("name", FAMILIES)
def test_families(name):
    family = FAMILIES[name]
    for c in (family.preset, *family.presets.values()):
        c = c if c.vocab_size else replace(c, vocab_size=VOCABULARY)
        for classes in family.heads.values() if c == family.preset else [()]:
            heads = {head.name: head.config for head in classes}
            assert family.plan(c, heads).parameters == on_meta(c, heads, family.module)


@pytest.mark.parametrize("presets", [transformer.PRESETS, gpt3.PRESETS])
def test_presets_without_a_family(presets):
    for preset in presets.values():
        c = replace(preset, vocab_size=VOCABULARY)
        assert plan(c).parameters == on_meta(c)


# Brown et al. 2020, table 2.1, in millions. The paper rounds, medium the most: by its own layers
# and width, and GPT-2's vocabulary, it has 356 M.
SIZES = {
    "small": 125,
    "medium": 350,
    "large": 760,
    "xl": 1300,
    "2.7b": 2700,
    "6.7b": 6700,
    "13b": 13_000,
    "175b": 175_000,
}


@pytest.mark.parametrize("name", SIZES)
def test_gpt3_is_as_large_as_its_paper_says(name):
    found = plan(replace(gpt3.PRESETS[name], vocab_size=VOCABULARY)).parameters
    assert abs(found / 1e6 / SIZES[name] - 1) <= 0.03


@pytest.mark.parametrize("kind", ["fp32", "fp16", "bf16", "int8"])
@pytest.mark.parametrize("name", SHAPES)
def test_bytes_are_the_files(name, kind, tmp_path):
    save_weights(build(SHAPES[name], seed=0, heads=HEADS), tmp_path / "file", kind)
    stored = read_tensors(tmp_path / "file").values()
    assert plan(SHAPES[name], HEADS).bytes[kind] == sum(t.numel() * t.itemsize for t in stored)


# Without "slice": its block-diagonal maps are multiplied as whole ones, zeros and all.
@pytest.mark.parametrize("name", [name for name in SHAPES if name != "slice"])
def test_flops_are_those_that_torch_counts(name, monkeypatch):
    monkeypatch.setattr(kernels, "prefers_matmul", lambda q, k: True)  # what the counter knows
    c, n = SHAPES[name], 7
    # float64 is left to torch's plain operators, which the counter knows as well.
    model = build(c, seed=0, heads=HEADS).eval().double().requires_grad_(False)
    ids = torch.arange(n)[None]
    with FlopCounterMode(display=False) as counter:
        state = model(ids, target_ids=ids if c.n_decoder_layers else None)
        model.heads["lm"](state), model.heads["tagger"](state)
    assert plan(c, HEADS).flops(n) * n == counter.get_total_flops()


def test_flops_of_bands():  # authority: by hand
    c = ModelConfig(
        vocab_size=9, d_model=4, n_encoder_layers=0, n_decoder_layers=3, n_heads=2, windows=(0, 3)
    )
    planned = plan(c)
    assert planned.flops(2) - 2 * planned.products == 4 * 4 * (2 + 2 + 2)  # q k and weights v
    assert planned.flops(10) - 2 * planned.products == 4 * 4 * (10 + 3 + 10)


def test_a_vocabulary_must_be_known():
    with pytest.raises(ConfigError, match="tokenizer"):
        plan(ModelConfig())
