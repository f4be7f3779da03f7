"""What a family file declares: presets, weight names, heads, and how its configs are written."""

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
from pellucid.families.rows import Row
from pellucid.nn.base import Model
from pellucid.nn.model import Transformer, filled
from pellucid.text.special_tokens import BERT_TOKENS, TRANSLATION_TOKENS, SpecialTokens


@dataclass(frozen=True, kw_only=True)
class OwnFamily:
    """A model without a published layout: it is kept in ours."""

    name: str
    config: type
    """The dataclass of its settings."""
    module: Callable[..., Model]
    """What is built of its config and heads."""
    presets: Mapping[str, Any]
    """Its config by size."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Training settings where they are not those of the Transformer."""
    vocabulary: int = 0
    """Tokens of the paper's vocabulary."""
    special_tokens: SpecialTokens = TRANSLATION_TOKENS
    """What a tokenizer for it is trained with."""


class HeadNames(NamedTuple):
    """A head as one of their classes has it."""

    name: str
    config: HeadConfig
    rows: Sequence[Row]
    """Their names, ours below `heads.NAME.`."""
    settings: Sequence[Field] = ()
    """Numbers of its config that theirs may say; of two for one number the later counts."""
    mark: str = ""
    """A tensor of theirs by which the head is known, where files leave out what is tied."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A published model: all that sets it apart from the others."""

    name: str
    """What their config.json calls it: its model_type."""
    preset: ModelConfig
    """Its first published size, or the smallest; without vocabulary where that is a tokenizer's."""
    presets: Mapping[str, ModelConfig] = field(default_factory=dict)
    vocabulary: int
    """Tokens of its published tokenizer, where sizes are reckoned with one."""
    objective: str
    """What it was pretrained to predict, in a word or two."""
    module: Callable[..., Model] = Transformer
    """What is built of its config and heads."""
    positions: str = ""
    """How it tells order, where the preset's word does not say it all."""
    base: str
    """Their prefix of all but the heads; files may lack it."""
    fields: Sequence[Field]
    required: Mapping[str, Any] = field(default_factory=dict)
    """Settings of theirs that change numbers and that we honour at one value only."""
    rows: Sequence[Row] | Callable[[ModelConfig], Sequence[Row]]
    """Names of all but the heads; a function of the config where its numbers decide them."""
    wrapped: Mapping[str, str] = field(default_factory=dict)
    """Of some of their classes, the prefix that their files have before all but the heads."""
    heads: Mapping[str, Sequence[HeadNames]]
    """Their classes and the heads of each; what a file without class has decides, first to last."""
    unused: Sequence[str] = ()
    """Tensors and modules that carry nothing: buffers, and parts that a head leaves aside."""
    adjust: Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any]] | None = None
    """Our settings from their config and what `fields` gave, where a table cannot say it."""
    head: Callable[[Mapping[str, Any], HeadConfig], HeadConfig] | None = None
    """A head, where their config says more of it than its class does."""
    extra: Callable[[ModelConfig, Mapping[str, HeadConfig]], dict[str, Any]] | None = None
    """Settings of theirs from our configs, where a table cannot say it."""
    untie: Callable[[ModelConfig, Collection[str]], ModelConfig] | None = None
    """The config without the ties of these aliases, where `tie_embeddings` cannot say it."""
    constants: Callable[[ModelConfig, str], Mapping[str, Tensor]] | None = None
    """Tensors that follow from the config, but that files of a class (its name) must hold."""
    roles: Roles = Roles()  # noqa: RUF009 (frozen)
    special_tokens: SpecialTokens = BERT_TOKENS
    """What a new tokenizer for it is trained with."""

    @property
    def config(self) -> type:
        """The dataclass of its settings."""
        return type(self.preset)

    @property
    def base_class(self) -> str:
        """The published class of the model without a task's heads."""
        return list(self.heads)[-1]

    def model_config(self, theirs: Mapping[str, Any], where: str) -> ModelConfig:
        """Our config from their config.json.

        Raises: ConfigError naming a setting that is missing, or that we do not honour.
        """
        for name, value in self.required.items():
            if theirs.get(name, value) not in (value, None):
                raise ConfigError(
                    f"{where}: {name}={str(theirs[name])[:80]} changes the numbers, and only"
                    f" {value!r} is supported here. This model cannot be opened."
                )
        found: dict[str, Any] = {}
        for each in self.fields:
            found |= each.read(theirs, where)
        if self.adjust is not None:
            with _of_their_kinds(where):
                found = self.adjust(theirs, found)
        return build(type(self.preset), merge(asdict(self.preset), found), where)

    def build(
        self, c: ModelConfig, seed: int | None = None, heads: Mapping[str, HeadConfig] | None = None
    ) -> Model:
        """A model of this shape, initialised from `seed`, or left to be loaded if that is None."""
        with torch.device("meta"):
            model = self.module(c, heads)
        return filled(model, seed)

    def table(self, c: ModelConfig, heads: Sequence[HeadNames]) -> list[Row]:
        """All renames of a model with these heads.

        Tied, an output's bias lies in a file by itself; untied, in the output that is used.
        """
        rows = list(self.rows(c) if callable(self.rows) else self.rows)
        for head in heads:
            for row in head.rows:
                own = row.turned() if c.tie_embeddings == "none" else row
                rows.append(own._replace(ours=f"heads.{head.name}.{row.ours}"))
        return rows

    def their_config(
        self,
        c: ModelConfig,
        heads: Mapping[str, HeadConfig],
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Their config.json of our configs, with `more` of it: classes and token ids.

        Raises: ConfigError at a value that they have no word for.
        """
        found: dict[str, Any] = {"model_type": self.name, **self.required}
        for each in self.fields:
            found |= each.write(c, self.name)
        if self.extra is not None:
            found |= self.extra(c, heads)
        found |= more or {}
        self._check_returns(c, found)
        return found

    def _check_returns(self, c: ModelConfig, written: Mapping[str, Any]) -> None:
        """Raises: ConfigError where their config, read again, does not say what ours does."""
        read = self.model_config(written, self.name)
        layers = max(c.n_encoder_layers, c.n_decoder_layers)
        means_the_same = {
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
            and not means_the_same.get(name, False)
        ]
        if lost:
            raise ConfigError(
                f"{', '.join(lost)}: a {self.name}'s config.json cannot say that. Keep this model"
                " in pellucid's own layout."
            )


@contextmanager
def _of_their_kinds(where: str) -> Iterator[None]:
    """A family reads settings as the kinds that they have in sound files; others are refused."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f"{where}: a setting is missing, or of another kind than it must be ({error})."
            " Get the directory anew."
        ) from error
