"""Find the sections of a config: the settings that are configs themselves."""

from collections.abc import Iterable
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin


def inside(names: Iterable[str], section: str) -> frozenset[str]:
    """Return the dotted names in a section, without the section's name."""
    start = f"{section}."
    return frozenset(name.removeprefix(start) for name in names if name.startswith(start))


def section_kinds(hint: Any) -> tuple[type, ...]:
    """Return the dataclasses that a section may have; none if the setting is not a section."""
    classes = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    return tuple(kind for kind in classes if is_dataclass(kind) and isinstance(kind, type))
