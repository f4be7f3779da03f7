"""`pellucid info`: versions and machine, or what a model or a family is made of."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import tyro

from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Show this machine and what is switched on here, or all about a model or a family.

    pellucid info bert --diff roberta
    """

    model: tyro.conf.Positional[str] = ""
    """A model's directory, a finished run, a shipped name, or a family; none: this machine."""
    diff: str = ""
    """Another family: show only what differs between the two."""
    json: bool = False
    """Print one JSON object."""


def run(options: Options) -> int:
    """Print facts, one a line or as JSON."""
    if options.diff:
        found = about_difference(options.model, options.diff)
    elif not options.model:
        found = about_machine()
    else:
        found = about_family(options.model) or about_model(options.model)
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
    from pellucid.families.door import open_model

    path = find(name)
    directory = open_model(path)
    model, c = directory.model, directory.model_config
    parameters = dict(model.named_parameters())
    in_tables = {n: p.numel() for n, p in parameters.items() if "embed" in n or "position" in n}
    tables = sum(in_tables.values())
    total = sum(p.numel() for p in parameters.values())
    encoder, decoder = (
        sum(p.numel() for n, p in parameters.items() if n.startswith(side) and n not in in_tables)
        for side in ("encoder.", "decoder.")
    )
    writing = model.heads["lm"].parameters() if "lm" in model.heads else ()
    head = sum(p.numel() for p in writing if p.dim() == 2)
    source = directory.tokenizers.source
    return {
        "directory": str(path),
        "family": directory.family,
        "bytes on disk": sum(f.stat().st_size for f in path.iterdir() if f.is_file()),
        "task": directory.task,
        "heads": ", ".join(model.head_configs) or "none",
        "languages": "-".join(filter(None, directory.languages)),
        "parameters": {"all": total, "tables": tables, "encoder": encoder, "decoder": decoder},
        "memory in fp32 (bytes)": 4 * total,
        # A product of n weights is 2 n operations for each token that passes it.
        "FLOPs a source token": 2 * encoder,
        "FLOPs a target token": 2 * (decoder + head),
        "longest source in training": directory.longest_source,
        "tokenizer": {
            "kind": source.kind if source.there else "none",
            "joint": directory.tokenizers.joint,
        },
        "model": asdict(c),
        "decoding": asdict(directory.decoding),
        "search, not honoured": "; ".join(directory.notes) or "nothing",
        "shapes": {name: list(p.shape) for name, p in parameters.items()},
        "card": directory.card,
    }


def about_family(name: str) -> dict[str, Any]:
    """What is special about a family, and its published sizes; nothing if it is none."""
    from dataclasses import replace

    from pellucid.families.catalog import FAMILIES
    from pellucid.families.on_paper import ON_PAPER
    from pellucid.families.plan import plan
    from pellucid.families.table import COLUMNS, row

    if name in ON_PAPER:
        (presets, vocabulary), on_paper = ON_PAPER[name], plan
        about: dict[str, Any] = {"family": name, "published weights": "none"}
    elif name in FAMILIES:
        family = FAMILIES[name]
        presets, vocabulary, on_paper = family.presets, family.vocabulary, family.plan
        about = dict(zip(COLUMNS, row(family), strict=True))
    else:
        return {}
    sizes = {}
    for size, c in presets.items():
        paper = on_paper(replace(c, vocab_size=vocabulary))
        sizes[size] = {
            "parameters": paper.parameters,
            "memory in fp32 (bytes)": paper.bytes["fp32"],
            f"FLOPs a token at {c.max_length} tokens": paper.flops(c.max_length),
        }
    return {**about, **sizes}


def about_difference(one: str, other: str) -> dict[str, Any]:
    """The settings in which two families differ. Raises: UsageError if one is not known."""
    from pellucid.families.catalog import FAMILIES
    from pellucid.families.table import differences

    for name in (one, other):
        if name not in FAMILIES:
            raise UsageError(f"{name[:60]!r} is no family. Known: {', '.join(FAMILIES)}.")
    found = differences(FAMILIES[one], FAMILIES[other])
    return {name: f"{first} -> {second}" for name, (first, second) in found.items()}


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
