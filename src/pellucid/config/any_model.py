"""The config of any model."""

from pellucid.config.baselines import BagOfWordsConfig, BiLSTMConfig, HMMConfig, TextCNNConfig
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.config.skip_gram import SkipGramConfig

AnyModelConfig = (
    ModelConfig
    | RNNConfig
    | BagOfWordsConfig
    | TextCNNConfig
    | BiLSTMConfig
    | HMMConfig
    | SkipGramConfig
)
