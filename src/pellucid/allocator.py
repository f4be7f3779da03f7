"""How memory is taken, and what becomes of it when a training or decoding step frees it."""

import ctypes
import os
import sys
import time
from typing import Any


def prepare_for_steps() -> None:
    """Have blocks in large pages, and keep freed ones for the next training or decoding step.

    Only our command-line processes call this, before they compute: an import must not change its
    host's allocator.
    """
    _use_huge_pages()
    _keep_freed_memory()


class FreedMemory:
    """What steps have freed, given back to the system now and then.

    Blocks of ever new sizes leave ever more gaps; but what is taken again costs its page faults.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        """`seconds`: the least between two times."""
        self.seconds, self.last = seconds, time.monotonic()

    def give_back(self) -> None:
        """If it was long enough ago."""
        libc, now = _glibc(), time.monotonic()
        if libc is not None and now - self.last >= self.seconds:
            libc.malloc_trim(0)
            self.last = now


def _keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks for the next step instead of giving them back.

    Each step frees and takes the same large blocks; fresh ones cost a fault for each page.
    """
    libc = _glibc()
    if libc is None:
        return
    m_mmap_max, m_trim_threshold, m_top_pad = -4, -1, -2
    libc.mallopt(m_mmap_max, 0)
    libc.mallopt(m_trim_threshold, 2**31 - 1)
    libc.mallopt(m_top_pad, 256 << 20)


def _use_huge_pages() -> None:
    """Let torch ask the system for pages of 2 MiB, unless the user has told it something else.

    A decoding step reads all weights, and finding them page by page of 4 KiB takes a good part of
    its time. A training step fills fresh pages wherever its blocks find no room among older ones;
    large pages come at a fraction of the faults, and leave fewer gaps. torch looks at this once,
    when it first takes memory.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _glibc() -> Any:
    """GNU's C library, which alone has these calls; None where it is another one."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):
        return None
