"""Read and write model directories in the layout of Hugging Face transformers."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError, VerificationError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.conversion import export_tensors, find_origins, match_name
from pellucid.families.family import Family
from pellucid.families.renames import Rename
from pellucid.formats.heads import (
    find_heads,
    read_head_config,
    remove_absent_ties,
    select_biases,
    write_heads,
)
from pellucid.formats.shards import Shards
from pellucid.json_files import dump_json, read_json
from pellucid.nn.base import Model
from pellucid.nn.weights import Kind, check_finite, check_names, load_weights, save_weights, weights

LEGACY_NAMES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))
"""Old name -> current name of the parameters of a norm."""


@dataclass(frozen=True)
class PublishedModel:
    """A model in the layout of its family."""

    family: Family
    model: Model
    heads: Mapping[str, HeadConfig]
    architecture: str
    """Name of its class in transformers."""
    token_ids: Mapping[str, int]
    """Token ids such as pad_token_id, by name."""
    generation: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of generation_config.json."""


def open_published(directory: Path, config: Any = None) -> PublishedModel:
    """Open a directory. Headers of weights are checked before memory is allocated.

    config: the content of config.json, if the caller has read it.
    Raises: DataError, VerificationError, ConfigError naming the file, the setting or the tensor.
    """
    where = directory / "config.json"
    config = read_json(where) if config is None else config
    family = _find_family(config, where)
    if config.get("quantization_config") is not None:
        raise ConfigError(
            f"{where}: the weights are quantized (quantization_config), which is not supported"
            " here. Download the model as it was before quantization."
        )
    c = family.read_config(config, str(where))
    shards = Shards(directory)
    names = _full_names(shards.shapes, family)
    architecture, published_heads = find_heads(config, family, c, names, str(where))
    heads = {
        h.name: read_head_config(h, config, names, shards.shapes, str(where))
        for h in published_heads
    }
    if family.read_head is not None:
        heads = {name: family.read_head(config, head) for name, head in heads.items()}
    with torch.device("meta"):
        model, table = family.module(c, heads), family.all_renames(c, published_heads)
        fitting_config = remove_absent_ties(model, family, table, names, shards)
        if fitting_config != c:
            model, table = (
                family.module(fitting_config, heads),
                family.all_renames(fitting_config, published_heads),
            )
    table = select_biases(table, names, shards)
    load_weights(model, _read_tensors(model, table, names, shards, family))
    if family.fixed_tensors is not None:
        constants = family.fixed_tensors(model.config, architecture)
        shards.check_constants({names[n]: t for n, t in constants.items() if n in names})
    token_ids = {k: v for k, v in config.items() if k.endswith("token_id") and isinstance(v, int)}
    return PublishedModel(family, model.eval(), heads, architecture, token_ids)


def build_hf_config(published: PublishedModel) -> dict[str, Any]:
    """Return the config.json of a model. Raises: ConfigError naming what it cannot express."""
    family = published.family
    head_settings = write_heads(family.heads[published.architecture], published.heads, family.name)
    more = {"architectures": [published.architecture], **published.token_ids}
    return {**head_settings, **family.write_config(published.model.config, published.heads, more)}


def write_published(directory: Path, published: PublishedModel, dtype: Kind = "fp32") -> None:
    """Write config.json and model.safetensors into a directory, as `transformers` writes them."""
    family, c = published.family, published.model.config
    table = family.all_renames(c, family.heads[published.architecture])
    tensors = export_tensors(_add_zero_biases(published), table)
    if family.fixed_tensors is not None:
        tensors |= family.fixed_tensors(c, published.architecture)
    if published.architecture in family.class_prefixes:
        tensors = _add_class_prefix(tensors, family, published.architecture)
    (directory / "config.json").write_bytes(dump_json(build_hf_config(published)))
    save_weights(tensors, directory / "model.safetensors", dtype)


def _add_zero_biases(published: PublishedModel) -> dict[str, torch.Tensor]:
    """Return the weights, with zeros for an output bias that only the published class has."""
    tensors, c = weights(published.model), published.model.config
    for head in published.family.heads[published.architecture]:
        config = published.heads.get(head.name, head.config)
        if head.config.bias and not config.bias:
            bias = torch.zeros(c.target_vocab_size or c.vocab_size)
            tensors[f"heads.{head.name}.output.bias"] = bias
    return tensors


