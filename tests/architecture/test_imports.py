"""Imports point one way, and what needs no torch loads none.  Authority: the table in DESIGN.md."""

import subprocess
import sys

import pytest

from architecture import walk

# Each row may import from the rows below it; parts in one row never import each other.
HOUSE = (
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
    ("errors",),
)
ROW = {part: row for row, parts in enumerate(HOUSE) for part in parts}

WITHOUT_TORCH = (
    "errors",
    "files",
    "taps",
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


def part_of(module):
    return module.split(".")[0]


@pytest.mark.parametrize("module", sorted(walk.modules()))
def test_imports_point_down_the_table(module):
    assert part_of(module) in ROW, f"{module} stands in no row of the house"
    for target, name, line in walk.imports(module):
        where = f"{module}:{line} imports {target}"
        if (part_of(target) == part_of(module) != "") or (target, name) == ("", "__version__"):
            continue
        assert part_of(target) in ROW, f"{where}, which stands in no row of the house"
        assert ROW[part_of(target)] > ROW[part_of(module)], f"{where}, which is not below it"
        private = [
            p for p in (*target.split("."), name) if p.startswith("_") and p != "__version__"
        ]
        assert not private, f"{where} {name}: private names stay in their folder"


def test_what_needs_no_torch_does_not_load_it():  # authority: a fresh process's own module list
    chosen = [m for m in walk.modules() if part_of(m) in WITHOUT_TORCH and m not in MAY_USE_TORCH]
    chosen += [m for m in walk.modules() if m == "decoding.long"]
    code = "import importlib, sys\n" + "".join(
        f"importlib.import_module('pellucid.{m}'); assert 'torch' not in sys.modules, '{m}'\n"
        for m in sorted(chosen)
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr[-600:]


def test_the_package_itself_is_lazy():  # authority: as above
    code = "import pellucid, sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
