"""Text CNN: a convolutional classifier of texts (Kim 2014).

What is special: 100 convolutions each over 3, 4 and 5 neighboring words; the maximum of each over
the text says whether its phrase occurs, wherever it is. Vectors are learned with the rest (the
paper's CNN-rand). Adam replaces Adadelta, and weight decay the bound on the norm of the output.
"""

from pellucid.config.baselines import TextCNNConfig
from pellucid.config.head import HeadConfig
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.cnn import TextCNN
from pellucid.text.special_tokens import PLAIN_TOKENS

TEXT_CNN = UnpublishedFamily(
    name="text_cnn",
    config_class=TextCNNConfig,
    module=TextCNN,
    presets={"text-cnn": TextCNNConfig()},
    heads={"classifier": HeadConfig(kind="sequence", outputs=2, pool="max", dropout=0.5)},
    training={"rate": 1e-3},
    special_tokens=PLAIN_TOKENS,
)