def _find_family(config: Any, where: Path) -> Family:
    model_type = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(model_type, str):
        raise VerificationError(
            f"{where} names no model_type. Is this a model's directory? Known families:"
            f" {', '.join(PUBLISHED_FAMILIES)}."
        )
    if model_type not in PUBLISHED_FAMILIES:
        near = difflib.get_close_matches(model_type, PUBLISHED_FAMILIES, n=1)
        raise VerificationError(
            f"{where}: model_type {model_type[:80]!r} is not a known family"
            f"{f' (did it mean {near[0]}?)' if near else ''}."
            f" Known: {', '.join(PUBLISHED_FAMILIES)}."
        )
    return PUBLISHED_FAMILIES[model_type]


def _full_names(shapes: Iterable[str], family: Family) -> dict[str, str]:
    """Return full name of the family -> name in the file, for all tensors of the file."""
    files = list(shapes)
    bare = not any(name.startswith(family.base_prefix) for name in files)
    names = {}
    for name in files:
        full = name
        for old, new in LEGACY_NAMES:
            full = full.replace(old, new)
        for prefix in family.class_prefixes.values():
            full = full.removeprefix(prefix)
        if bare and not _belongs_to_a_head(full, family):
            full = family.base_prefix + full
        names[full] = name
    return names


def _add_class_prefix(
    tensors: Mapping[str, torch.Tensor], family: Family, architecture: str
) -> dict[str, torch.Tensor]:
    """Return the tensors with the prefix that files of this class add to all but the heads."""
    renames = [rename for head in family.heads[architecture] for rename in head.renames]
    prefix = family.class_prefixes[architecture]
    return {
        name if any(match_name(r.published, name) for r in renames) else prefix + name: tensor
        for name, tensor in tensors.items()
    }


def _belongs_to_a_head(name: str, family: Family) -> bool:
    return any(
        match_name(pattern, name)
        for heads in family.heads.values()
        for head in heads
        for rename in head.renames
        for pattern in rename.names()
        if not pattern.startswith(family.base_prefix)
    )


def _read_tensors(
    model: Model,
    table: Sequence[Rename],
    names: Mapping[str, str],
    shards: Shards,
    family: Family,
) -> dict[str, torch.Tensor]:
    """Check names, shapes and dtypes of all tensors, then read them: our name -> tensor."""
    aliases = {alias for _, alias in model.ties()}
    needed = [name for name in model.state_dict() if name not in aliases]
    origins = find_origins([*needed, *aliases], table)
    stored_names = {name: [n for n in origins[name].names if n in names][:1] for name in needed}
    missing = [origins[name].names[0] for name in needed if not stored_names[name]]
    used = {n for each in stored_names.values() for n in each}
    spare = {n for alias in aliases if alias in origins for n in origins[alias].names}
    spare |= {n for name in needed for n in origins[name].names if origins[name].names[0] in used}
    unused = sorted(
        name
        for name in names.keys() - used - spare
        if not any(match_name(pattern, name) for pattern in family.ignored_tensors)
    )
    if missing or unused:
        _raise_mismatch(shards.directory, missing, unused, family)
    read = {name: names[n] for name, (n,) in stored_names.items()}
    shapes = {
        name: origins[name].internal_shape(shards.shapes[stored]) for name, stored in read.items()
    }
    check_names(model, shapes, str(shards.directory))
    shards.check_types(read.values())
    return {
        name: check_finite(
            shards.tensor(stored, origins[name].to_internal), f"{shards.directory}: {stored}"
        )
        for name, stored in read.items()
    }


def _raise_mismatch(
    directory: Path, missing: Sequence[str], unused: Sequence[str], family: Family
) -> None:
    faults = []
    for name in missing[:5]:
        near = difflib.get_close_matches(name, unused, n=1)
        faults.append(f"{name} is missing" + (f" (is it {near[0][:100]}?)" if near else ""))
    faults += [f"{name[:100]} has no place" for name in unused[: 5 - len(faults)]]
    more = len(missing) + len(unused) - len(faults)
    raise VerificationError(
        f"{directory}: the weights are not those of a {family.name} with this config.json:"
        f" {'; '.join(faults)}{f'; and {more} more' if more > 0 else ''}."
        " Download the directory again."
    )
