"""Names of the parts of a model in traces."""

from typing import Literal

Side = Literal["source", "target"]


def name_array(path: str) -> str:
    """Return the name in a trace of what passes a tap: its path without `inner`."""
    return path.replace(".inner", "")


def attention_sides(path: str) -> tuple[Side, Side]:
    """Return the text of the queries and the text of the keys of an attention, by its name."""
    # The recurrent model's one attention, without a layer, looks at the source.
    if path.endswith(".cross") or path == "decoder.attention":
        return "target", "source"
    return ("source", "source") if path.startswith("encoder.") else ("target", "target")
