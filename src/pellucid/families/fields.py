"""Settings that a published config.json and our config have in common."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pellucid.config.model import Activation
from pellucid.errors import ConfigError


class Field(NamedTuple):
    """A setting of a published config, and the same setting in our config."""

    published: str | tuple[str, ...]
    """Its name in config.json. Several names must have equal values."""
    internal: str | tuple[str, ...]
    """Its name in our config. Several names get the same value, or one item each of `values`."""
    default: Any = None
    """The published value if a file omits the setting; None means that it is required."""
    values: Mapping[Any, Any] | None = None
    """Published value -> our value, if they differ. The first match is written."""

    def is_set(self, config: Mapping[str, Any]) -> bool:
        """Return whether a published config has a value for this setting."""
        return any(config.get(name) is not None for name in as_names(self.published))

    def read(self, config: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return our settings for those of a published config.

        Raises: ConfigError if the setting is missing or its value is not supported.
        """
        settings = {name: config.get(name, self.default) for name in as_names(self.published)}
        for name, value in settings.items():
            if value is None:
                raise ConfigError(f"{where}: {name} is missing. Download the directory again.")
            if isinstance(value, list | dict):
                raise ConfigError(f"{where}: {name} is {str(value)[:80]}, not one value.")
            if self.values is not None and value not in self.values:
                raise ConfigError(
                    f"{where}: {name}={str(value)[:80]!r} is not supported here. Known:"
                    f" {', '.join(map(str, self.values))}."
                )
        if len(set(settings.values())) > 1:
            shown = " and ".join(f"{name}={str(value)[:80]}" for name, value in settings.items())
            raise ConfigError(
                f"{where}: {shown}, but stacks of different shape are not supported here. This"
                " model cannot be opened."
            )
        value = next(iter(settings.values()))
        if self.values is None:
            return dict.fromkeys(as_names(self.internal), value)
        value = self.values[value]
        if isinstance(self.internal, str):
            return {self.internal: value}
        return dict(zip(self.internal, value, strict=True))

    def write(self, config: object, family: str) -> dict[str, Any]:
        """Return the published settings for those of our config.

        Raises: ConfigError if no published value is equivalent.
        """
        names = as_names(self.internal)
        value = getattr(config, names[0])
        if self.values is not None:
            if len(names) > 1:
                value = tuple(getattr(config, name) for name in names)
            published = [key for key, value_here in self.values.items() if value_here == value]
            if not published:
                known = ", ".join(map(str, dict.fromkeys(self.values.values())))
                raise ConfigError(
                    f"a {family}'s config.json cannot express {', '.join(names)}={value}, so this"
                    f" model cannot be written as one. Supported: {known}."
                )
            value = published[0]
        return dict.fromkeys(as_names(self.published), value)


def with_defaults(fields: Sequence[Field], defaults: Mapping[str, Any]) -> list[Field]:
    """Return the same settings with other defaults, by published name."""
    return [
        field._replace(default=defaults.get(str(field.published), field.default))
        for field in fields
    ]


def as_names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
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
"""Published activation name -> our name."""
TIED = Field("tie_word_embeddings", "tie_embeddings", True, {True: "all", False: "none"})
"""Whether the output is tied to the embedding, as most families write it."""
