"""GPT-2: a decoder without encoder, trained to predict the next token (Radford et al. 2019).

What is special: a norm before each sublayer and one at the end; its files hold queries, keys
and values as one matrix, stored (in, out).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families.common_heads import LM, SPAN, TAGGER
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import ACTIVATIONS, TIED, Field
from pellucid.families.renames import Rename
from pellucid.text.special_tokens import LANGUAGE_MODEL_TOKENS

SMALL = ModelConfig(
    d_model=768,
    n_encoder_layers=0,
    n_decoder_layers=12,
    n_heads=12,
    d_ff=3072,
    max_length=1024,
    positions="learned",
    norm_place="pre",
    activation="gelu-tanh",
    scale_embeddings=False,
    attention_dropout=0.1,
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("n_positions", "max_length", 1024),
    Field("n_embd", "d_model", 768),
    Field("n_layer", "n_decoder_layers", 12),
    Field("n_head", "n_heads", 12),
    Field("activation_function", "activation", "gelu_new", ACTIVATIONS),
    Field("layer_norm_epsilon", "norm_eps", 1e-5),
    Field("resid_pdrop", "dropout", 0.1),
    Field("attn_pdrop", "attention_dropout", 0.1),
    TIED,
    Field("scale_attn_weights", "attention_scale", True, {True: "sqrt", False: "none"}),
)


def read_inner_width(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Set d_ff, which is 4 d_model by default."""
    return {**settings, "d_ff": config.get("n_inner") or 4 * settings["d_model"]}


def layers(qkv: str, out: str, up: str, down: str) -> tuple[Rename, ...]:
    """Return the renames of a layer of GPT or GPT-2; arguments: published names of its linears."""
    layer, inner = "transformer.h.{}.", "decoder.layers.{}."
    attention = f"{inner}attention.inner."
    return (
        Rename(layer + qkv, (f"{attention}q", f"{attention}k", f"{attention}v"), transposed=True),
        Rename(layer + out, f"{attention}o", transposed=True),
        Rename(layer + up, f"{inner}feed_forward.inner.up", transposed=True),
        Rename(layer + down, f"{inner}feed_forward.inner.down", transposed=True),
        Rename(f"{layer}ln_1", f"{inner}attention.norm"),
        Rename(f"{layer}ln_2", f"{inner}feed_forward.norm"),
    )


# A decoder's last token is the only one that has seen the whole text.
CLASSIFIER = PublishedHead(
    "classifier",
    HeadConfig(kind="sequence", outputs=2, bias=False, pool="last"),
    (Rename("score", "output"),),
)

# nanogpt is the shape that nanoGPT's README trains on a CPU; micro and mini have the layers and
# widths of minGPT's models of these names.
GPT2 = Family(
    name="gpt2",
    vocab_size=50_257,
    objective="next word",
    preset=SMALL,
    presets={
        "nanogpt": replace(
            SMALL,
            d_model=128,
            n_decoder_layers=4,
            n_heads=4,
            d_ff=512,
            max_length=64,
            dropout=0.0,
            attention_dropout=0.0,
        ),
        "micro": replace(
            SMALL, d_model=128, n_decoder_layers=4, n_heads=4, d_ff=512, max_length=256
        ),
        "mini": replace(
            SMALL, d_model=192, n_decoder_layers=6, n_heads=6, d_ff=768, max_length=256
        ),
        "small": SMALL,
        "medium": replace(SMALL, d_model=1024, n_decoder_layers=24, n_heads=16, d_ff=4096),
        "large": replace(SMALL, d_model=1280, n_decoder_layers=36, n_heads=20, d_ff=5120),
        "xl": replace(SMALL, d_model=1600, n_decoder_layers=48, n_heads=25, d_ff=6400),
    },
    base_prefix="transformer.",
    fields=FIELDS,
    required_settings={
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
    },
    read_special=read_inner_width,
    write_special=lambda c, heads: {"n_inner": c.d_ff, "embd_pdrop": c.dropout},
    renames=(
        Rename("transformer.wte.weight", "decoder.embedding.weight"),
        Rename("transformer.wpe.weight", "decoder.embedding.positions.weight"),
        *layers("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"),
        Rename("transformer.ln_f", "decoder.norm"),
    ),
    heads={
        "GPT2LMHeadModel": (LM,),
        "GPT2ForSequenceClassification": (CLASSIFIER,),
        "GPT2ForTokenClassification": (TAGGER,),
        "GPT2ForQuestionAnswering": (SPAN,),
        "GPT2Model": (),
    },
    ignored_tensors=("transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias"),
    special_tokens=LANGUAGE_MODEL_TOKENS,
    roles=Roles(start="eos", banned=()),  # one token both ends a text and starts the next
)
