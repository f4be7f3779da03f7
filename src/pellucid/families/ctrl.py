"""CTRL: a decoder whose first token, a control code, sets the kind of text (Keskar et al. 2019).

What is special: positions are sinusoids, all sines before all cosines, so its files hold none;
embeddings are multiplied by sqrt(d_model) as in the paper; the output is the embedding, with a
bias. Control codes are plain words of the vocabulary: a text must start with one, and there is no
start or end token.
"""

from dataclasses import replace

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import TIED, Field
from pellucid.families.renames import Rename, attention_renames, feed_forward_renames
from pellucid.text.special_tokens import LANGUAGE_MODEL_TOKENS

LARGE = ModelConfig(
    d_model=1280,
    n_encoder_layers=0,
    n_decoder_layers=48,
    n_heads=16,
    d_ff=8192,
    max_length=256,
    positions="sinusoid-halves",
    norm_place="pre",
    norm_eps=1e-6,
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("n_positions", "max_length", 256),
    Field("n_embd", "d_model", 1280),
    Field("dff", "d_ff", 8192),
    Field("n_layer", "n_decoder_layers", 48),
    Field("n_head", "n_heads", 16),
    Field("resid_pdrop", "dropout", 0.1),
    TIED,
)


LAYER, INNER = "transformer.h.{}", "decoder.layers.{}"
MAPS = [f"multi_head_attention.{name}" for name in ("Wq", "Wk", "Wv", "dense")]

CTRL = Family(
    name="ctrl",
    vocab_size=246_534,
    objective="next word",
    preset=LARGE,
    presets={
        "micro": replace(LARGE, d_model=128, n_decoder_layers=4, n_heads=4, d_ff=512),
        "large": LARGE,
    },
    base_prefix="transformer.",
    fields=FIELDS,
    # The published class uses it in the last norm only, and this value in all others.
    required_settings={"layer_norm_epsilon": LARGE.norm_eps},
    write_special=lambda c, heads: {"embd_pdrop": c.dropout},
    renames=(
        Rename("transformer.w.weight", "decoder.embedding.weight"),
        *attention_renames(LAYER, f"{INNER}.attention", *MAPS, norm="layernorm1"),
        *feed_forward_renames(LAYER, f"{INNER}.feed_forward", "ffn.0", "ffn.2", "layernorm2"),
        Rename("transformer.layernorm", "decoder.norm"),
    ),
    heads={
        "CTRLLMHeadModel": (
            PublishedHead("lm", HeadConfig(kind="lm"), (Rename("lm_head", "output"),)),
        ),
        "CTRLForSequenceClassification": (
            PublishedHead(
                "classifier",
                HeadConfig(kind="sequence", outputs=2, bias=False, pool="last"),
                (Rename("classifier", "output"),),
            ),
        ),
        "CTRLModel": (),
    },
    special_tokens=LANGUAGE_MODEL_TOKENS,
    roles=Roles(start="", end="", banned=()),
)
