"""`pellucid info`: describe this machine, a model or a family."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pellucid.cli.parse import positional
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.families.family import Family, UnpublishedFamily
    from pellucid.formats.bundle import Bundle
    from pellucid.nn.base import Model

PUBLISHED_COUNTERPARTS = {"gpt3": "gpt2", "transformer": "marian", "rnn": "marian"}
"""The published family with the same objective, for each family without published weights."""


@dataclass(frozen=True)
class Options:
    """Describe this machine and its kernels, a model, or a family.

    pellucid info bert --diff roberta
    """

    model: str = positional("")
    """Model directory, finished run, shipped model or family. Default: this machine."""
    diff: str = ""
    """Another family: show only the differences."""
    json: bool = False
    """Print one JSON object."""


def run(options: Options) -> int:
    """Print facts, one per line or as JSON."""
    if options.diff:
        facts = describe_difference(options.model, options.diff)
    elif not options.model:
        facts = describe_machine()
    else:
        facts = describe_family(options.model) or describe_model(options.model)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    card = facts.pop("card", "")
    for name, value in _flatten(facts):
        print(f"{name:32} {value}")
    if card:
        print("\n" + card.strip())
    return 0


def describe_machine() -> dict[str, Any]:
    """Return versions, cores, device, and the kernels of training with reason and speeds."""
    import torch

    from pellucid import __version__
    from pellucid.config.docs import field_docs
    from pellucid.nn import packed_linear
    from pellucid.nn.device import choose_device
    from pellucid.nn.kernel_cache import choose_kernels
    from pellucid.nn.kernel_choice import KernelChoices

    device = choose_device()
    decision, meanings = choose_kernels(device), field_docs(KernelChoices)
    names = ("numpy", "safetensors", "tokenizers", "sacrebleu")
    return {
        "pellucid": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: metadata.version(name) for name in names},
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "kernels": {
            name: {"chosen": value, "means": meanings.get(name, "")}
            for name, value in asdict(decision.choices).items()
        },
        "kernels chosen by": decision.reason,
        "GFLOP/s on one thread": {name: round(s) for name, s in decision.speeds.items()},
        "packed products": {
            kind: packed_linear.can_pack(kind) for kind in ("fp32", "bf16", "int8")
        },
    }


def describe_model(name: str) -> dict[str, Any]:
    """Return sizes, cost, languages, settings and card of a model."""
    from pellucid.formats.locate import locate
    from pellucid.formats.open_model import open_model

    path = locate(name)
    bundle = open_model(path)
    model, c = bundle.model, bundle.model_config
    parameters = dict(model.named_parameters())
    in_tables = {n: p.numel() for n, p in parameters.items() if "embed" in n or "position" in n}
    tables = sum(in_tables.values())
    total = sum(p.numel() for p in parameters.values())
    encoder, decoder = (
        sum(p.numel() for n, p in parameters.items() if n.startswith(side) and n not in in_tables)
        for side in ("encoder.", "decoder.")
    )
    source_cost, target_cost = _count_token_weights(model)
    source = bundle.tokenizers.source
    return {
        "directory": str(path),
        "family": bundle.family,
        "bytes on disk": sum(f.stat().st_size for f in path.iterdir() if f.is_file()),
        "task": bundle.task,
        "heads": ", ".join(model.head_configs) or "none",
        "languages": "-".join(filter(None, bundle.languages)),
        "parameters": {"all": total, "tables": tables, "encoder": encoder, "decoder": decoder},
        "memory in fp32 (bytes)": 4 * total,
        # A matrix of n weights takes 2 n operations per token.
        "FLOPs per source token": 2 * source_cost,
        "FLOPs per target token": 2 * target_cost,
        "longest source in training": bundle.longest_source,
        "tokenizer": {
            "kind": source.kind if source.is_present else "none",
            "joint": bundle.tokenizers.joint,
            "tokens without a row in the model": _count_tokens_without_row(bundle),
        },
        "model": asdict(c),
        "decoding": asdict(bundle.decoding),
        "settings not supported": "; ".join(bundle.notes) or "nothing",
        "shapes": {name: list(p.shape) for name, p in parameters.items()},
        "card": bundle.card,
    }


def _count_tokens_without_row(bundle: "Bundle") -> int:
    """Return the number of source tokens without an embedding; texts with one are refused."""
    source = bundle.tokenizers.source
    return max(0, source.vocab_size - bundle.model_config.vocab_size) if source.is_present else 0


def describe_family(name: str) -> dict[str, Any]:
    """Return the row of a family in the table of families, and its sizes; {} if it is unknown."""
    from pellucid.families.catalog import PUBLISHED_FAMILIES, UNPUBLISHED_FAMILIES
    from pellucid.families.table import COLUMNS, row

    if name in UNPUBLISHED_FAMILIES:
        family = UNPUBLISHED_FAMILIES[name]
        about: dict[str, Any] = {"family": name, "published weights": "none"}
    elif name in PUBLISHED_FAMILIES:
        family = PUBLISHED_FAMILIES[name]
        about = dict(zip(COLUMNS, row(family), strict=True))
    else:
        return {}
    for size, c in family.presets.items():
        about |= {size: _describe_size(family, c)} if family.vocab_size else asdict(c)
    return about


def _describe_size(family: "Family | UnpublishedFamily", c: Any) -> dict[str, int]:
    """Return parameters, memory and FLOPs of one size, with the family's usual vocabulary."""
    from dataclasses import replace

    from pellucid.families.cost import build_on_meta, compute_cost

    model_cost = compute_cost(build_on_meta(family, replace(c, vocab_size=family.vocab_size)))
    return {
        "parameters": model_cost.parameters,
        "memory in fp32 (bytes)": 4 * model_cost.parameters,
        f"FLOPs per token at {c.max_length} tokens": model_cost.flops(c.max_length),
    }


