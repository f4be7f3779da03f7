"""mT5: T5 1.1 on text of 101 languages (Xue et al. 2021).

What differs from T5: the feed-forward is gated, and states are never scaled before the output, tied
or not; other sizes and a larger vocabulary.
"""

from dataclasses import replace

from pellucid.families.fields import with_defaults
from pellucid.families.t5 import FIELDS, SMALL, T5

TIED = replace(
    SMALL,
    d_ff=1024,
    n_encoder_layers=8,
    n_decoder_layers=8,
    n_heads=6,
    activation="gelu-tanh",
    gated=True,
)
"""The smallest size. The published ones have an output of their own."""
DEFAULTS = {"d_ff": 1024, "num_layers": 8, "num_heads": 6, "feed_forward_proj": "gated-gelu"}
# Size -> d_model, d_ff, layers in each stack, heads.  Source: the released config.json files.
SIZES = {
    "small": (512, 1024, 8, 6),
    "base": (768, 2048, 12, 12),
    "large": (1024, 2816, 24, 16),
    "xl": (2048, 5120, 24, 32),
    "xxl": (4096, 10240, 24, 64),
}

MT5 = replace(
    T5,
    name="mt5",
    vocab_size=250_112,
    preset=TIED,
    presets={
        size: replace(
            TIED,
            d_model=d_model,
            d_ff=d_ff,
            n_encoder_layers=n_layers,
            n_decoder_layers=n_layers,
            n_heads=n_heads,
            tie_embeddings="inputs",
        )
        for size, (d_model, d_ff, n_layers, n_heads) in SIZES.items()
    },
    fields=with_defaults(FIELDS, DEFAULTS),
    read_head=None,
    adapt_head=None,
    heads={f"M{name}": heads for name, heads in T5.heads.items() if name != "T5WithLMHeadModel"},
    class_prefixes={f"M{name}": prefix for name, prefix in T5.class_prefixes.items()},
)
