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
from pellucid.families.plan import Plan, plan
from pellucid.nn.base import Model
from pellucid.nn.model import Transformer, filled

ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "swish": "swish",
    "silu": "swish",
    "tanh": "tanh",
}
"""Their names of activations, and ours."""


class Row(NamedTuple):
    """One rename: a module or a tensor of theirs is one of ours, or several stacked.

    `{}` stands for a number, a layer's; theirs and ours have it as often as each other.
    """

    theirs: str
    ours: str | tuple[str, ...]
    """Of several, theirs holds the outputs one below the other, in this order."""
    transpose: bool = False
    """Theirs is (in, out), as the first GPTs stored it."""
    also: str = ""
    """Another name of the same tensor, looked for where a file lacks the first."""
    flat: bool = False
    """Theirs is (1, n) where ours is (n,)."""
    both: bool = False
    """Written under both names."""

    def names(self) -> list[str]:
        """Their names, in the order in which they are looked for."""
        return [self.theirs, self.also] if self.also else [self.theirs]

    def turned(self) -> "Row":
        """The second name first, if there is one, and both written."""
        if not self.also:
            return self
        return self._replace(theirs=self.also, also=self.theirs, both=True)


class Field(NamedTuple):
    """One setting in both configs."""

    theirs: str
    ours: str
    default: Any = None
    """Its value where a file leaves it out; None if no file may."""
    values: Mapping[Any, Any] | None = None
    """Their values and ours, where those differ; the first of theirs is written."""


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


TIED = Field("tie_word_embeddings", "tie_embeddings", True, {True: "all", False: "none"})
"""Whether the output is the embedding, as nearly all of them say it."""
SPAN = HeadNames(
    "span",
    HeadConfig(kind="token", outputs=2, labels=("start", "end")),
    (Row("qa_outputs", "output"),),
)
"""Where an answer starts and ends, as all their classes for question answering have it."""


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
    plan: Callable[..., Plan] = plan
    """The numbers of that, of the same two."""
    positions: str = ""
    """How it tells order, where the preset's word does not say it all."""
    base: str
    """Their prefix of all but the heads; files may lack it."""
    fields: Sequence[Field]
    required: Mapping[str, Any] = field(default_factory=dict)
    """Settings of theirs that change numbers and that we honour at one value only."""
    rows: Sequence[Row] | Callable[[ModelConfig], Sequence[Row]]
    """Names of all but the heads; a function of the config where its numbers decide them."""
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
    constants: Callable[[ModelConfig], Mapping[str, Tensor]] | None = None
    """Tensors of theirs that a config decides, and that files hold nevertheless."""
    roles: Roles = Roles()  # noqa: RUF009 (frozen)

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
            value = theirs.get(each.theirs, each.default)
            if value is None:
                raise ConfigError(f"{where}: {each.theirs} is missing. Get the directory anew.")
            found[each.ours] = _translated(each, value, where)
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

    def their_config(self, c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
        """Their config.json of our configs, without classes and token ids.

        Raises: ConfigError at a value that they have no word for.
        """
        found: dict[str, Any] = {"model_type": self.name, **self.required}
        for each in self.fields:
            value = getattr(c, each.ours)
            if each.values is not None:
                words = [theirs for theirs, ours in each.values.items() if ours == value]
                if not words:
                    known = ", ".join(map(str, dict.fromkeys(each.values.values())))
                    raise ConfigError(
                        f"{each.ours}={value} cannot be told in a {self.name}'s config.json, so"
                        f" this model cannot be written as one. What can: {known}."
                    )
                value = words[0]
            found[each.theirs] = value
        return {**found, **(self.extra(c, heads) if self.extra is not None else {})}


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


def _translated(each: Field, value: Any, where: str) -> Any:
    if isinstance(value, list | dict):
        raise ConfigError(f"{where}: {each.theirs} is {str(value)[:80]}, not one value.")
    if each.values is None:
        return value
    if value not in each.values:
        known = ", ".join(str(name) for name in each.values)
        raise ConfigError(
            f"{where}: {each.theirs}={str(value)[:80]!r} is not supported here. Known: {known}."
        )
    return each.values[value]
