"""Authority: the protocol's promise (the old content, or the new, whole) checked by brute force:
a real SIGKILL at every named point, real full disks, real concurrent writers."""

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kill_points import KILL_POINTS, install
from pellucid.errors import DataError, ResourceError
from pellucid.files import atomic_write, check_writable, publish, remove, sweep, user_cache
from pellucid.manifest import verify

PAYLOAD = {"a.bin": 70_001, "inner/b.bin": 100_000, "c.json": 17}


def fill(directory: Path, version: int) -> None:
    for name, size in PAYLOAD.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([version]) * size)


def version_of(directory: Path) -> int:
    verify(directory)
    return (directory / "c.json").read_bytes()[0]


def put(final: Path, version: int, replace: bool = False) -> None:
    with publish(final, replace=replace) as temp:
        fill(temp, version)


def hidden(directory: Path) -> list[str]:
    return [p.name for p in directory.iterdir() if p.name.startswith((".tmp-", ".old-"))]


def in_child(action: Callable[[], None], kill_at: str = "") -> int:
    """Run in a forked child; the signal that ended it, or 0, or minus its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            if kill_at:
                install(kill_at)
            action()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


REPLACING = ("publish:moved-aside", "publish:replaced", "remove:partly", "remove:partly@2")
FRESH = [point for point in KILL_POINTS if point.startswith("publish:") and point not in REPLACING]


CASES = [(point, True) for point in FRESH] + [(point, False) for point in (*FRESH, *REPLACING)]


@pytest.mark.parametrize(("point", "fresh"), CASES)
def test_killed_publish_leaves_old_or_new(tmp_path, point, fresh):
    final = tmp_path / "model"
    if not fresh:
        put(final, 1)
    assert in_child(lambda: put(final, 2, replace=True), kill_at=point) == signal.SIGKILL
    sweep(tmp_path)
    assert hidden(tmp_path) == []
    published = point in ("publish:replaced", "publish:done", *REPLACING[2:])
    if fresh and not published:
        assert not final.exists()
    else:
        assert version_of(final) == (2 if published else 1)
    put(final, 3, replace=True)  # and the way is free for the next
    assert version_of(final) == 3


@pytest.mark.parametrize(
    ("point", "now"), [("write:before-rename", b"1"), ("write:after-rename", b"2")]
)
def test_killed_write_leaves_old_or_new(tmp_path, point, now):
    path = tmp_path / "config.yaml"
    atomic_write(path, b"1")
    assert in_child(lambda: atomic_write(path, b"2"), kill_at=point) == signal.SIGKILL
    assert path.read_bytes() == now
    sweep(tmp_path)
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("point", ["remove:renamed", "remove:partly", "remove:partly@3"])
def test_killed_removal_leaves_nothing_under_the_name(tmp_path, point):
    put(tmp_path / "old", 1)
    assert in_child(lambda: remove(tmp_path / "old"), kill_at=point) == signal.SIGKILL
    assert not (tmp_path / "old").exists()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_changes_nothing(tmp_path):
    final = tmp_path / "model"
    put(final, 1)

    def fail(error: type[BaseException]) -> None:
        with publish(final, replace=True) as temp:
            fill(temp, 2)
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            fail(error)
    assert version_of(final) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_publishing_and_writing_inside_what_is_published(tmp_path):
    with publish(tmp_path / "model") as temp:
        atomic_write(temp / "a", b"1")
        atomic_write(temp / "a", b"2")
        put(temp / "inner", 3)
        assert in_child(lambda: sweep(tmp_path) and None) == 0  # it is still ours
    assert (tmp_path / "model" / "a").read_bytes() == b"2"
    assert version_of(tmp_path / "model" / "inner") == 3
    assert hidden(tmp_path) == []


def test_a_failed_rename_restores_the_old_directory(tmp_path, monkeypatch):
    final = tmp_path / "model"
    put(final, 1)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.startswith(".tmp-"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ResourceError, match="Read-only"):
        put(final, 2, replace=True)
    assert version_of(final) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_an_incomplete_old_directory_is_never_restored(tmp_path):
    final = tmp_path / "model"
    put(final, 1)
    assert in_child(lambda: put(final, 2, replace=True), "remove:partly") == signal.SIGKILL
    final.rename(tmp_path / "kept elsewhere")
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["kept elsewhere"]


def test_files_are_synced_before_they_are_renamed(tmp_path, monkeypatch):
    """A kill cannot show this, only a power cut: so the calls themselves are watched."""
    calls = []
    fsync, rename, replace = os.fsync, Path.rename, Path.replace

    def synced(fd: int) -> None:
        calls.append(f"sync {Path(os.readlink(f'/proc/self/fd/{fd}')).name.split('-')[0]}")
        fsync(fd)

    def renamed(self: Path, target: Path) -> Path:
        calls.append(f"rename to {target.name.split('-')[0]}")
        return rename(self, target)

    def replaced(self: Path, target: Path) -> Path:
        calls.append(f"replace {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(Path, "replace", replaced)
    parent = f"sync {tmp_path.name.split('-')[0]}"
    put(tmp_path / "model", 1)
    files = {"sync a.bin", "sync inner", "sync b.bin", "sync c.json", "sync manifest.json"}
    assert set(calls[:-3]) == files
    assert calls[-3:] == ["sync .tmp", "rename to model", parent]
    calls.clear()
    put(tmp_path / "model", 2, replace=True)
    assert set(calls[:5]) == files
    assert calls[5:] == ["sync .tmp", "rename to .old", "rename to model", parent, "rename to .tmp"]
    calls.clear()
    atomic_write(tmp_path / "file", b"")
    assert calls == ["sync .tmp", "replace file", parent]


def test_what_stands_there_is_not_overwritten(tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(DataError, match="already exists"):
        put(tmp_path / "thesis", 1)
    with pytest.raises(DataError, match="already exists"), publish(tmp_path / "late"):
        (tmp_path / "late").mkdir()  # comes while we write


def test_published_files_follow_the_umask(tmp_path):
    with publish(tmp_path / "model") as temp:
        (temp / "private").write_bytes(b"")
        (temp / "private").chmod(0o600)  # as safetensors does
    expected = (tmp_path / "model").stat().st_mode & 0o666
    assert (tmp_path / "model" / "private").stat().st_mode & 0o777 == expected


def test_sweep_spares_the_living_and_the_foreign(tmp_path):
    foreign = [".tmp-notes", ".old-1", "tmp-model-1-00000000", ".tmp-model-x-00000000"]
    for name in foreign:
        (tmp_path / name).mkdir()
    with publish(tmp_path / "model") as temp:
        fill(temp, 1)
        assert sweep(tmp_path) == []  # in this process
        assert in_child(lambda: sweep(tmp_path) and None) == 0  # and from another
    assert version_of(tmp_path / "model") == 1
    assert sorted(foreign) == sorted(p.name for p in tmp_path.iterdir() if p.name != "model")


def test_sweep_leaves_other_peoples_leftovers(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    reference = tmp_path / ".tmp-model-99999-0123abcd"
    reference.mkdir()
    os.chown(reference, 12345, 12345)
    assert sweep(tmp_path) == []
    assert reference.exists()


def test_a_child_does_not_keep_a_dead_parents_claim(tmp_path):
    """A loader's worker outlives its killed trainer for seconds."""

    def parent() -> None:
        read, write = os.pipe()
        with publish(tmp_path / "model"):
            if os.fork() == 0:
                os.write(write, b"!")  # it has closed what it must not keep
                time.sleep(3)
                os._exit(0)
            os.read(read, 1)
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(parent)
    assert len(sweep(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def small_disk(at: Path, size: int) -> Iterator[Path]:
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(at)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here; the RLIMIT_FSIZE form runs everywhere")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def test_full_disk(tmp_path):
    """50 amounts of free space, from nothing to almost enough, then enough."""
    page = 4096
    needed = sum(-(-size // page) for size in PAYLOAD.values()) + 1  # and the manifest
    with small_disk(tmp_path / "disk", 2 << 20) as disk:
        put(disk / "one", 1)
        filler = disk / "filler"
        cases = sorted({round(i * (needed - 1) / 49) for i in range(50)})
        for free in [*cases, needed]:
            filler.unlink(missing_ok=True)
            usage = os.statvfs(disk)
            filler.write_bytes(bytes((usage.f_bavail - free) * page))
            if free == needed:
                put(disk / "two", 2)
                break
            with pytest.raises(
                ResourceError, match=r"two.*at least.*bytes needed.*free.*Free some"
            ):
                put(disk / "two", 2)
            assert sorted(p.name for p in disk.iterdir()) == ["filler", "one"], free
        assert len(cases) >= 40
        assert version_of(disk / "one") == 1
        assert version_of(disk / "two") == 2
        with (
            pytest.raises(ResourceError, match=r"9,999,999,999 bytes"),
            publish(disk / "x", needs=9_999_999_999),
        ):
            pytest.fail("asked for space before anything is written")


@pytest.mark.parametrize("limit", [0, 1, 16, 17, 300, 4096, 69_999, 70_000, 99_999])
def test_file_too_large(tmp_path, limit):
    put(tmp_path / "one", 1)

    def child() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(ResourceError, match=os.strerror(errno.EFBIG)):
            put(tmp_path / "one", 2, replace=True)
        with pytest.raises(ResourceError, match=os.strerror(errno.EFBIG)):
            atomic_write(tmp_path / "single", bytes(100_000))

    assert in_child(child) == 0
    assert version_of(tmp_path / "one") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["one"]


def test_unwritable_places(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="Choose a writable path"):
        put(tmp_path / "file" / "model", 1)
    (tmp_path / "folder").mkdir()
    write = (lambda path: put(path, 1), lambda path: atomic_write(path, b""), check_writable)
    for place in (Path("/proc/new"), Path("/proc/new/below"), tmp_path / "file" / "below"):
        for act in write:
            with pytest.raises(ResourceError, match=f"cannot write {place}: "):
                act(place)
    for act in write[1:]:
        with pytest.raises(ResourceError, match=f"cannot write {tmp_path / 'folder'}: "):
            act(tmp_path / "folder")
    with pytest.raises(ResourceError, match="not a file"):
        check_writable(Path("/dev/null"))
    check_writable(tmp_path / "file")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(ResourceError, match="Read-only file system"):
            put(disk / "model", 1)
        with pytest.raises(ResourceError, match="Read-only file system"):
            atomic_write(disk / "file", b"")


def test_a_models_directory_takes_no_other_file(tmp_path):  # authority: verify
    put(tmp_path / "model", 1)
    for name in ("page.html", "c.json"):
        with pytest.raises(DataError, match=f"is a model's directory.*Write {name} elsewhere"):
            check_writable(tmp_path / "model" / name)
    verify(tmp_path / "model")


def test_two_writers_of_one_place(tmp_path):
    final = tmp_path / "model"

    def writer() -> None:
        for version in range(40):
            put(final, version, replace=True)

    pid = os.fork()
    if pid == 0:
        try:
            writer()
            os._exit(0)
        finally:
            os._exit(1)
    writer()
    assert os.waitpid(pid, 0)[1] == 0
    assert version_of(final) == 39
    assert hidden(tmp_path) == []


def test_a_missing_file_that_was_to_be_read_is_not_the_place(tmp_path):
    with pytest.raises(FileNotFoundError), publish(tmp_path / "model"):
        (tmp_path / "source").read_bytes()


def test_the_cache_of_a_user_without_a_home(monkeypatch, tmp_path):
    for name in ("PELLUCID_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: {}[0])  # as of a user that is not listed
    with pytest.raises(ResourceError, match="Name a directory in the environment variable"):
        user_cache()
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    assert user_cache() == tmp_path
