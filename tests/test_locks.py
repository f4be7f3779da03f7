"""Authority: the operating system: real processes, really killed."""

import os
import signal
import threading
import time

import pytest

from pellucid.errors import ResourceError
from pellucid.locks import RunLock, hold_lock, is_free


def test_second_writer_is_refused_and_told_who_holds(tmp_path):
    refused = pytest.raises(ResourceError, match=rf"in use .*process {os.getpid()} on ")
    with RunLock(tmp_path / "run"), refused:
        RunLock(tmp_path / "run").__enter__()
    with RunLock(tmp_path / "run"):
        pass


def test_the_lock_dies_with_its_holder_though_a_child_lives_on(tmp_path):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with RunLock(tmp_path):
            if os.fork() == 0:  # a loader's worker, still busy
                os.write(write, b"!")
                time.sleep(3)
                os._exit(0)
            time.sleep(60)
    os.read(read, 1)
    with pytest.raises(ResourceError, match=f"process {pid} "):
        RunLock(tmp_path).__enter__()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with RunLock(tmp_path):
        pass


def test_a_lock_is_reentrant_and_others_wait(tmp_path):
    order = []

    def other() -> None:
        with hold_lock(tmp_path):
            order.append("other")

    with hold_lock(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        with hold_lock(tmp_path):
            time.sleep(0.1)
        assert not is_free(tmp_path)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]
    assert is_free(tmp_path)


def test_a_place_that_cannot_be_locked(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"is a file\. Choose another run_dir"):
        RunLock(tmp_path / "file").__enter__()
    with pytest.raises(ResourceError, match="cannot lock"):
        RunLock(tmp_path / "file" / "run").__enter__()
