"""What settings mean, as their dataclasses say it."""

import ast
import inspect
import textwrap
from functools import cache
from typing import Any, Literal, get_args, get_origin


@cache
def field_docs(cls: type) -> dict[str, str]:
    """The docstring below each field of a dataclass, as one line; fields without one are left out.

    Python drops these literals when it compiles, so they are read from the source.
    """
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = _literal(after)
            if text:
                docs[field.target.id] = " ".join(text.split())
    return docs


def choices(hint: Any) -> tuple[str, ...]:
    """The words that a setting may be, or none where it is free."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def _literal(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return node.value.value if isinstance(node.value.value, str) else ""
    return ""
