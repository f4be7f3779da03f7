"""Bag of words: the mean of word vectors, classified by a linear map (Iyyer et al. 2015).

What is special: the order of words does not matter. The simplest neural classifier of texts.
"""

from pellucid.config.baselines import BagOfWordsConfig
from pellucid.config.head import HeadConfig
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.baseline import BagOfWords
from pellucid.text.special_tokens import PLAIN_TOKENS

BAG_OF_WORDS = UnpublishedFamily(
    name="bag_of_words",
    config_class=BagOfWordsConfig,
    module=BagOfWords,
    presets={"bag-of-words": BagOfWordsConfig()},
    heads={"classifier": HeadConfig(kind="sequence", outputs=2, pool="mean")},
    training={"rate": 2e-3},
    special_tokens=PLAIN_TOKENS,
)
