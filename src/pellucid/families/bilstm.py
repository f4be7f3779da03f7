"""BiLSTM: a recurrent classifier of texts and tagger of words, with a CRF or without.

What is special: an LSTM reads the text in each direction. A text is represented by the maximum of
each number over its words (Conneau et al. 2017, BiLSTM-Max), a word by the two states at its first
token (Huang et al. 2015, BiLSTM-CRF).
"""

from pellucid.config.baselines import BiLSTMConfig
from pellucid.config.head import HeadConfig
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.baseline import BiLSTM
from pellucid.text.special_tokens import PLAIN_TOKENS

BILSTM = UnpublishedFamily(
    name="bilstm",
    config_class=BiLSTMConfig,
    module=BiLSTM,
    presets={"bilstm": BiLSTMConfig()},
    heads={
        "classifier": HeadConfig(kind="sequence", outputs=2, pool="max", dropout=0.5),
        "tagger": HeadConfig(kind="token", outputs=2, dropout=0.5),
    },
    training={"rate": 2e-3},
    special_tokens=PLAIN_TOKENS,
)
