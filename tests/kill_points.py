"""Points at which a test kills its child process (SIGKILL), between the steps of `pellucid.files`.

`install("publish:empty@3")` makes this process die the third time it reaches that point. Nothing in
the package knows of it: functions that take a step are replaced by ones that stop before or after.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pellucid import files

KILL_POINTS = {
    "publish:empty": "the temporary directory exists, nothing is in it",
    "publish:written": "all files are written, the manifest is not",
    "publish:manifest": "the manifest is written, nothing is flushed",
    "publish:before-rename": "everything is on disk under the temporary name",
    "publish:moved-aside": "replacing: the old content has left, the new has not come",
    "publish:replaced": "replacing: the new content is in place, the old still has a hidden name",
    "publish:done": "the rename is on disk",
    "write:before-rename": "a single file is on disk under its temporary name",
    "write:after-rename": "a single file is in place",
    "remove:renamed": "a directory has lost its name, its files are still there",
    "remove:partly": "a directory is half deleted",
}


def install(kill_at: str) -> None:
    """Kill this process at a point, `NAME` or `NAME@N` for the Nth time."""
    expected, _, count = kill_at.partition("@")
    assert expected in KILL_POINTS, expected
    left = int(count or 1)

    def reach(point: str) -> None:
        nonlocal left
        left -= point == expected
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch_publishing(reach)
    _watch_paths(reach)


def _watch_publishing(reach: Callable[[str], None]) -> None:
    hold_lock, write_manifest, flush, rename = (
        *(files.hold_lock, files.write_manifest),
        *(files._flush, files._rename),
    )

    @contextlib.contextmanager
    def locked_then(path: Path) -> Iterator[None]:
        with hold_lock(path):
            if path.name.startswith(".tmp-") and not any(path.iterdir()):
                reach("publish:empty")
            yield

    def manifest_then(*args: Any) -> None:
        reach("publish:written")
        write_manifest(*args)
        reach("publish:manifest")

    def flush_then(directory: Path) -> None:
        flush(directory)
        reach("publish:before-rename")

    def rename_and_reach(temp: Path, final: Path) -> None:
        rename(temp, final)
        reach("publish:done")

    files.hold_lock = locked_then
    files.write_manifest = manifest_then
    files._flush = flush_then
    files._rename = rename_and_reach


def _watch_paths(reach: Callable[[str], None]) -> None:
    replace, rename = Path.replace, Path.rename

    def replace_then(self: Path, target: Path) -> Path:
        reach("write:before-rename")
        replace(self, target)
        reach("write:after-rename")
        return target

    def rename_then(self: Path, target: Path) -> Path:
        if self.name.startswith(".old-"):
            reach("publish:replaced")
        rename(self, target)
        if target.name.startswith(".old-"):
            reach("publish:moved-aside")
        elif target.name.startswith(".tmp-") and not self.name.startswith(".old-"):
            reach("remove:renamed")
        return target

    def after(delete: Callable[..., None]) -> Callable[..., None]:
        def delete_then(self: Path, **kwargs: Any) -> None:
            delete(self, **kwargs)
            if any(parent.name.startswith(".tmp-") for parent in self.parents):
                reach("remove:partly")

        return delete_then

    Path.replace, Path.rename = replace_then, rename_then  # type: ignore[method-assign]
    Path.unlink, Path.rmdir = after(Path.unlink), after(Path.rmdir)  # type: ignore[method-assign]
