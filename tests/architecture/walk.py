"""The package's source as syntax trees, for the tests of the house rules."""

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
                    yield (
                        (whole, "", node.lineno)
                        if whole in modules()
                        else (
                            base,
                            alias.name,
                            node.lineno,
                        )
                    )


def functions(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(modules()[name]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
