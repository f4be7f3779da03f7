"""Names of the parts of a model in traces."""


def name_array(path: str) -> str:
    """Return the name in a trace of what passes a tap: its path without `inner`."""
    return path.replace(".inner", "")
