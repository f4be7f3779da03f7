"""Imports point one way, and what needs no torch loads none.  Authority: the table in DESIGN.md."""

import subprocess
import sys

from architecture import walk

# Each row may import from the rows below it; packages in one row never import each other.
ROWS = (
    ("__main__",),
    ("cli", ""),  # "" is the package's own __init__.py
    ("serve",),
    ("api",),
    ("explorer",),
    ("training", "explain"),
    ("tasks",),
    ("inference",),
    ("formats",),
    ("families", "decoding", "data", "metrics"),
    ("nn",),
    ("text",),
    ("config", "garden", "files"),
    ("manifest", "locks", "taps", "allocator"),
    ("json_files",),
    ("errors",),
)
ROW = {package: row for row, packages in enumerate(ROWS) for package in packages}

WITHOUT_TORCH = (
    "errors",
    "files",
    "taps",
    "json_files",
    "manifest",
    "locks",
    "allocator",
    "config",
    "garden",
    "text",
    "metrics",
    "data",
)
MAY_USE_TORCH = ("data.loader",)


def package_of(module):
    return module.split(".")[0]


def test_every_module_has_a_row():
    assert not [module for module in walk.modules() if package_of(module) not in ROW]


def wrong_imports(module):
    for target, name, line in walk.imports(module):
        where = f"{module}:{line} imports {target} {name}".rstrip()
        if (package_of(target) == package_of(module) != "") or (target, name) == (
            "",
            "__version__",
        ):
            continue
        if package_of(target) not in ROW:
            yield f"{where}: it has no row in the table"
        elif ROW[package_of(target)] <= ROW[package_of(module)]:
            yield f"{where}: its row is not below"
        if any(part.startswith("_") for part in (*target.split("."), name)):
            yield f"{where}: private names stay in their package"


def test_imports_point_down_the_table():
    assert not [wrong for module in sorted(walk.modules()) for wrong in wrong_imports(module)]


def test_modules_without_torch():  # authority: a fresh process's own list of modules
    chosen = [
        m for m in walk.modules() if package_of(m) in WITHOUT_TORCH and m not in MAY_USE_TORCH
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {[*sorted(chosen), 'decoding.long']}:\n"
        "    importlib.import_module(f'pellucid.{name}')\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr[-600:]


def test_the_package_itself_is_lazy():  # authority: as above
    code = "import pellucid, sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
