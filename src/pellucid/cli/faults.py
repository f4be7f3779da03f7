"""Exceptions and signals as the documented errors and exit codes."""

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pellucid.errors import DataError, PellucidError, ResourceError, is_rust_panic

SIGINT_CODE, SIGPIPE_CODE = 130, 141
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENOMEM, errno.EMFILE)
NO_MEMORY = ("allocate memory", "out of memory", "not enough memory")  # messages of torch
NO_THREAD = "Resource temporarily unavailable"


class Stopped(BaseException):
    """The command ends here with this exit code; there is nothing more to print."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def convert_errors() -> Iterator[None]:
    """Raise a PellucidError in place of errors of files and memory, and unexpected ones."""
    try:
        yield
    except (PellucidError, BrokenPipeError):
        raise
    except OSError as error:
        raise _file_error(error) from error
    except MemoryError as error:
        raise ResourceError("out of memory. Use a smaller model or smaller batches.") from error
    except Exception as error:
        raise _unexpected_error(error) from error
    except BaseException as error:
        if not is_rust_panic(error):
            raise
        raise _unexpected_error(error) from error


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `Stopped` at SIGTERM or SIGHUP in the block, so that workers and files are cleaned up.

    A signal that is ignored stays ignored: `nohup` ignores SIGHUP.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {
        number: signal.signal(number, _stop)
        for number in numbers
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(128 + number)


def _unexpected_error(error: BaseException) -> PellucidError:
    message = " ".join(str(error).split())[:300]
    if any(words in message for words in NO_MEMORY):
        return ResourceError(f"out of memory: {message}. Use a smaller model or smaller batches.")
    if NO_THREAD in message:
        return ResourceError(f"the machine cannot start more threads: {message}. Use fewer.")
    return PellucidError(
        f"internal error ({type(error).__name__}: {message}). This is a bug in pellucid: run again"
        " with --debug and report what it prints."
    )


def _file_error(error: OSError) -> PellucidError:
    name = f"{error.filename}: " if error.filename else ""
    what = f"{name}{error.strerror or error}."
    if error.errno in FULL:
        return ResourceError(f"{what} Free some space or memory, or choose another directory.")
    return DataError(f"{what} Check name, kind and permissions.")
