"""The command line's view of a config: every setting may be given, and none has to be."""

from collections.abc import Callable
from dataclasses import field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import tyro

from pellucid.config.docs import choices, field_docs
from pellucid.config.sections import inside, section_kinds

CHOICE = "by size, text and machine"


@cache
def partial(cls: type, *others: type, chosen: frozenset[str] = frozenset()) -> type:
    """A dataclass with the fields of `cls`, nested ones too, each None until it is given.

    What a setting means is its docstring in `cls`; the help shows it beside the real default.
    others: kinds of what `cls` is a kind of; what only they have is there too.
    chosen: dotted names of settings that have no default: what is left open is chosen.
    """
    made = _fields(cls, chosen)
    for other in others:
        known = {name for name, *_ in made}
        made += [each for each in _fields(other, chosen) if each[0] not in known]
    found = make_dataclass(f"Partial{cls.__name__}", made, frozen=True, kw_only=True)
    found.__doc__ = cls.__doc__  # heads its group of flags in the help
    found.__module__ = "builtins"  # it has no source: or tyro reads 0.1 s in vain to find it
    return found


def _fields(cls: Any, chosen: frozenset[str]) -> list[tuple[str, Any, Any]]:
    hints, docs = get_type_hints(cls), field_docs(cls)
    made = []
    for each in fields(cls):
        hint = hints[each.name]
        kinds = section_kinds(hint)
        if kinds:
            inner = partial(*kinds, chosen=inside(chosen, each.name))
            made.append((each.name, inner, field(default_factory=inner)))
            continue
        default = f"(default: {CHOICE if each.name in chosen else _words(each.default)})"
        says = tyro.conf.arg(help=docs.get(each.name), help_behavior_hint=default)
        optional = Union[None, hint]  # noqa: UP007
        made.append((each.name, Annotated[optional, reader(hint, empty=True), says], None))
    return made


def given(instance: Any) -> dict[str, Any]:
    """What was given, as the nested mapping that `merge` and `build` take."""
    found = {}
    for each in fields(instance):
        value = getattr(instance, each.name)
        if is_dataclass(value):
            value = given(value) or None
        if value is not None:
            found[each.name] = value
    return found


def reader(hint: Any, empty: bool = False) -> tyro.constructors.PrimitiveConstructorSpec:
    """How a flag's words become a value; the library's own way would offer `None` everywhere.

    empty: a flag of many values may have none, which takes back those of a file.
    Beside `Union[None, hint]`, None first: then the help needs no type checker, 0.1 s of it.
    """
    many = get_origin(hint) is tuple
    parts = [part for part in get_args(hint) if part is not Ellipsis] if many else [hint]
    endless = many and Ellipsis in get_args(hint)
    read, name = _kind(parts[0])
    words = choices(parts[0])

    def value(said: list[str]) -> Any:
        if not (said or empty):
            raise ValueError("give at least one value, or leave it out")
        return tuple(map(read, said)) if many else read(said[0])

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*" if endless else len(parts),
        metavar=f"{name} ..." if endless else " ".join([name] * len(parts)),
        instance_from_str=value,
        is_instance=lambda value: value is None or isinstance(value, tuple) == many,
        str_from_instance=lambda value: _words(value).split(),
        choices=words or None,
    )


def _kind(hint: Any) -> tuple[Callable[[str], Any], str]:
    words = choices(hint)
    if words:
        return str, "{" + ",".join(words) + "}"
    return {
        int: (int, "INT"),
        float: (float, "NUMBER"),
        bool: (_truth, "{true,false}"),
        str: (str, "TEXT"),
    }[hint]


def _truth(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise ValueError(f"{word!r} is neither true nor false")
    return word.lower() == "true"


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_words, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "none"
