"""How glibc handles memory that a training or decoding step frees."""

import ctypes
import sys
from typing import Any


def keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks for the next step instead of giving them back.

    Each step frees and takes the same large blocks; fresh ones cost a page fault every 4 KiB. Only
    our command-line processes call this: an import must not change its host's allocator.
    """
    libc = _glibc()
    if libc is None:
        return
    m_mmap_max, m_trim_threshold, m_top_pad = -4, -1, -2
    libc.mallopt(m_mmap_max, 0)
    libc.mallopt(m_trim_threshold, 2**31 - 1)
    libc.mallopt(m_top_pad, 256 << 20)


def give_back_freed_memory() -> None:
    """Give the system what is free now: blocks of ever new sizes leave ever more gaps."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> Any:
    """GNU's C library, which alone has these calls; None where it is another one."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):
        return None
