"""The recurrent translator that the Transformer beat: its size, how it is trained, its config.

Nothing is published for it: it is kept in our own layout.
"""

from collections.abc import Mapping
from typing import Any

from pellucid.config.model import ModelConfig
from pellucid.config.read import build
from pellucid.config.rnn import RNNConfig
from pellucid.config.run import RunConfig
from pellucid.errors import ConfigError

# As wide as `small` of the Transformer, with as much dropout as `tiny`: it has fewer weights.
PRESETS = {"rnn": RNNConfig(dropout=0.3)}

TRAINING: dict[str, Any] = {"rate": 2e-3, "warmup": 400, "clip_norm": 1.0}
"""A peak whose decay reaches Adam's usual 1e-3 (Kingma and Ba 2015) after 1,600 updates; gradients
clipped to length 1, as in Bahdanau et al. 2015, appendix B.2: through time they may explode."""

KINDS: dict[str, type] = {"transformer": ModelConfig, "rnn": RNNConfig}
"""What a model of our own layout is, by the family that its config.json names."""


def family_of(c: ModelConfig | RNNConfig) -> str:
    """The family of a config. Raises: ConfigError if our own layout does not keep it."""
    for name, kind in KINDS.items():
        if type(c) is kind:
            return name
    raise ConfigError(
        f"a {type(c).__name__} is not kept in our own layout. Export it in its family's:"
        " pellucid export."
    )


def build_run(mapping: Mapping[str, Any], where: str) -> RunConfig:
    """A run's config, its model's settings read as those of the kind that its size names.

    Raises: ConfigError as `config.read.build`.
    """
    size, model = mapping.get("size", "auto"), mapping.get("model")
    size = size if isinstance(size, str) else ""  # reading the config says what is wrong with it
    kind, other = (RNNConfig, ModelConfig) if size in PRESETS else (ModelConfig, RNNConfig)
    for name in model if isinstance(model, Mapping) else ():
        if name in other.__dataclass_fields__ and name not in kind.__dataclass_fields__:
            use = "another size" if size in PRESETS else f"size: {', '.join(PRESETS)}"
            raise ConfigError(
                f"{where}: model.{name} is no setting of a model of size {size}, but of the other"
                f" kind. Leave it out, or use {use}."
            )
    return build(RunConfig, mapping, where, {"model": kind})
