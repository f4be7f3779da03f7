"""Facts of a model that a trace carries."""

from dataclasses import asdict
from typing import Any

from pellucid.explain.names import name_array
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model


def describe_model(bundle: Bundle) -> dict[str, Any]:
    """Return family, task, languages, settings, heads and numbers of parameters, as JSON values."""
    heads = {name: asdict(config) for name, config in bundle.model.head_configs.items()}
    return {
        "family": bundle.family,
        "task": bundle.task,
        "languages": list(bundle.languages),
        "settings": asdict(bundle.model_config),
        "heads": heads,
        "parameters": sum(p.numel() for p in bundle.model.parameters()),
        "sizes": count_parameters(bundle.model),
        "ties": [list(pair) for pair in bundle.model.ties()],
    }


def count_parameters(model: Model) -> dict[str, int]:
    """Return the number of parameters of each part of a model, by its path in a trace.

    A parameter that parts share counts in each.
    """
    parts: dict[str, dict[int, int]] = {}  # by path, the size of each parameter
    for path, module in model.named_modules(remove_duplicate=False):
        direct = {id(p): p.numel() for p in module.parameters(recurse=False)}
        names = path.split(".")
        for n in range(len(names) if direct else 0):
            parts.setdefault(".".join(names[: n + 1]), {}).update(direct)
    sizes = dict[str, int]()
    for path, _ in model.named_modules():
        name = name_array(path)
        if path and path in parts and name not in sizes:  # an outer module comes before its `inner`
            sizes[name] = sum(parts[path].values())
    return sizes
