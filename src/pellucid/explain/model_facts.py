"""Facts of a model that a trace carries."""

from dataclasses import asdict
from typing import Any

from pellucid.formats.bundle import Bundle


def describe_model(bundle: Bundle) -> dict[str, Any]:
    """Return family, task, languages, settings, heads and number of parameters, as JSON values."""
    heads = {name: asdict(config) for name, config in bundle.model.head_configs.items()}
    return {
        "family": bundle.family,
        "task": bundle.task,
        "languages": list(bundle.languages),
        "settings": asdict(bundle.model_config),
        "heads": heads,
        "parameters": sum(p.numel() for p in bundle.model.parameters()),
        "ties": [list(pair) for pair in bundle.model.ties()],
    }
