"""Skip-gram with negative sampling: word vectors (Mikolov et al. 2013)."""

from pellucid.config.skip_gram import SkipGramConfig
from pellucid.families.family import UnpublishedFamily
from pellucid.nn.skip_gram import SkipGram

SKIP_GRAM = UnpublishedFamily(
    name="skip-gram",
    config_class=SkipGramConfig,
    module=SkipGram,
    presets={"skip-gram": SkipGramConfig()},
)
