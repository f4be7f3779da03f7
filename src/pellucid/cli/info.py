"""`pellucid info`: versions and machine, or what a model is made of."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import tyro


@dataclass(frozen=True)
class Options:
    """Show this machine and what is switched on here, or all about a model."""

    model: tyro.conf.Positional[str] = ""
    """A model's directory, a finished run, or a shipped name; none: this machine."""
    json: bool = False
    """Print one JSON object."""


def run(options: Options) -> int:
    """Print facts, one a line or as JSON."""
    found = about_model(options.model) if options.model else about_machine()
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    card = found.pop("card", "")
    found.pop("shapes", None)  # a line for each weight: JSON alone has them
    for name, value in _flat(found):
        print(f"{name:32} {value}")
    if card:
        print("\n" + card.strip())
    return 0


def about_machine() -> dict[str, Any]:
    """Versions, cores, device, and the choices of kernels with their reasons."""
    import torch

    from pellucid import __version__
    from pellucid.config.write import field_docs
    from pellucid.nn import kernels

    chosen, reasons = kernels.plan(), field_docs(kernels.Plan)
    names = ("numpy", "safetensors", "tokenizers", "sacrebleu")
    return {
        "pellucid": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: metadata.version(name) for name in names},
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(kernels.device()),
        "kernels": {
            name: {"chosen": value, "means": reasons.get(name, "")}
            for name, value in asdict(chosen).items()
        },
        "packed products": {kind: kernels.can_pack(kind) for kind in ("fp32", "bf16", "int8")},
    }


def about_model(name: str) -> dict[str, Any]:
    """Sizes, cost, languages, settings and card of a model."""
    from pellucid.api import find
    from pellucid.families.directory import load_model

    path = find(name)
    directory = load_model(path)
    model, c = directory.model, directory.model_config
    parameters = dict(model.named_parameters())
    tables = sum(p.numel() for n, p in parameters.items() if "embed" in n or "position" in n)
    total = sum(p.numel() for p in parameters.values())
    encoder = sum(p.numel() for n, p in parameters.items() if n.startswith("encoder.layers"))
    decoder = sum(p.numel() for n, p in parameters.items() if n.startswith("decoder.layers"))
    head = c.d_model * (c.target_vocab_size or c.vocab_size)
    return {
        "directory": str(path),
        "bytes on disk": sum(f.stat().st_size for f in path.iterdir() if f.is_file()),
        "task": directory.task,
        "languages": "-".join(filter(None, directory.languages)),
        "parameters": {"all": total, "tables": tables, "encoder": encoder, "decoder": decoder},
        "memory in fp32 (bytes)": 4 * total,
        # A product of n weights is 2 n operations for each token that passes it.
        "FLOPs a source token": 2 * encoder,
        "FLOPs a target token": 2 * (decoder + head),
        "longest source in training": directory.longest_source,
        "tokenizer": {
            "kind": directory.tokenizers.source.kind,
            "joint": directory.tokenizers.joint,
        },
        "model": asdict(c),
        "decoding": asdict(directory.decoding),
        "shapes": {name: list(p.shape) for name, p in parameters.items()},
        "card": directory.card,
    }


def _flat(found: dict[str, Any], path: str = "") -> list[tuple[str, str]]:
    """One row a fact; what a choice means stands behind it."""
    rows = []
    for name, value in found.items():
        full = f"{path}{name}"
        if isinstance(value, dict) and value.keys() == {"chosen", "means"}:
            rows.append((full, f"{_said(value['chosen'])}: {value['means']}"))
        elif isinstance(value, dict):
            rows += _flat(value, full + ".")
        else:
            rows.append((full, _said(value)))
    return rows


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " x ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
