"""Transformer-XL: a decoder that remembers what it read before its segment (Dai et al. 2019).

What is special: a memory of each layer's earlier states, zeros before a text, to which every query
attends; places as distances, scored apart from content; adaptive input and softmax, so that its
output is log-probabilities. Its files hold queries, keys and values as one matrix, and the
frequencies of the sinusoids. Its published tokenizer was a pickle, which is never read: a word list
(vocab.txt) or a tokenizer.json stands in for it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pellucid.config.decoding import Roles
from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import TIED, Field
from pellucid.families.renames import Rename
from pellucid.families.transformer_xl.config import TransformerXLConfig
from pellucid.families.transformer_xl.model import TransformerXL

WT103 = TransformerXLConfig(
    vocab_size=267_735,
    d_model=1024,
    d_embedding=1024,
    n_encoder_layers=0,
    n_decoder_layers=18,
    n_heads=16,
    d_head=64,
    d_ff=4096,
    max_length=1600,
    positions="sinusoid-halves",
    cutoffs=(20_000, 40_000, 200_000),
    div_val=4,
    tie_projections=(False, True, True, True),
    mem_len=1600,
    clamp_len=1000,
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("d_model", "d_model", 1024),
    Field("d_embed", "d_embedding", 1024),
    Field("n_layer", "n_decoder_layers", 18),
    Field("n_head", "n_heads", 16),
    Field("d_head", "d_head", 64),
    Field("d_inner", "d_ff", 4096),
    Field("div_val", "div_val", 4),
    Field("mem_len", "mem_len", 1600),
    Field("same_length", "same_length", True),
    Field("clamp_len", "clamp_len", 1000),
    Field("untie_r", "share_biases", True, {True: False, False: True}),
    Field("layer_norm_epsilon", "norm_eps", 1e-5),
    Field("dropout", "dropout", 0.1),
    Field("dropatt", "attention_dropout", 0.0),
    TIED,
)


def read(theirs: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The lists, a bound that is not set (-1), and the dropout inside feed-forward layers."""
    cutoffs = tuple(theirs.get("cutoffs", WT103.cutoffs))
    shared = bool(theirs.get("proj_share_all_but_first", True))
    tied = theirs.get("tie_projs", [False, *[shared] * len(cutoffs)])
    return {
        **found,
        "cutoffs": cutoffs,
        "tie_projections": tuple(tied)[: len(cutoffs) + 1],
        "clamp_len": max(0, found["clamp_len"]),
        "activation_dropout": found["dropout"],
    }


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """What is not in `FIELDS`, and widths as numbers."""
    assert isinstance(c, TransformerXLConfig)
    return {
        "d_embed": c.embedding_width,  # ours may be 0, which follows from the other widths
        "d_head": c.head_width,
        "cutoffs": list(c.cutoffs),
        "tie_projs": list(c.tie_projections),
    }


def untie(c: ModelConfig, differing: Collection[str]) -> ModelConfig:
    """The config without the ties that end in these names."""
    assert isinstance(c, TransformerXLConfig)
    ties = [
        t and f"heads.lm.projections.{i}" not in differing for i, t in enumerate(c.tie_projections)
    ]
    words = any(".tables." in name for name in differing)
    tied = "none" if words else c.tie_embeddings
    return replace(c, tie_embeddings=tied, tie_projections=tuple(ties))


def rows(c: ModelConfig) -> list[Rename]:
    """Its names; biases that all layers share stand beside them."""
    assert isinstance(c, TransformerXLConfig)
    layer, inner = "transformer.layers.{}.", "decoder.layers.{}."
    theirs, ours = f"{layer}dec_attn.", f"{inner}attention.inner."
    shared = []
    for name, own in (("r_w_bias", "content_bias"), ("r_r_bias", "distance_bias")):
        if c.share_biases:
            first = f"transformer.layers.0.dec_attn.{name}"
            there = f"decoder.layers.0.attention.inner.{own}"
            shared.append(Rename(f"transformer.{name}", there, alternative=first))
    return [
        Rename("transformer.word_emb.emb_layers.{}.weight", "decoder.embedding.tables.{}"),
        Rename("transformer.word_emb.emb_projs.{}", "decoder.embedding.projections.{}"),
        *shared,
        Rename(f"{theirs}r_w_bias", f"{ours}content_bias"),
        Rename(f"{theirs}r_r_bias", f"{ours}distance_bias"),
        Rename(f"{theirs}qkv_net", (f"{ours}q", f"{ours}k", f"{ours}v")),
        Rename(f"{theirs}r_net", f"{ours}r"),
        Rename(f"{theirs}o_net", f"{ours}o"),
        Rename(f"{theirs}layer_norm", f"{inner}attention.norm"),
        Rename(f"{layer}pos_ff.CoreNet.0", f"{inner}feed_forward.inner.up"),
        Rename(f"{layer}pos_ff.CoreNet.3", f"{inner}feed_forward.inner.down"),
        Rename(f"{layer}pos_ff.layer_norm", f"{inner}feed_forward.norm"),
    ]


def frequencies(c: ModelConfig, architecture: str) -> dict[str, Tensor]:
    """Of the sinusoids: a buffer of theirs, which files hold beside the weights."""
    pair = torch.arange(0, c.d_model, 2, dtype=torch.float32)  # (D/2,)
    return {"transformer.pos_emb.inv_freq": 1 / 10_000 ** (pair / c.d_model)}


TRANSFO_XL = Family(
    name="transfo-xl",
    vocab_size=WT103.vocab_size,
    objective="next word",
    preset=WT103,
    presets={"wt103": WT103},
    positions="distances as sinusoids, sines first",
    module=TransformerXL,
    base_prefix="transformer.",
    fields=FIELDS,
    required_settings={"attn_type": 0, "pre_lnorm": False},
    read_special=read,
    write_special=write,
    remove_ties=untie,
    renames=rows,
    fixed_tensors=frequencies,
    heads={
        "TransfoXLLMHeadModel": (
            PublishedHead(
                "lm",
                LANGUAGE_MODEL,
                (
                    Rename("crit.out_layers.{}.weight", "tables.{}"),
                    Rename("crit.out_layers.{}.bias", "biases.{}"),
                    Rename("crit.out_projs.{}", "projections.{}"),
                    Rename("crit.cluster_weight", "cluster_weight"),
                    Rename("crit.cluster_bias", "cluster_bias"),
                ),
                marker="crit.out_layers.{}.bias",
            ),
        ),
        "TransfoXLForSequenceClassification": (
            PublishedHead(
                "classifier",
                HeadConfig(kind="sequence", outputs=2, bias=False, pool="last"),
                (Rename("score", "output"),),
            ),
        ),
        "TransfoXLModel": (),
    },
    ignored_tensors=("transformer.pos_emb.inv_freq",),
    roles=Roles(start="eos", banned=()),
)
