"""Which settings of a config are sections, that is, configs of their own."""

from dataclasses import is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin


def section_kinds(hint: Any) -> tuple[type, ...]:
    """The dataclasses that a setting may be of; none where it is no section."""
    found = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    return tuple(kind for kind in found if is_dataclass(kind) and isinstance(kind, type))
