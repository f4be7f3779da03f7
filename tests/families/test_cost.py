"""Costs.  Authorities: transformers' classes (their count of parameters), torch's count of
multiplications, and the tables of sizes that papers print."""

import resource
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import gpt3, t5
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.cost import build_on_meta, compute_cost, count_token_weights
from pellucid.families.transformer import TRANSFORMER
from pellucid.nn import kernels
from pellucid.nn.model import build

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


def counted(c: ModelConfig, heads: Any = None, family: Any = TRANSFORMER) -> Any:
    return compute_cost(build_on_meta(family, c, heads))


@pytest.mark.parametrize("name", SHAPES)
def test_a_model_in_memory_has_the_same_cost(name):  # authority: torch's own list of parameters
    model = build(SHAPES[name], seed=0, heads=HEADS)
    assert compute_cost(model) == counted(SHAPES[name], HEADS)
    sizes = {p.data_ptr(): p.numel() for p in model.parameters()}
    assert compute_cost(model).parameters == sum(sizes.values())


CLASSES = [
    (name, architecture)
    for name, family in PUBLISHED_FAMILIES.items()
    for architecture in family.heads
    # transformers dropped the first of these, and the second is another name of a class.
    if name != "transfo-xl" and architecture != "T5WithLMHeadModel"
]


@pytest.mark.parametrize(("name", "architecture"), CLASSES)
def test_each_class_has_as_many_parameters_as_in_transformers(name, architecture):
    family = PUBLISHED_FAMILIES[name]
    heads = {head.name: head.config for head in family.heads[architecture]}
    c = replace(family.preset, vocab_size=family.vocab_size)
    if architecture in t5.ENCODERS:
        c = replace(c, n_decoder_layers=0)
    config = family.write_config(c, heads, {"architectures": [architecture]})
    del config["model_type"]
    outputs = [head.outputs for head in heads.values() if head.kind in ("sequence", "token")]
    config["num_labels"] = max(outputs, default=0) or 2
    with torch.device("meta"):
        reference = getattr(transformers, architecture)(
            transformers.AutoConfig.for_model(name, **config)
        )
    reference.tie_weights()
    # Sinusoids are parameters there, which are never trained; a bias of logits is a buffer.
    expected = sum(p.numel() for p in reference.parameters() if p.requires_grad)
    expected += sum(b.numel() for n, b in reference.named_buffers() if n == "final_logits_bias")
    assert counted(c, heads, family).parameters == expected


# Devlin et al. 2019, section 3; Liu et al. 2019 and Lan et al. 2020, table 1; Radford et al. 2019,
# table 2 as corrected by its authors; Raffel et al. 2020, section 3.8; Keskar et al. 2019;
# Xue et al. 2021, table 1.
PUBLISHED = {
    ("bert", "base"): 110,
    ("bert", "large"): 340,
    ("albert", "base"): 12,
    ("albert", "large"): 18,
    ("albert", "xlarge"): 60,
    ("gpt2", "small"): 124,
    ("mt5", "small"): 300,
    ("mt5", "base"): 580,
    ("mt5", "large"): 1200,
    ("mt5", "xl"): 3700,
    ("mt5", "xxl"): 13000,
    ("ctrl", "large"): 1630,
}
# Brown et al. 2020, table 2.1, in millions. The paper rounds, medium the most: by its own layers
# and width, and GPT-2's vocabulary, it has 356 M.
GPT3_SIZES = {
    "small": 125,
    "medium": 350,
    "large": 760,
    "xl": 1300,
    "2.7b": 2700,
    "6.7b": 6700,
    "13b": 13_000,
    "175b": 175_000,
}


@pytest.mark.parametrize(("name", "size"), PUBLISHED)
def test_families_are_as_large_as_their_papers_say(name, size):
    family = PUBLISHED_FAMILIES[name]
    classes = list(family.heads.values())  # of a decoder its language model, of an encoder no head
    heads = {
        head.name: head.config for head in classes[0 if family.preset.n_decoder_layers else -1]
    }
    actual = counted(replace(family.presets[size], vocab_size=family.vocab_size), heads, family)
    assert abs(actual.parameters / 1e6 / PUBLISHED[name, size] - 1) <= 0.05


@pytest.mark.parametrize("name", GPT3_SIZES)
def test_gpt3_is_as_large_as_its_paper_says(name):
    c = replace(gpt3.PRESETS[name], vocab_size=gpt3.GPT3.vocab_size)
    assert abs(counted(c).parameters / 1e6 / GPT3_SIZES[name] - 1) <= 0.03


def test_the_largest_is_counted_without_its_memory():
    c = replace(gpt3.PRESETS["175b"], vocab_size=gpt3.GPT3.vocab_size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted(c)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


# Without "slice": its block-diagonal maps are multiplied as whole ones, zeros and all.
@pytest.mark.parametrize("name", [name for name in SHAPES if name != "slice"])
def test_flops_are_those_that_torch_counts(name, monkeypatch):
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: True)  # what the counter knows
    c, n = SHAPES[name], 7
    # float64 is left to torch's plain operators, which the counter knows as well.
    model = build(c, seed=0, heads=HEADS).eval().double().requires_grad_(False)
    ids = torch.arange(n)[None]
    with FlopCounterMode(display=False) as counter:
        state = model(ids, target_ids=ids if c.n_decoder_layers else None)
        model.heads["lm"](state), model.heads["tagger"](state)
    assert counted(c, HEADS).flops(n) * n == counter.get_total_flops()


def test_flops_of_bands():  # authority: by hand
    c = ModelConfig(
        vocab_size=9, d_model=4, n_encoder_layers=0, n_decoder_layers=3, n_heads=2, windows=(0, 3)
    )
    actual = counted(c)
    assert actual.flops(2) - 2 * actual.token_weights == 4 * 4 * (2 + 2 + 2)  # q k and weights v
    assert actual.flops(10) - 2 * actual.token_weights == 4 * 4 * (10 + 3 + 10)


def test_a_vocabulary_must_be_known():
    with pytest.raises(ConfigError, match="tokenizer"):
        counted(ModelConfig())


def test_heads_of_one_state_and_tables_cost_no_token():  # authority: by hand
    model = build(ODD, seed=0, heads={"tagger": HEADS["tagger"], "pooled": HEADS["pooled"]})
    assert count_token_weights(model.heads["pooled"]) == 0
    assert count_token_weights(model.heads["tagger"]) == 24 * 24 + 5 * 24
    assert count_token_weights(model.get_submodule("encoder.embedding")) == 0
