"""The recurrent translator that the Transformer beat: its size, and how it is trained."""

from pellucid.config.rnn import RNNConfig
from pellucid.families.family import OwnFamily
from pellucid.nn.rnn import RecurrentTranslator

RNN = OwnFamily(
    name="rnn",
    config_class=RNNConfig,
    module=RecurrentTranslator,
    # As wide as `small` of the Transformer, with as much dropout as `tiny`: it has fewer weights.
    presets={"rnn": RNNConfig(dropout=0.3)},
    # A peak whose decay reaches Adam's usual 1e-3 (Kingma and Ba 2015) after 1,600 updates;
    # gradients clipped to length 1, as in Bahdanau et al. 2015, appendix B.2: through time they may
    # explode.
    training={"rate": 2e-3, "warmup": 400, "clip_norm": 1.0},
)
