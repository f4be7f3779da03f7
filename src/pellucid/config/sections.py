"""Which settings of a config are sections, that is, configs of their own."""

from collections.abc import Iterable
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin


def inside(names: Iterable[str], section: str) -> frozenset[str]:
    """Of dotted names those in a section, without its own name before them."""
    start = f"{section}."
    return frozenset(name.removeprefix(start) for name in names if name.startswith(start))


def section_kinds(hint: Any) -> tuple[type, ...]:
    """The dataclasses that a setting may be of; none where it is no section."""
    found = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    return tuple(kind for kind in found if is_dataclass(kind) and isinstance(kind, type))
