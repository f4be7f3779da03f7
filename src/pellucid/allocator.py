"""Settings of memory for training, decoding and serving: of the allocator, and of caches."""

import ctypes
import os
import sys
import time
from typing import Any


def prepare_for_steps() -> None:
    """Allocate in large pages, and keep freed blocks for the next training or decoding step.

    Only our command-line processes call this, before they compute: importing a library must not
    change the allocator of its process.
    """
    _use_huge_pages()
    _keep_freed_memory()


def prepare_for_serving() -> None:
    """Return freed blocks of 8 MiB and more to the system at once, and let threads share a heap.

    The caches of a server's searches grow to any size: each size that they outgrow would leave a
    gap in the heap, and each thread would have a heap with gaps of its own. Call it after
    `prepare_for_steps`.
    """
    libc = _glibc()
    if libc is not None:
        m_top_pad, m_mmap_threshold, m_mmap_max, m_arena_max = -2, -3, -4, -8
        libc.mallopt(m_top_pad, 1 << 20)
        libc.malloc_trim(0)  # or large blocks would come from the free top of the heap
        libc.mallopt(m_mmap_threshold, 8 << 20)
        libc.mallopt(m_mmap_max, 1 << 16)
        libc.mallopt(m_arena_max, 1)


def limit_compiled_operators() -> None:
    """Keep at most 128 of the operators that oneDNN compiles, one for each shape of its inputs.

    By default it keeps 1,024, of up to 0.7 MB each, and a server meets a shape for each number of
    open texts and each length. To compile one again takes little time; in training, whose shapes
    return, it costs 4 to 7 % of the speed. Both oneDNN and ideep, between it and torch, read their
    variable once, at the first operator.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "32")


class FreedMemory:
    """Returns memory that steps have freed to the system, at intervals.

    Blocks of varying sizes leave more and more gaps, so the heap grows; returning memory at every
    step would cost page faults.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        """seconds: the shortest interval."""
        self.seconds, self.last = seconds, time.monotonic()

    def release(self) -> None:
        """Return freed memory if the interval has passed."""
        now = time.monotonic()
        if now - self.last < self.seconds:
            return
        self.last = now
        libc = _glibc()
        if libc is not None:
            libc.malloc_trim(0)


def _keep_freed_memory() -> None:
    """Set glibc to keep freed blocks for the next step instead of returning them to the system.

    Each step frees and allocates the same large blocks; new ones cost a page fault per page.
    """
    libc = _glibc()
    if libc is None:
        return
    m_mmap_max, m_trim_threshold, m_top_pad = -4, -1, -2
    libc.mallopt(m_mmap_max, 0)
    libc.mallopt(m_trim_threshold, 2**31 - 1)
    libc.mallopt(m_top_pad, 256 << 20)


def _use_huge_pages() -> None:
    """Let torch request pages of 2 MiB, unless the user has set THP_MEM_ALLOC_ENABLE.

    A decoding step reads all weights, and address translation in pages of 4 KiB takes a good part
    of its time. A training step touches new pages wherever its blocks do not fit into freed ones;
    large pages need a fraction of the faults and leave fewer gaps. torch reads the variable once,
    at its first allocation.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _glibc() -> Any:
    """Return the GNU C library, which has these calls; None if the process uses another."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):
        return None
