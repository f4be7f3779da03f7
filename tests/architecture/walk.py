"""The package's source as syntax trees, for the tests of the project's rules."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "pellucid"


@cache
def modules() -> dict[str, ast.Module]:
    """Every module's tree by its dotted name below `pellucid`; a package by its folder's name."""
    return {name_of(path): ast.parse(path.read_bytes()) for path in files()}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Every node of every module, with the module's name."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            yield name, node


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function, with its dotted name."""
    for module, node in nodes():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{module}.{node.name}", node


def imports(name: str) -> Iterator[tuple[str, str, int]]:
    """Each pellucid import of a module: what is imported from, which name, and the line."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "pellucid":
                    yield alias.name.partition(".")[2], "", node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: write the import's full path"
            if (node.module or "").split(".")[0] == "pellucid":
                base = (node.module or "").partition(".")[2]
                for alias in node.names:
                    whole = f"{base}.{alias.name}".lstrip(".")
                    is_module = whole in modules()
                    yield whole if is_module else base, "" if is_module else alias.name, node.lineno
