"""The settings of runs as frozen dataclasses, checked when built. No torch."""
