"""Transformer-XL: a decoder with a memory of earlier segments (Dai et al. 2019).

What is special: each layer has a memory of its earlier states, zeros before a text, to which every
query attends; positions are distances, scored apart from content; adaptive input and softmax, so
its output is log-probabilities. Its files hold queries, keys and values as one matrix, and the
frequencies of the sinusoids. Its published tokenizer was a pickle, which is never read: a word list
(vocab.txt) or a tokenizer.json replaces it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pellucid.config.decoding import Roles
from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import TIED, Field
from pellucid.families.renames import Rename
from pellucid.families.transformer_xl.model import TransformerXL
from pellucid.text.special_tokens import LANGUAGE_MODEL_TOKENS

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
# The smaller model of Dai et al. 2019, table 2: 12 layers, 41 million parameters.
ENWIK8 = TransformerXLConfig(
    d_model=512,
    n_encoder_layers=0,
    n_decoder_layers=12,
    n_heads=8,
    d_ff=2048,
    max_length=512,
    positions="sinusoid-halves",
    mem_len=512,
    activation_dropout=0.1,
)
MICRO = replace(
    ENWIK8, d_model=128, n_decoder_layers=4, n_heads=4, d_ff=512, max_length=64, mem_len=64
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
    Field("tgt_len", "max_length", 1600),  # tokens of a segment, which the model does not need
    Field("mem_len", "mem_len", 1600),
    Field("same_length", "same_length", True),
    Field("clamp_len", "clamp_len", 1000),
    Field("untie_r", "share_biases", True, {True: False, False: True}),
    Field("layer_norm_epsilon", "norm_eps", 1e-5),
    Field("dropout", "dropout", 0.1),
    Field("dropatt", "attention_dropout", 0.0),
    TIED,
)


def read_clusters(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Set cutoffs, tie_projections, clamp_len (-1: no bound) and activation_dropout."""
    cutoffs = tuple(config.get("cutoffs", WT103.cutoffs))
    is_shared = bool(config.get("proj_share_all_but_first", True))
    ties = config.get("tie_projs", [False, *[is_shared] * len(cutoffs)])
    return {
        **settings,
        "cutoffs": cutoffs,
        "tie_projections": tuple(ties)[: len(cutoffs) + 1],
        "clamp_len": max(0, settings["clamp_len"]),
        "activation_dropout": settings["dropout"],
    }


def write_clusters(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the settings that are not in `FIELDS`, with explicit widths."""
    assert isinstance(c, TransformerXLConfig)
    return {
        "d_embed": c.embedding_width,  # 0 in our config means d_model
        "d_head": c.head_width,
        "cutoffs": list(c.cutoffs),
        "tie_projs": list(c.tie_projections),
    }


def remove_ties(c: ModelConfig, aliases: Collection[str]) -> ModelConfig:
    """Return the config without the ties of these aliases."""
    assert isinstance(c, TransformerXLConfig)
    ties = [
        t and f"heads.lm.projections.{i}" not in aliases for i, t in enumerate(c.tie_projections)
    ]
    tables = "none" if any(".tables." in name for name in aliases) else c.tie_embeddings
    return replace(c, tie_embeddings=tables, tie_projections=tuple(ties))


def renames(c: ModelConfig) -> list[Rename]:
    """Return all renames except those of heads; shared biases have no layer number."""
    assert isinstance(c, TransformerXLConfig)
    layer, inner = "transformer.layers.{}.", "decoder.layers.{}."
    published, internal = f"{layer}dec_attn.", f"{inner}attention.inner."
    biases = {"r_w_bias": "content_bias", "r_r_bias": "distance_bias"} if c.share_biases else {}
    shared = [
        Rename(
            f"transformer.{bias}",
            f"decoder.layers.0.attention.inner.{name}",
            alternative=f"transformer.layers.0.dec_attn.{bias}",
        )
        for bias, name in biases.items()
    ]
    return [
        Rename("transformer.word_emb.emb_layers.{}.weight", "decoder.embedding.tables.{}"),
        Rename("transformer.word_emb.emb_projs.{}", "decoder.embedding.projections.{}"),
        *shared,
        Rename(f"{published}r_w_bias", f"{internal}content_bias"),
        Rename(f"{published}r_r_bias", f"{internal}distance_bias"),
        Rename(f"{published}qkv_net", (f"{internal}q", f"{internal}k", f"{internal}v")),
        Rename(f"{published}r_net", f"{internal}r"),
        Rename(f"{published}o_net", f"{internal}o"),
        Rename(f"{published}layer_norm", f"{inner}attention.norm"),
        Rename(f"{layer}pos_ff.CoreNet.0", f"{inner}feed_forward.inner.up"),
        Rename(f"{layer}pos_ff.CoreNet.3", f"{inner}feed_forward.inner.down"),
        Rename(f"{layer}pos_ff.layer_norm", f"{inner}feed_forward.norm"),
    ]


def frequencies(c: ModelConfig, architecture: str) -> dict[str, Tensor]:
    """Return the frequencies of the sinusoids, a buffer that files contain."""
    pair = torch.arange(0, c.d_model, 2, dtype=torch.float32)  # (D/2,)
    return {"transformer.pos_emb.inv_freq": 1 / 10_000 ** (pair / c.d_model)}


TRANSFO_XL = Family(
    name="transfo-xl",
    vocab_size=WT103.vocab_size,
    objective="next word",
    preset=WT103,
    presets={"micro": MICRO, "enwik8": ENWIK8, "wt103": WT103},
    positions="distances as sinusoids, sines first",
    module=TransformerXL,
    base_prefix="transformer.",
    fields=FIELDS,
    required_settings={"attn_type": 0, "pre_lnorm": False},
    read_special=read_clusters,
    write_special=write_clusters,
    remove_ties=remove_ties,
    renames=renames,
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
    special_tokens=LANGUAGE_MODEL_TOKENS,
    roles=Roles(start="eos", banned=()),
)
