"""GPT: a decoder pretrained on plain text, then fine-tuned for each task (Radford et al. 2018).

What is special: the layers of the Transformer's paper, with norms after the residual sums, in a
decoder without encoder; its files hold queries, keys and values as one matrix, stored (in, out),
and "gelu" in its config is the approximation. Its vocabulary has no start or end token.
"""

from dataclasses import replace

from pellucid.config.decoding import Roles
from pellucid.families import gpt2
from pellucid.families.common_heads import LM
from pellucid.families.family import Family
from pellucid.families.fields import TIED, Field
from pellucid.families.renames import Rename
from pellucid.text.special_tokens import LANGUAGE_MODEL_TOKENS

BASE = replace(gpt2.SMALL, max_length=512, norm_place="post")
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("n_positions", "max_length", 512),
    Field("n_embd", "d_model", 768),
    Field("n_layer", "n_decoder_layers", 12),
    Field("n_head", "n_heads", 12),
    Field(
        "afn",
        "activation",
        "gelu",
        {"gelu": "gelu-tanh", "relu": "relu", "silu": "swish", "swish": "swish"},
    ),
    Field("layer_norm_epsilon", "norm_eps", 1e-5),
    Field("resid_pdrop", "dropout", 0.1),
    Field("attn_pdrop", "attention_dropout", 0.1),
    TIED,
)


GPT = Family(
    name="openai-gpt",
    vocab_size=40_478,
    objective="next word",
    preset=BASE,
    presets={
        "micro": replace(
            BASE, d_model=128, n_decoder_layers=4, n_heads=4, d_ff=512, max_length=256
        ),
        "base": BASE,
    },
    base_prefix="transformer.",
    fields=FIELDS,
    read_special=lambda config, settings: {**settings, "d_ff": 4 * settings["d_model"]},
    write_special=lambda c, heads: {"embd_pdrop": c.dropout},
    renames=(
        Rename("transformer.tokens_embed.weight", "decoder.embedding.weight"),
        Rename("transformer.positions_embed.weight", "decoder.embedding.positions.weight"),
        *gpt2.layers("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"),
    ),
    heads={
        "OpenAIGPTLMHeadModel": (LM,),
        "OpenAIGPTForSequenceClassification": (gpt2.CLASSIFIER,),
        "OpenAIGPTModel": (),
    },
    ignored_tensors=("transformer.h.{}.attn.bias", "transformer.position_ids"),
    special_tokens=LANGUAGE_MODEL_TOKENS,
    roles=Roles(start="", end="", banned=()),
)
