"""Directories in the layout that the published families' weights come in: opened, and written."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pellucid.config.head import HeadConfig
from pellucid.errors import VerificationError
from pellucid.families.catalog import FAMILIES
from pellucid.families.family import Family
from pellucid.families.heads import as_stored, find_heads, their_settings, untied
from pellucid.families.names import match, sources, to_theirs
from pellucid.families.rows import Row
from pellucid.families.shards import Shards
from pellucid.manifest import dump_json, read_json
from pellucid.nn.base import Model
from pellucid.nn.weights import check_names, load_weights, weights, write_tensors

LEGACY = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))
"""What the first files called a norm's two tensors."""


@dataclass(frozen=True)
class Foreign:
    """A model as it lies in such a directory."""

    family: Family
    model: Model
    heads: Mapping[str, HeadConfig]
    architecture: str
    """Their class."""
    token_ids: Mapping[str, int]
    """By their names: pad_token_id and the like."""
    generation: Mapping[str, Any] = field(default_factory=dict)
    """By their names, what a search must know beside those."""


def open_foreign(directory: Path) -> Foreign:
    """Open a directory; every fault is found from the files' headers, before memory is taken.

    Raises: DataError, VerificationError, ConfigError naming the file, the setting or the tensor.
    """
    where = directory / "config.json"
    theirs = read_json(where)
    family = _family(theirs, where)
    c = family.model_config(theirs, str(where))
    shards = Shards(directory)
    names = _named(shards.shapes, family)
    architecture, found = find_heads(theirs, family, c, names)
    heads = {h.name: as_stored(h, theirs, names, shards.shapes, str(where)) for h in found}
    if family.head is not None:
        heads = {name: family.head(theirs, head) for name, head in heads.items()}
    with torch.device("meta"):
        model, table = family.module(c, heads), family.table(c, found)
        fitting = untied(model, family, table, names, shards)
        if fitting != c:
            model, table = family.module(fitting, heads), family.table(fitting, found)
    load_weights(model, _checked(model, table, names, shards, family))
    token_ids = {k: v for k, v in theirs.items() if k.endswith("token_id") and isinstance(v, int)}
    return Foreign(family, model.eval(), heads, architecture, token_ids)


def save_foreign(directory: Path, foreign: Foreign) -> None:
    """Write config.json and model.safetensors into a directory, as `transformers` writes them."""
    family, c = foreign.family, foreign.model.config
    said = their_settings(family.heads[foreign.architecture], foreign.heads, family.name)
    more = {"architectures": [foreign.architecture], **foreign.token_ids}
    config = {**said, **family.their_config(c, foreign.heads, more)}
    for head in foreign.heads.values():
        if head.kind == "sequence" or (head.kind == "token" and head.outputs > 1):
            labels = head.labels or [f"LABEL_{i}" for i in range(head.outputs)]
            config["id2label"] = {str(i): label for i, label in enumerate(labels)}
            config["label2id"] = {label: i for i, label in enumerate(labels)}
    table = family.table(c, family.heads[foreign.architecture])
    tensors = to_theirs(weights(foreign.model), table)
    if family.constants is not None:
        tensors |= family.constants(c)
    (directory / "config.json").write_bytes(dump_json(config))
    write_tensors(tensors, directory / "model.safetensors")


def _family(theirs: Any, where: Path) -> Family:
    kind = theirs.get("model_type") if isinstance(theirs, dict) else None
    if not isinstance(kind, str):
        raise VerificationError(f"{where} names no model_type. Is this a model's directory?")
    if kind not in FAMILIES:
        near = difflib.get_close_matches(kind, FAMILIES, n=1)
        raise VerificationError(
            f"{where}: model_type {kind[:80]!r} is not a family known here"
            f"{f' (did it mean {near[0]}?)' if near else ''}. Known: {', '.join(FAMILIES)}."
        )
    return FAMILIES[kind]


def _named(shapes: Iterable[str], family: Family) -> dict[str, str]:
    """The family's full names of the tensors in a file, and what the file calls each."""
    files = list(shapes)
    bare = not any(name.startswith(family.base) for name in files)
    found = {}
    for name in files:
        full = name
        for old, new in LEGACY:
            full = full.replace(old, new)
        if bare and not _belongs_to_a_head(full, family):
            full = family.base + full
        found[full] = name
    return found


def _belongs_to_a_head(name: str, family: Family) -> bool:
    return any(
        match(row.theirs, name)
        for heads in family.heads.values()
        for head in heads
        for row in head.rows
        if not row.theirs.startswith(family.base)
    )


def _checked(
    model: Model,
    table: Sequence[Row],
    names: Mapping[str, str],
    shards: Shards,
    family: Family,
) -> dict[str, torch.Tensor]:
    """Our tensors, after their names and shapes were found to be right."""
    aliases = {alias for _, alias in model.ties()}
    wanted = [name for name in model.state_dict() if name not in aliases]
    where = sources([*wanted, *aliases], table)
    taken, shapes, missing = set(), {}, []
    for name in wanted:
        source = where[name]
        found = next((n for n in source.names if n in names), None)
        if found is None:
            missing.append(source.names[0])
        else:
            taken.add(found)
            shapes[name] = source.shape(shards.shapes[names[found]])
    spare = {n for alias in aliases if alias in where for n in where[alias].names}
    spare |= {n for name in wanted for n in where[name].names if where[name].names[0] in taken}
    unused = sorted(
        name
        for name in names.keys() - taken - spare
        if not any(match(pattern, name) for pattern in family.unused)
    )
    if missing or unused:
        _refuse(shards.directory, missing, unused, family)
    check_names(model, shapes, str(shards.directory))
    return {
        name: shards.tensor(names[found], where[name].take)
        for name in wanted
        for found in [next(n for n in where[name].names if n in names)]
    }


def _refuse(directory: Path, missing: Sequence[str], unused: Sequence[str], family: Family) -> None:
    faults = []
    for name in missing[:5]:
        near = difflib.get_close_matches(name, unused, n=1)
        faults.append(f"{name} is missing" + (f" (is it {near[0][:100]}?)" if near else ""))
    faults += [f"{name[:100]} has no place" for name in unused[: 5 - len(faults)]]
    more = len(missing) + len(unused) - len(faults)
    raise VerificationError(
        f"{directory}: the weights are not those of a {family.name} with this config.json:"
        f" {'; '.join(faults)}{f'; and {more} more' if more > 0 else ''}. Get the directory anew."
    )
