"""The memory of this process."""

from typing import Literal


def process_mib(field: Literal["VmRSS", "VmHWM"]) -> float:
    """Return the memory of this process in MiB: now, or its peak.

    The peak of `getrusage` counts the process that started this one, before `exec`.
    """
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024
