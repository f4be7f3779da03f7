"""What the system says of the CPU. It needs no torch, whose import takes a second."""

from pathlib import Path


def cpu_facts() -> dict[str, str]:
    """Return what Linux says of the first CPU, such as "model name" and "flags"; elsewhere {}."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].split("\n") if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}
