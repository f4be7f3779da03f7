"""Directories in the layout that the published families' weights come in: opened, and written."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError, VerificationError
from pellucid.families.catalog import FAMILIES
from pellucid.families.conversion import export_tensors, find_origins, match_name
from pellucid.families.family import Family
from pellucid.families.renames import Rename
from pellucid.formats.heads import as_stored, find_heads, their_settings, untied, used_biases
from pellucid.formats.shards import Shards
from pellucid.json_files import dump_json, read_json
from pellucid.nn.base import Model
from pellucid.nn.weights import Kind, check_finite, check_names, load_weights, save_weights, weights

LEGACY = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))
"""What the first files called a norm's two tensors."""
DTYPES = ("F64", "F32", "F16", "BF16")
"""How files hold weights; all are read into float32."""


@dataclass(frozen=True)
class PublishedModel:
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


def open_published(directory: Path, config: Any = None) -> PublishedModel:
    """Open a directory; every fault is found from the files' headers, before memory is taken.

    config: the content of its config.json, if that was read already.
    Raises: DataError, VerificationError, ConfigError naming the file, the setting or the tensor.
    """
    where = directory / "config.json"
    theirs = read_json(where) if config is None else config
    family = _family(theirs, where)
    if theirs.get("quantization_config") is not None:
        raise ConfigError(
            f"{where}: quantization_config says that the weights stand for others, which only the"
            " library that made them can tell. Get the model as it was before."
        )
    c = family.read_config(theirs, str(where))
    shards = Shards(directory)
    names = _named(shards.shapes, family)
    architecture, found = find_heads(theirs, family, c, names, str(where))
    heads = {h.name: as_stored(h, theirs, names, shards.shapes, str(where)) for h in found}
    if family.read_head is not None:
        heads = {name: family.read_head(theirs, head) for name, head in heads.items()}
    with torch.device("meta"):
        model, table = family.module(c, heads), family.all_renames(c, found)
        fitting = untied(model, family, table, names, shards)
        if fitting != c:
            model, table = family.module(fitting, heads), family.all_renames(fitting, found)
    table = used_biases(table, names, shards)
    load_weights(model, _checked(model, table, names, shards, family))
    token_ids = {k: v for k, v in theirs.items() if k.endswith("token_id") and isinstance(v, int)}
    return PublishedModel(family, model.eval(), heads, architecture, token_ids)


def hf_config(published: PublishedModel) -> dict[str, Any]:
    """The config.json of a model. Raises: ConfigError naming what it cannot express."""
    family = published.family
    of_heads = their_settings(family.heads[published.architecture], published.heads, family.name)
    more = {"architectures": [published.architecture], **published.token_ids}
    return {**of_heads, **family.write_config(published.model.config, published.heads, more)}


def write_published(directory: Path, published: PublishedModel, dtype: Kind = "fp32") -> None:
    """Write config.json and model.safetensors into a directory, as `transformers` writes them."""
    family, c = published.family, published.model.config
    table = family.all_renames(c, family.heads[published.architecture])
    tensors = export_tensors(_with_biases(published), table)
    if family.fixed_tensors is not None:
        tensors |= family.fixed_tensors(c, published.architecture)
    if published.architecture in family.class_prefixes:
        tensors = _wrapped(tensors, family, published.architecture)
    (directory / "config.json").write_bytes(dump_json(hf_config(published)))
    save_weights(tensors, directory / "model.safetensors", dtype)


def _with_biases(published: PublishedModel) -> dict[str, torch.Tensor]:
    """The model's weights, with zeros for an output's bias that only the published class has."""
    tensors, c = weights(published.model), published.model.config
    for head in published.family.heads[published.architecture]:
        config = published.heads.get(head.name, head.config)
        if head.config.bias and not config.bias:
            bias = torch.zeros(c.target_vocab_size or c.vocab_size)
            tensors[f"heads.{head.name}.output.bias"] = bias
    return tensors


def _family(theirs: Any, where: Path) -> Family:
    kind = theirs.get("model_type") if isinstance(theirs, dict) else None
    if not isinstance(kind, str):
        raise VerificationError(
            f"{where} names no model_type. Is this a model's directory? Known families:"
            f" {', '.join(FAMILIES)}."
        )
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
    bare = not any(name.startswith(family.base_prefix) for name in files)
    found = {}
    for name in files:
        full = name
        for old, new in LEGACY:
            full = full.replace(old, new)
        for prefix in family.class_prefixes.values():
            full = full.removeprefix(prefix)
        if bare and not _belongs_to_a_head(full, family):
            full = family.base_prefix + full
        found[full] = name
    return found


def _wrapped(
    tensors: Mapping[str, torch.Tensor], family: Family, architecture: str
) -> dict[str, torch.Tensor]:
    """The tensors as the files of this class of theirs name them."""
    rows = [row for head in family.heads[architecture] for row in head.renames]
    prefix = family.class_prefixes[architecture]
    return {
        name if any(match_name(row.published, name) for row in rows) else prefix + name: tensor
        for name, tensor in tensors.items()
    }


def _belongs_to_a_head(name: str, family: Family) -> bool:
    return any(
        match_name(pattern, name)
        for heads in family.heads.values()
        for head in heads
        for row in head.renames
        for pattern in row.names()
        if not pattern.startswith(family.base_prefix)
    )


def _checked(
    model: Model,
    table: Sequence[Rename],
    names: Mapping[str, str],
    shards: Shards,
    family: Family,
) -> dict[str, torch.Tensor]:
    """Our tensors, after their names, shapes and types were found to be right."""
    aliases = {alias for _, alias in model.ties()}
    wanted = [name for name in model.state_dict() if name not in aliases]
    where = find_origins([*wanted, *aliases], table)
    found = {name: [n for n in where[name].names if n in names][:1] for name in wanted}
    missing = [where[name].names[0] for name in wanted if not found[name]]
    taken = {n for each in found.values() for n in each}
    spare = {n for alias in aliases if alias in where for n in where[alias].names}
    spare |= {n for name in wanted for n in where[name].names if where[name].names[0] in taken}
    unused = sorted(
        name
        for name in names.keys() - taken - spare
        if not any(match_name(pattern, name) for pattern in family.ignored_tensors)
    )
    if missing or unused:
        _refuse(shards.directory, missing, unused, family)
    read = {name: names[n] for name, (n,) in found.items()}
    shapes = {name: where[name].shape(shards.shapes[stored]) for name, stored in read.items()}
    check_names(model, shapes, str(shards.directory))
    _check_types(shards, read.values())
    return {
        name: check_finite(shards.tensor(stored, where[name].read), f"{shards.directory}: {stored}")
        for name, stored in read.items()
    }


def _check_types(shards: Shards, names: Iterable[str]) -> None:
    """Raises: ConfigError naming a tensor whose numbers are not simply weights."""
    for name in names:
        if shards.dtypes[name] not in DTYPES:
            raise ConfigError(
                f"{shards.directory}: {name} holds numbers of type {shards.dtypes[name]}:"
                f" weights are {', '.join(DTYPES)}, others stand for weights by a rule that is not"
                " known here. Get the model as it was before it was quantized."
            )


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
