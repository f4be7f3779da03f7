"""Settings that both configs have, as a family's file writes them down."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pellucid.config.model import Activation
from pellucid.errors import ConfigError


class Field(NamedTuple):
    """One setting of theirs, and ours."""

    theirs: str | tuple[str, ...]
    """Of several, all must say the same."""
    ours: str | tuple[str, ...]
    """Of several, each has the same value, or its own part of what `values` says."""
    default: Any = None
    """Its value where a file leaves it out; None if no file may."""
    values: Mapping[Any, Any] | None = None
    """Their values and ours, where those differ; the first of theirs is written."""

    def is_in(self, theirs: Mapping[str, Any]) -> bool:
        """Whether their config says it."""
        return any(theirs.get(name) is not None for name in several(self.theirs))

    def read(self, theirs: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Our settings, from their config.

        Raises: ConfigError where it is missing, or is not one value that we honour.
        """
        said = {name: theirs.get(name, self.default) for name in several(self.theirs)}
        for name, value in said.items():
            if value is None:
                raise ConfigError(f"{where}: {name} is missing. Get the directory anew.")
            if isinstance(value, list | dict):
                raise ConfigError(f"{where}: {name} is {str(value)[:80]}, not one value.")
            if self.values is not None and value not in self.values:
                raise ConfigError(
                    f"{where}: {name}={str(value)[:80]!r} is not supported here. Known:"
                    f" {', '.join(map(str, self.values))}."
                )
        if len(set(said.values())) > 1:
            shown = " and ".join(f"{name}={str(value)[:80]}" for name, value in said.items())
            raise ConfigError(
                f"{where}: {shown}, but stacks of different shape are not supported here. This"
                " model cannot be opened."
            )
        value = next(iter(said.values()))
        if self.values is None:
            return dict.fromkeys(several(self.ours), value)
        own = self.values[value]
        return (
            {self.ours: own}
            if isinstance(self.ours, str)
            else dict(zip(self.ours, own, strict=True))
        )

    def write(self, ours: object, family: str) -> dict[str, Any]:
        """Their settings, from our config. Raises: ConfigError where they have no word for it."""
        names = several(self.ours)
        value = getattr(ours, names[0])
        if self.values is not None:
            if len(names) > 1:
                value = tuple(getattr(ours, name) for name in names)
            words = [theirs for theirs, own in self.values.items() if own == value]
            if not words:
                known = ", ".join(map(str, dict.fromkeys(self.values.values())))
                raise ConfigError(
                    f"{', '.join(names)}={value} cannot be told in a {family}'s config.json, so"
                    f" this model cannot be written as one. What can: {known}."
                )
            value = words[0]
        return dict.fromkeys(several(self.theirs), value)


def with_defaults(fields: Sequence[Field], defaults: Mapping[str, Any]) -> list[Field]:
    """The settings of another class of theirs, whose defaults differ in these."""
    return [each._replace(default=defaults.get(str(each.theirs), each.default)) for each in fields]


def several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name or several, as a tuple."""
    return (names,) if isinstance(names, str) else names


ACTIVATIONS: dict[str, Activation] = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "swish": "swish",
    "silu": "swish",
    "tanh": "tanh",
}
"""Their names of activations, and ours."""
TIED = Field("tie_word_embeddings", "tie_embeddings", True, {True: "all", False: "none"})
"""Whether the output is the embedding, as nearly all of them say it."""