def describe_difference(one: str, other: str) -> dict[str, Any]:
    """Return the settings that differ. Raises: UsageError if a family is unknown."""
    from pellucid.families.table import differences

    settings = differences(_find_family(one), _find_family(other))
    return {name: f"{first} -> {second}" for name, (first, second) in settings.items()}


def _find_family(name: str) -> "Family":
    """Return a family; without published weights: its counterpart with the family's preset."""
    from dataclasses import replace

    from pellucid.families.catalog import PUBLISHED_FAMILIES, UNPUBLISHED_FAMILIES

    if name in PUBLISHED_FAMILIES:
        return PUBLISHED_FAMILIES[name]
    if name not in PUBLISHED_COUNTERPARTS:
        known = ", ".join((*PUBLISHED_FAMILIES, *PUBLISHED_COUNTERPARTS))
        raise UsageError(f"{name[:60]!r} is not a family. Known: {known}.")
    presets = UNPUBLISHED_FAMILIES[name].presets
    size = "base" if "base" in presets else next(iter(presets))
    return replace(PUBLISHED_FAMILIES[PUBLISHED_COUNTERPARTS[name]], preset=presets[size])


def _count_token_weights(model: "Model") -> tuple[int, int]:
    """Return the number of weights that a source token, and a target token, is multiplied by."""
    from pellucid.families.cost import count_token_weights

    if model.encoder is None:
        return 0, count_token_weights(model)
    if model.decoder is None:
        return count_token_weights(model), 0
    source = count_token_weights(model.encoder)
    return source, count_token_weights(model) - source


def _flatten(facts: dict[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Return a (path, text) pair per fact. A kernel choice is followed by its meaning."""
    rows = []
    for name, value in facts.items():
        full = f"{path}{name}"
        if isinstance(value, dict) and value.keys() == {"chosen", "means"}:
            rows.append((full, f"{_format(value['chosen'])}: {value['means']}"))
        elif isinstance(value, dict):
            rows += _flatten(value, full + ".")
        else:
            rows.append((full, _format(value)))
    return rows


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " x ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
