"""GPT-3: a larger GPT-2 that learns tasks from its prompt (Brown et al. 2020).

What is special: every second layer attends to a band of the latest tokens only. Its weights were
never published, nor the width of the band: this is GPT-Neo's, the closest model with weights (see
there for the differences).
"""

from dataclasses import replace

from pellucid.config.model import ModelConfig
from pellucid.families import gpt2
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.model import Transformer

WINDOW = 256
SMALL = replace(gpt2.SMALL, max_length=2048, windows=(0, WINDOW))


def resize(n_layers: int, d_model: int, n_heads: int, d_head: int) -> ModelConfig:
    """Return another size; the feed-forward is always four times as wide as the model."""
    return replace(
        SMALL,
        n_decoder_layers=n_layers,
        d_model=d_model,
        n_heads=n_heads,
        d_head=d_head,
        d_ff=4 * d_model,
    )


# Table 2.1. It gives xl 24 heads of 128, which are wider than d_model and would give 1.5 B
# parameters instead of its 1.3 B: 16 must be meant. 40 heads of 128 in 13b are 20 below d_model.
PRESETS = {
    "small": SMALL,
    "medium": resize(24, 1024, 16, 64),
    "large": resize(24, 1536, 16, 96),
    "xl": resize(24, 2048, 16, 128),
    "2.7b": resize(32, 2560, 32, 80),
    "6.7b": resize(32, 4096, 32, 128),
    "13b": resize(40, 5140, 40, 128),
    "175b": resize(96, 12288, 96, 128),
}

GPT3 = UnpublishedFamily(
    name="gpt3",
    config_class=ModelConfig,
    module=Transformer,
    presets=PRESETS,
    vocab_size=gpt2.GPT2.vocab_size,
)
