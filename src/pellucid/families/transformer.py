"""The Transformer of Vaswani et al. 2017: its sizes, and smaller ones for small data.

Every default of `ModelConfig` is this family's.
"""

from pellucid.config.model import ModelConfig
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.model import Transformer

# base and big: table 3 of the paper. tiny: Wu et al. 2021 (arXiv:2105.14462), for about 30,000
# sentences; small: between the two, for a few hundred thousand.
PRESETS = {
    "tiny": ModelConfig(
        d_model=128, d_ff=256, n_heads=4, n_encoder_layers=4, n_decoder_layers=4, dropout=0.3
    ),
    "small": ModelConfig(
        d_model=256, d_ff=1024, n_heads=4, n_encoder_layers=4, n_decoder_layers=4, dropout=0.2
    ),
    "base": ModelConfig(),
    "big": ModelConfig(d_model=1024, d_ff=4096, n_heads=16, dropout=0.3),
}

TRANSFORMER = UnpublishedFamily(
    name="transformer",
    config_class=ModelConfig,
    module=Transformer,
    presets=PRESETS,
    vocab_size=37_000,  # section 5.1
)
