"""BART: an encoder-decoder trained to restore noised text (Lewis et al. 2020).

Differences to the original Transformer: learned positions whose first two rows are not used, a norm
after the embeddings, and a bias on the logits that stays 0 in training. To classify a text, both
stacks read it, and the head reads the decoder state at the last end token.
"""

from dataclasses import replace

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families.common_heads import END_CLASSIFIER, SPAN
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import ACTIVATIONS, TIED, Field
from pellucid.families.renames import Rename, attention_renames, feed_forward_renames
from pellucid.text.special_tokens import BART_TOKENS

BASE = ModelConfig(
    d_model=768,
    n_encoder_layers=6,
    n_decoder_layers=6,
    n_heads=12,
    d_ff=3072,
    max_length=1024,
    positions="learned",
    first_position=2,  # as in fairseq: positions start after the id of the padding token
    embedding_norm=True,
    activation="gelu",
    scale_embeddings=False,
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("d_model", "d_model", 1024),
    Field("encoder_layers", "n_encoder_layers", 12),
    Field("decoder_layers", "n_decoder_layers", 12),
    Field(("encoder_attention_heads", "decoder_attention_heads"), "n_heads", 16),
    Field(("encoder_ffn_dim", "decoder_ffn_dim"), "d_ff", 4096),
    Field("max_position_embeddings", "max_length", 1024),
    Field("activation_function", "activation", "gelu", ACTIVATIONS),
    Field("scale_embedding", "scale_embeddings", False, {False: False, True: True}),
    Field("dropout", "dropout", 0.1),
    Field("attention_dropout", "attention_dropout", 0.0),
    Field("activation_dropout", "activation_dropout", 0.0),
    TIED,
)


def renames(c: ModelConfig) -> list[Rename]:
    """Return the renames of encoder and decoder for BART, mBART and Marian."""
    shared, first, second = (
        f"model.{name}.weight"
        for name in ("shared", "encoder.embed_tokens", "decoder.embed_tokens")
    )
    if c.tie_embeddings in ("all", "inputs"):
        table = [
            Rename(shared, "encoder.embedding.weight", alternative=first),
            Rename(second, "decoder.embedding.weight"),
        ]
    else:  # a file may also have the shared embedding, unused or in place of both
        table = [
            Rename(first, "encoder.embedding.weight", alternative=shared, writes_both=True),
            Rename(second, "decoder.embedding.weight", alternative=shared),
        ]
    for side in ("encoder", "decoder"):
        layer, inner = f"model.{side}.layers.{{}}", f"{side}.layers.{{}}"
        table += [
            Rename(f"model.{side}.embed_positions.weight", f"{side}.embedding.positions.weight"),
            Rename(f"model.{side}.layernorm_embedding", f"{side}.embedding.norm"),
            Rename(f"model.{side}.layer_norm", f"{side}.norm"),
            *feed_forward_renames(layer, f"{inner}.feed_forward", "fc1", "fc2", "final_layer_norm"),
        ]
        for part, sublayer in (("self_attn", "attention"), ("encoder_attn", "cross")):
            maps = [f"{part}.{name}_proj" for name in ("q", "k", "v", "out")]
            norm = f"{part}_layer_norm"
            table += attention_renames(layer, f"{inner}.{sublayer}", *maps, norm=norm)
    return table


LM = PublishedHead(
    "lm",
    HeadConfig(kind="lm"),
    (
        Rename("lm_head.weight", "output.weight"),
        Rename("final_logits_bias", "output.bias", leading_axis=True),
    ),
)

BART = Family(
    name="bart",
    vocab_size=50_265,
    objective="denoising",
    preset=BASE,
    presets={
        "base": BASE,
        "large": replace(
            BASE, d_model=1024, n_encoder_layers=12, n_decoder_layers=12, n_heads=16, d_ff=4096
        ),
    },
    base_prefix="model.",
    fields=FIELDS,
    renames=renames,
    heads={
        "BartForConditionalGeneration": (LM,),
        "BartForSequenceClassification": (END_CLASSIFIER,),
        "BartForQuestionAnswering": (SPAN,),
        "BartModel": (),
    },
    ignored_tensors=("model.encoder.version", "model.decoder.version"),
    roles=Roles(start="eos", banned=("pad",)),
    special_tokens=BART_TOKENS,
)
