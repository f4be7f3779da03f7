"""The descriptions and choices of settings, from their dataclasses."""

import ast
import inspect
import textwrap
from dataclasses import is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin


@cache
def field_docs(cls: type) -> dict[str, str]:
    """Return the docstring below each field of a dataclass, as one line; some fields have none.

    Python drops these literals when it compiles, so they are read from the source.
    """
    docs = {}
    for base in cls.__bases__:
        if is_dataclass(base):
            docs |= field_docs(base)
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = _literal(after)
            if text:
                docs[field.target.id] = " ".join(text.split())
    return docs


def choices(hint: Any) -> tuple[str, ...]:
    """Return the words that a setting allows; none if it allows any value."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def _literal(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return node.value.value if isinstance(node.value.value, str) else ""
    return ""
