"""The recurrent translator with attention, from before the Transformer: its size and training."""

from pellucid.config.rnn import RNNConfig
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.rnn import RecurrentTranslator

RNN = UnpublishedFamily(
    name="rnn",
    config_class=RNNConfig,
    module=RecurrentTranslator,
    # The width of the Transformer's `small` and the dropout of its `tiny`: it has fewer weights.
    presets={"rnn": RNNConfig(dropout=0.3)},
    # The decay from the peak reaches Adam's usual 1e-3 (Kingma and Ba 2015) after 1,600 updates;
    # gradients are clipped to norm 1, as in Bahdanau et al. 2015, appendix B.2: they can explode
    # through time.
    training={"rate": 2e-3, "warmup": 400, "clip_norm": 1.0},
)
