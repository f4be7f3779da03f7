"""Write a `DecodingConfig` as the settings of generation_config.json.

Source: the behavior of `transformers` 5, which the tests compare with.
"""

from collections.abc import Iterable
from typing import Any

from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.formats.search_tables import PENALTIES, SAMPLING


def to_generation_config(
    c: ModelConfig, decoding: DecodingConfig, banned: Iterable[int]
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of generation_config.json, and notes on what it cannot express."""
    d, notes = decoding, []
    settings: dict[str, Any] = {}
    if d.method == "sample":
        settings = {"do_sample": True, **{name: getattr(d, name) for name in SAMPLING}}
    elif d.method == "beam":
        settings = {"num_beams": d.beam}
        if d.beam > 1:
            stop = {"first_k": True, "current": False, "exact": "never"}[d.stop]
            settings |= {"length_penalty": d.alpha, "early_stopping": stop}
        if d.beam > 1 and d.alpha and d.length_norm != "power":
            notes.append(f"length_norm={d.length_norm}: transformers divides scores by |Y|^alpha")
        if d.groups > 1:
            notes.append(f"groups={d.groups}: transformers searches a single beam")
    else:
        notes.append(f"method={d.method}: transformers searches greedily")
    is_encoder_decoder = bool(c.n_encoder_layers and c.n_decoder_layers)
    if not d.max_length:  # without a limit transformers stops after 20 tokens
        settings["max_length"] = c.max_length
        notes.append(
            "max_length=0: transformers has no limit relative to the source; max_length="
            f"{c.max_length} is written instead"
        )
    for name in ("max", "min"):
        length = getattr(d, f"{name}_length")
        if length and is_encoder_decoder:  # transformers counts the start token
            settings[f"{name}_length"] = length + 1
        elif length:
            settings[f"{name}_new_tokens"] = length
    for name, field in PENALTIES.items():
        if getattr(d, field) != getattr(DecodingConfig(), field):
            settings[name] = getattr(d, field)
    if banned:
        settings["suppress_tokens"] = sorted(banned)
    return settings, notes
