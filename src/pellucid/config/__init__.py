"""Every run's settings as frozen dataclasses, checked when built. No torch."""
