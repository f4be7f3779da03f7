"""From YAML and flags to configs, strictly: known keys, exact types, and nothing that can run."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from pellucid.config import plain_yaml
from pellucid.config.pairs import zero_partners
from pellucid.config.sections import section_kinds
from pellucid.errors import ConfigError

Config = TypeVar("Config")
MAX_YAML_BYTES = 1_000_000
LARGEST_INTEGER = 2**63 - 1


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; an empty file is an empty mapping.

    Raises: ConfigError with file and line if it is anything but plain keys and values.
    """
    settings = plain_yaml.load(_read_text(path), str(path))
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}:1: not a mapping. Write settings as `name: value` lines.")
    return settings


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `over` in place, section by section; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and (value is None or isinstance(value, Mapping)):
            merged[key] = merge(below, value or {})
        else:
            merged[key] = value
    return merged


def merge_settings(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the settings of a run; `epochs` in `over` also replaces `max_updates` and the like."""
    training, before = over.get("training"), base.get("training")
    if isinstance(training, Mapping) and isinstance(before, Mapping):
        replaced = zero_partners(training)
        before = {name: value for name, value in before.items() if name not in replaced}
        base = {**base, "training": before}
    return merge(base, over)


def build(
    cls: type[Config],
    mapping: Mapping[str, Any],
    where: str,
    kinds: Mapping[str, type] | None = None,
) -> Config:
    """Return the config that a mapping describes; settings that it leaves out keep their default.

    Types are exact: "3" and 1.5 are not integers; an integer is a number, a list is a tuple.
    where: the mapping's origin, for errors. kinds: by dotted path, the class of a section whose
    type allows several; otherwise the default's class, or the first.
    Raises: ConfigError naming the setting's path.
    """
    return _build_section(cls, mapping, where, "", kinds or {})


def rebuild(config: Config, mapping: Mapping[str, Any], where: str) -> Config:
    """Return a config with the settings of a mapping replaced, which are checked as in `build`."""
    values = _read_values(type(config), mapping, where, "", ({}, True))
    try:
        return replace(config, **values)  # type: ignore[type-var]
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def check(
    cls: type, mapping: Mapping[str, Any], where: str, kinds: Mapping[str, type] | None = None
) -> None:
    """Check the names and types of settings, without building the config.

    What only holds for all settings together, such as a width that heads divide, is left to
    `build`. Raises: as `build`.
    """
    _read_values(cls, mapping, where, "", (kinds or {}, False))


def _build_section(
    cls: type[Config], mapping: Any, where: str, path: str, kinds: Mapping[str, type]
) -> Config:
    values = _read_values(cls, mapping, where, path, (kinds, True))
    missing = [name for name in _find_required(cls) if name not in values]
    if missing:
        raise ConfigError(f"{where}: {path or 'it'} needs {', '.join(missing)}.")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {path}: {error}" if path else f"{where}: {error}") from None


def _read_values(
    cls: type, mapping: Any, where: str, path: str, how: tuple[Mapping[str, type], bool]
) -> dict[str, Any]:
    """Return the values of a section's settings; its own sections are built, or only checked."""
    kinds, builds = how
    if mapping is None:  # `model:` with every line below it commented out
        mapping = {}
    if not isinstance(mapping, Mapping):
        raise ConfigError(
            f"{where}: {path or 'this'} is a section of settings, not {_shorten(mapping)}."
        )
    hints = _find_hints(cls)
    values = {}
    for key, value in mapping.items():
        inner = f"{path}.{key}" if path else str(key)
        if key not in hints:
            raise ConfigError(
                f"{where}: {_shorten(inner)} is not a setting. {_suggest(key, path, hints)}"
            )
        hint = hints[key]
        sections = section_kinds(hint)
        if sections:
            kind = kinds.get(inner) or _find_default_kind(cls, key) or sections[0]
            read = _build_section if builds else _check_section
            values[key] = read(kind, value, where, inner, kinds)
        else:
            values[key] = _read_value(hint, value, where, inner)
    return values


def _check_section(
    cls: type, mapping: Any, where: str, path: str, kinds: Mapping[str, type]
) -> None:
    _read_values(cls, mapping, where, path, (kinds, False))


def _read_value(hint: Any, value: Any, where: str, path: str) -> Any:
    items = value if isinstance(value, (list, tuple)) else (value,)
    if isinstance(value, Mapping) and get_origin(hint) is dict:
        items = tuple(value.values())
    for item in items:
        if isinstance(item, int) and abs(item) > LARGEST_INTEGER:
            raise ConfigError(f"{where}: {path} is above {LARGEST_INTEGER}. Use less.")
    if all(item is None or isinstance(item, (str, int, float)) for item in items):
        try:
            # As JSON, strictness is about values and not Python's types: lists fill tuples.
            return _build_adapter(hint).validate_json(
                json.dumps(value, allow_nan=False), strict=True
            )
        except (ValidationError, ValueError):
            pass
    raise ConfigError(
        f"{where}: {path} is {_shorten(value)}, but must be {_describe_type(hint, value)}."
    )


@cache
def _find_hints(cls: type) -> dict[str, Any]:
    known = get_type_hints(cls)
    return {field.name: known[field.name] for field in fields(cls)}  # pyright: ignore[reportArgumentType]


@cache
def _find_required(cls: type) -> list[str]:
    return [
        field.name
        for field in fields(cls)
        if field.default is MISSING and field.default_factory is MISSING
    ]


@cache
def _find_default_kind(cls: type, name: str) -> type | None:
    """Return the class that a section has by default, if its default factory is a class."""
    factory = cls.__dataclass_fields__[name].default_factory
    return factory if isinstance(factory, type) else None


@cache
def _build_adapter(hint: Any) -> TypeAdapter:
    return TypeAdapter(hint)


def _suggest(key: Any, path: str, known: Mapping[str, Any]) -> str:
    for section, hint in known.items():
        if any(key in _find_hints(kind) for kind in section_kinds(hint)):
            return f"Did you mean {path + '.' if path else ''}{section}.{key}?"
    close = get_close_matches(str(key)[:100].replace("-", "_"), known, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {f'{path}.' if path else ''}{close[0]}?"
    return f"Known in {path or 'a run'}: {', '.join(known)}."


def _describe_type(hint: Any, value: Any) -> str:
    """Return the values that a type allows, in words."""
    if get_origin(hint) is Literal:
        choices = [str(choice) for choice in get_args(hint)]
        close = get_close_matches(str(value)[:100], choices, n=1)
        return f"one of {', '.join(choices)}" + (f" (did you mean {close[0]}?)" if close else "")
    if get_origin(hint) is tuple:
        inner = [argument for argument in get_args(hint) if argument is not Ellipsis]
        many = "" if Ellipsis in get_args(hint) else f" of {len(inner)}"
        return f"a list{many}, each {_describe_type(inner[0], None)}"
    if get_origin(hint) is dict:
        return "a mapping of names to text or whole numbers, such as {text: review, label: 3}"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text (in quotes if it looks like a number)",
    }
    return words.get(hint, str(hint))


def _shorten(value: Any) -> str:
    # Only plain values are shown in full: a hostile value's repr may be huge or endlessly nested.
    if isinstance(value, (Mapping, list, tuple)) and not all(
        item is None or isinstance(item, (str, int, float)) for item in value
    ):
        return "a nested value"
    if isinstance(value, Mapping):
        return "a section"
    shown = ascii(value[:80]) if isinstance(value, str) else repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _read_text(path: str | Path) -> str:
    path = Path(path)
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: " + ("not a file." if path.exists() else "no such file."))
        with path.open("rb") as file:
            raw = file.read(MAX_YAML_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}.") from None
    if len(raw) > MAX_YAML_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_YAML_BYTES:,} bytes, the limit for settings.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: byte {error.start} is not UTF-8. Save the file as UTF-8."
        ) from None
