"""GPT: a decoder pretrained on plain text, then fine-tuned for each task (Radford et al. 2018).

What is special: the paper's own layers, norms behind the residual sums, in a decoder without
encoder; its files hold queries, keys and values as one matrix, stored (in, out), and say "gelu"
where they mean the approximation. Its vocabulary has no token that opens or ends a text.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import gpt2
from pellucid.families.family import TIED, Family, Field, Row

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


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """What is not in `FIELDS`. Raises: ConfigError at a shape that their config cannot tell."""
    if c.d_ff != 4 * c.d_model:
        raise ConfigError(
            f"d_ff={c.d_ff}, but a GPT's feed-forward is four times d_model={c.d_model}, and its"
            f" config.json has no word for another. Use d_ff={4 * c.d_model}, or a GPT-2."
        )
    return {"embd_pdrop": c.dropout}


GPT = Family(
    name="openai-gpt",
    vocabulary=40_478,
    objective="next word",
    preset=BASE,
    presets={"base": BASE},
    base="transformer.",
    fields=FIELDS,
    adjust=lambda theirs, found: {**found, "d_ff": 4 * found["d_model"]},
    extra=write,
    rows=(
        Row("transformer.tokens_embed.weight", "decoder.embedding.weight"),
        Row("transformer.positions_embed.weight", "decoder.embedding.positions.weight"),
        *gpt2.layers("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"),
    ),
    heads={
        "OpenAIGPTLMHeadModel": (gpt2.LM,),
        "OpenAIGPTForSequenceClassification": (gpt2.CLASSIFIER,),
        "OpenAIGPTModel": (),
    },
    unused=("transformer.h.{}.attn.bias", "transformer.position_ids"),
    roles=Roles(start="", end="", banned=()),
)
