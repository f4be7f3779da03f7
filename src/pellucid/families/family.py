"""Declaration of a family: sizes, weight names, heads, and conversion of its config.json."""

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
AdaptHead = Callable[[ModelConfig, HeadConfig], HeadConfig]
WriteSpecial = Callable[[ModelConfig, Mapping[str, HeadConfig]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class UnpublishedFamily:
    """A family without published weights. Its models are saved in pellucid's own layout."""

    name: str
    config_class: type
    """The dataclass of its model config."""
    module: Callable[..., Model]
    """Builds the model from its config and the configs of its heads."""
    presets: Mapping[str, Any]
    """Model configs by size."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Training settings that differ from those of the Transformer."""
    vocab_size: int = 0
    """Vocabulary size in the paper; 0 if it gives none."""
    special_tokens: SpecialTokens = TRANSLATION_TOKENS
    """Special tokens of a newly trained tokenizer."""
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    """Tokenizer settings that differ from those of the task."""
    heads: Mapping[str, HeadConfig] = field(default_factory=dict)
    """Heads by name, for tasks that train one."""


class PublishedHead(NamedTuple):
    """A head of a published class, such as BertForMaskedLM."""

    name: str
    config: HeadConfig
    renames: Sequence[Rename]
    """Weight names. The internal ones are relative to `heads.NAME.`."""
    settings: Sequence[Field] = ()
    """Settings of config.json that override fields of `config`. Later ones win."""
    marker: str = ""
    """A published tensor that identifies the head in files that omit tied tensors."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A published architecture: everything that distinguishes it from the other families.

    "Published" means as `transformers` reads and writes it: class names, config.json, tensor names.
    """

    name: str
    """Its model_type in config.json."""
    preset: ModelConfig
    """The first published size, or the smallest. vocab_size is 0 if the tokenizer determines it."""
    presets: Mapping[str, ModelConfig] = field(default_factory=dict)
    """Configs of the published sizes."""
    vocab_size: int
    """Vocabulary size of the published tokenizer, used to count the parameters of a size."""
    objective: str
    """Pretraining objective, as docs/families.md lists it."""
    positions: str = ""
    """Position encoding, as docs/families.md lists it; empty means `preset.positions`."""
    module: Callable[..., Model] = Transformer
    """Builds the model from its config and the configs of its heads."""

    fields: Sequence[Field]
    """Settings that config.json and our config have in common."""
    required_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of config.json that have one supported value. Others would change the output."""
    read_special: ReadSpecial | None = None
    """(config.json, settings from `fields`) -> all settings, for what `fields` cannot express."""
    read_head: ReadHead | None = None
    """(config.json, head) -> head, for what the head's `settings` cannot express."""
    adapt_head: AdaptHead | None = None
    """(our config, head) -> the head of a new model, if it depends on the config."""
    write_special: WriteSpecial | None = None
    """(our config, heads) -> settings of config.json that `fields` cannot express."""

    base_prefix: str
    """Prefix of all published tensors except those of heads. A file may omit it."""
    class_prefixes: Mapping[str, str] = field(default_factory=dict)
    """Published class -> further prefix of all tensors in its files except those of heads."""
    renames: Sequence[Rename] | Callable[[ModelConfig], Sequence[Rename]]
    """Weight names, except those of heads; a function if they depend on the config."""
    heads: Mapping[str, Sequence[PublishedHead]]
    """Published class -> its heads. A file without a class name gets the first class that fits."""
    ignored_tensors: Sequence[str] = ()
    """Published tensors and modules that files may contain and the model does not use."""
    fixed_tensors: Callable[[ModelConfig, str], Mapping[str, Tensor]] | None = None
    """(config, published class) -> constant tensors that files of this class must contain."""
    remove_ties: Callable[[ModelConfig, Collection[str]], ModelConfig] | None = None
    """(config, aliases) -> the config without these ties, if `tie_embeddings` cannot express it."""
    roles: Roles = Roles()  # noqa: RUF009 (frozen)
    """Roles of the special tokens in a search."""
    special_tokens: SpecialTokens = BERT_TOKENS
    """Special tokens of a newly trained tokenizer."""
    objectives: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of tasks that differ from the task's defaults, by task."""

    @property
    def config_class(self) -> type:
        """The dataclass of its model config."""
        return type(self.preset)

    @property
    def base_class(self) -> str:
        """The published class without a task head, such as BertModel."""
        return list(self.heads)[-1]

    def read_config(self, config: Mapping[str, Any], where: str) -> ModelConfig:
        """Return our config for the content of a config.json.

        where: the file, for messages.
        Raises: ConfigError naming a setting that is missing or not supported.
        """
        for name, value in self.required_settings.items():
            if config.get(name, value) not in (value, None):
                raise ConfigError(
                    f"{where}: {name}={str(config[name])[:80]} changes the model's output, and only"
                    f" {value!r} is supported. This model cannot be opened."
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
        """Build a model and initialize it from `seed`; if None, its weights must be loaded."""
        with torch.device("meta"):
            model = self.module(c, heads)
        return materialize(model, seed)

    def all_renames(self, c: ModelConfig, heads: Sequence[PublishedHead]) -> list[Rename]:
        """Return the weight names of a model with these heads.

        A file stores the bias of a tied output as a separate tensor, and the bias of an untied
        output as part of the output module.
        """
        renames = list(self.renames(c) if callable(self.renames) else self.renames)
        for head in heads:
            for rename in head.renames:
                used = rename.swap_names() if c.tie_embeddings == "none" else rename
                renames.append(used._replace(internal=f"heads.{head.name}.{rename.internal}"))
        return renames

    def write_config(
        self,
        c: ModelConfig,
        heads: Mapping[str, HeadConfig],
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the content of config.json.

        more: further settings to include, such as token ids.
        Raises: ConfigError naming the settings that config.json cannot express.
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
        """Raises: ConfigError if the written config does not read back as `c`."""
        read = self.read_config(config, self.name)
        layers = max(c.n_encoder_layers, c.n_decoder_layers)
        is_equal = {  # settings of which different values can be equivalent
            "d_head": read.head_width == c.head_width,
            "d_embedding": read.embedding_width == c.embedding_width,
            "layer_groups": (read.layer_groups or layers) == (c.layer_groups or layers),
            "target_vocab_size": (read.target_vocab_size or c.vocab_size)
            == (c.target_vocab_size or c.vocab_size),
            "windows": all(read.window(i) == c.window(i) for i in range(layers)),
            "tie_embeddings": True,  # the tensors in the file decide it
            "neighbor_heads": True,  # it decides initial weights only
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
                f"{', '.join(lost)}: the config.json of {self.name} cannot express this. Keep this"
                " model in pellucid's own layout."
            )


@contextmanager
def _settings_errors(where: str) -> Iterator[None]:
    """Convert errors from missing or wrongly typed settings to a ConfigError."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f"{where}: a setting is missing or has the wrong type ({error})."
            " Download the directory again."
        ) from error
