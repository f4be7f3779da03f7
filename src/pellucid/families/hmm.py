"""HMM: a hidden Markov model that tags words (Church 1988).

What is special: it is three tables, of the first tag, of each tag after another, and of each word
given its tag. The tables of highest likelihood are relative frequencies; training comes to them by
gradient. Words that occur once are the unknown word, so that unseen words have a probability.
"""

from pellucid.config.baselines import HMMConfig
from pellucid.config.head import HeadConfig
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.hmm import HiddenMarkovModel
from pellucid.text.special_tokens import PLAIN_TOKENS

HMM = UnpublishedFamily(
    name="hmm",
    config_class=HMMConfig,
    module=HiddenMarkovModel,
    presets={"hmm": HMMConfig()},
    heads={"tagger": HeadConfig(kind="token", outputs=2, crf=True)},
    # The loss is convex in the logits, so a high rate is safe; decay would flatten the tables.
    training={"rate": 0.2, "weight_decay": 0.0, "clip_norm": 0.0},
    tokenizer={"kind": "word", "vocab_size": 50_000},
    special_tokens=PLAIN_TOKENS,
)
