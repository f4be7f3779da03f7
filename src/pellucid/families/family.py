"""What a family file declares: sizes, weight names, heads, and how its configs read and write."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.read import build, merge
from pellucid.errors import ConfigError
from pellucid.families.fields import Field
from pellucid.families.renames import Rename
from pellucid.nn.base import Model
from pellucid.nn.model import Transformer, materialize
from pellucid.text.special_tokens import BERT_TOKENS, TRANSLATION_TOKENS, SpecialTokens

ReadSpecial = Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any]]
ReadHead = Callable[[Mapping[str, Any], HeadConfig], HeadConfig]
WriteSpecial = Callable[[ModelConfig, Mapping[str, HeadConfig]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class UnpublishedFamily:
    """A family without published weights; its models are saved in pellucid's own layout."""

    name: str
    config_class: type
    """The dataclass of its model's settings."""
    module: Callable[..., Model]
    """Builds the model from its config and its heads' configs."""
    presets: Mapping[str, Any]
    """Configs by size."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Training settings that differ from the Transformer's."""
    vocab_size: int = 0
    """The paper's vocabulary; 0 if there is none."""
    special_tokens: SpecialTokens = TRANSLATION_TOKENS
    """Special tokens of a new tokenizer."""


class PublishedHead(NamedTuple):
    """A head of a published class."""

    name: str
    config: HeadConfig
    renames: Sequence[Rename]
    """Weight names; ours are those below `heads.NAME.`."""
    settings: Sequence[Field] = ()
    """Numbers of the head that a published config may set; the last of two for one number wins."""
    marker: str = ""
    """A published tensor that shows the head is there, for files that leave out tied tensors."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A published architecture: everything in which it differs from the others.

    "Published" is what `transformers` reads and writes: class names, config.json, tensor names.
    """

    name: str
    """Its model_type in config.json."""
    preset: ModelConfig
    """Its first published size, or the smallest; vocab_size is 0 if a tokenizer decides it."""
    presets: Mapping[str, ModelConfig] = field(default_factory=dict)
    """Published sizes."""
    vocab_size: int
    """Tokens of its published tokenizer, used to count the parameters of a size."""
    objective: str
    """What it was pretrained to predict, in a word or two, for the table of families."""
    positions: str = ""
    """How it encodes positions, for the same table; empty if the preset's name of it says all."""
    module: Callable[..., Model] = Transformer
    """Builds the model from its config and its heads' configs."""

    fields: Sequence[Field]
    """Settings that config.json and our config share."""
    required_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of config.json that change the numbers, each with the one supported value."""
    read_special: ReadSpecial | None = None
    """(config.json, settings read by `fields`) -> our settings, if `fields` cannot express them."""
    read_head: ReadHead | None = None
    """(config.json, head) -> head, if config.json changes it beyond its `settings`."""
    write_special: WriteSpecial | None = None
    """(our config, heads) -> settings of config.json that `fields` cannot express."""

    base_prefix: str
    """Prefix of all published tensors but the heads'; a file may lack it."""
    class_prefixes: Mapping[str, str] = field(default_factory=dict)
    """Published classes whose files have a prefix before all but the heads, and that prefix."""
    renames: Sequence[Rename] | Callable[[ModelConfig], Sequence[Rename]]
    """Weight names of all but the heads; a function if they depend on the config."""
    heads: Mapping[str, Sequence[PublishedHead]]
    """Heads of each published class. A file that names no class is of the first one that fits."""
    ignored_tensors: Sequence[str] = ()
    """Published tensors and modules that a file may hold and the model does not use."""
    fixed_tensors: Callable[[ModelConfig, str], Mapping[str, Tensor]] | None = None
    """(config, published class) -> tensors that follow from the config and that files must hold."""
    remove_ties: Callable[[ModelConfig, Collection[str]], ModelConfig] | None = None
    """(config, aliases) -> the config without these ties, if `tie_embeddings` cannot express it."""
    roles: Roles = Roles()  # noqa: RUF009 (frozen)
    """Roles of its special tokens in a search."""
    special_tokens: SpecialTokens = BERT_TOKENS
    """Special tokens of a new tokenizer."""

    @property
    def config_class(self) -> type:
        """The dataclass of its model's settings."""
        return type(self.preset)

    @property
    def base_class(self) -> str:
        """The published class without a task's head."""
        return list(self.heads)[-1]

    def read_config(self, config: Mapping[str, Any], where: str) -> ModelConfig:
        """Return our config from a config.json's content.

        Raises: ConfigError naming a setting that is missing or not supported.
        """
        for name, value in self.required_settings.items():
            if config.get(name, value) not in (value, None):
                raise ConfigError(
                    f"{where}: {name}={str(config[name])[:80]} changes the numbers, and only"
                    f" {value!r} is supported here. This model cannot be opened."
                )
        settings: dict[str, Any] = {}
        for each in self.fields:
            settings |= each.read(config, where)
        if self.read_special is not None:
            with _settings_errors(where):
                settings = self.read_special(config, settings)
        return build(type(self.preset), merge(asdict(self.preset), settings), where)

    def build(
        self, c: ModelConfig, seed: int | None = None, heads: Mapping[str, HeadConfig] | None = None
    ) -> Model:
        """Build a model, initialised from `seed`; with None its weights must be loaded."""
        with torch.device("meta"):
            model = self.module(c, heads)
        return materialize(model, seed)

    def all_renames(self, c: ModelConfig, heads: Sequence[PublishedHead]) -> list[Rename]:
        """Return the weight names of a model with these heads.

        If the output is tied, its bias is a tensor of its own in a file; if not, it is the output
        module's bias.
        """
        renames = list(self.renames(c) if callable(self.renames) else self.renames)
        for head in heads:
            for rename in head.renames:
                used = rename.swapped() if c.tie_embeddings == "none" else rename
                renames.append(used._replace(internal=f"heads.{head.name}.{rename.internal}"))
        return renames

    def write_config(
        self,
        c: ModelConfig,
        heads: Mapping[str, HeadConfig],
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the content of config.json; `more` are its further settings, such as token ids.

        Raises: ConfigError naming what it cannot express.
        """
        config: dict[str, Any] = {"model_type": self.name, **self.required_settings}
        for each in self.fields:
            config |= each.write(c, self.name)
        if self.write_special is not None:
            config |= self.write_special(c, heads)
        config |= more or {}
        self._check_round_trip(c, config)
        return config

    def _check_round_trip(self, c: ModelConfig, config: Mapping[str, Any]) -> None:
        """Raises: ConfigError if the written config reads back as another one."""
        read = self.read_config(config, self.name)
        layers = max(c.n_encoder_layers, c.n_decoder_layers)
        is_equal = {  # two values of these settings can mean the same
            "d_head": read.head_width == c.head_width,
            "d_embedding": read.embedding_width == c.embedding_width,
            "layer_groups": (read.layer_groups or layers) == (c.layer_groups or layers),
            "target_vocab_size": (read.target_vocab_size or c.vocab_size)
            == (c.target_vocab_size or c.vocab_size),
            "windows": all(read.window(i) == c.window(i) for i in range(layers)),
            "tie_embeddings": True,  # the tensors in the file decide it
        }
        lost = [
            f"{name}={getattr(c, name)!r} (not {getattr(read, name)!r})"
            for name in type(c).__dataclass_fields__
            if getattr(read, name) != getattr(c, name)
            and not name.endswith("dropout")
            and not is_equal.get(name, False)
        ]
        if lost:
            raise ConfigError(
                f"{', '.join(lost)}: a {self.name}'s config.json cannot say that. Keep this model"
                " in pellucid's own layout."
            )


@contextmanager
def _settings_errors(where: str) -> Iterator[None]:
    """Turn the errors of a setting of the wrong type into one that names the file."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f"{where}: a setting is missing, or of another type than it must be ({error})."
            " Download the directory again."
        ) from error
