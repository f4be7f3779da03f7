"""Find the heads of a published model, and which of its tensors are tied."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.read import build
from pellucid.errors import ConfigError
from pellucid.families.conversion import find_origins, match_name
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import as_names
from pellucid.families.renames import Rename
from pellucid.formats.label_settings import read_labels, write_labels
from pellucid.formats.shards import Shards
from pellucid.nn.base import Model


def find_heads(
    hf_config: Mapping[str, Any],
    family: Family,
    c: ModelConfig,
    names: Mapping[str, str],
    where: str,
) -> tuple[str, Sequence[PublishedHead]]:
    """Return the published class and its heads, from the config or else from the weights.

    A base class gets the heads in its weights, and a language model head if its output is tied to
    the embedding, as in `transformers`.
    Raises: ConfigError if the class is unknown.
    """
    classes = hf_config.get("architectures")
    architecture = str(classes[0]) if isinstance(classes, list) and classes else ""
    if architecture and architecture not in family.heads:
        raise ConfigError(
            f"{where}: architectures has {architecture[:80]!r}, which is not a supported class of"
            f" {family.name}. Supported: {', '.join(family.heads)}."
        )
    if architecture not in ("", family.base_class):
        return architecture, family.heads[architecture]
    is_tied = hf_config.get("tie_word_embeddings", True) is not False
    generates = is_tied and c.n_decoder_layers > 0 and c.tie_embeddings in ("all", "decoder")
    candidates = {
        name: heads
        for name, heads in family.heads.items()
        if (not architecture or name == architecture or (generates and _is_only_output(heads)))
        and all(_has_tensors(head, c, names) for head in heads)
    }
    # The class with the most tensors in the file; among equals, the first one of the family.
    name, heads = max(
        candidates.items(),
        key=lambda candidate: _count_tensors(candidate[1], names),
        default=(family.base_class, ()),
    )
    return architecture or name, [_remove_absent_bias(head, names) for head in heads]


def _is_only_output(heads: Sequence[PublishedHead]) -> bool:
    """Return whether a class has a language model head without further layers, and no other."""
    (head, *others) = heads or (None,)
    return (
        head is not None
        and not others
        and head.config.kind == "lm"
        and all(_is_output_rename(rename) for rename in head.renames)
    )


def _remove_absent_bias(head: PublishedHead, names: Mapping[str, str]) -> PublishedHead:
    """Return a language model head without bias if the weights have none (it is zero)."""
    biases = _output_bias_names(head)
    biases += [f"{rename.published}.bias" for rename in head.renames if rename.internal == "output"]
    if head.config.kind != "lm" or any(name in names for name in biases):
        return head
    return head._replace(config=replace(head.config, bias=False))


def _output_bias_names(head: PublishedHead) -> list[str]:
    """Return the published names of the separate bias of the output, if there is one."""
    return [n for r in head.renames if r.internal == "output.bias" for n in r.names()]


def _has_tensors(head: PublishedHead, c: ModelConfig, names: Mapping[str, str]) -> bool:
    """Return whether the weights have all tensors of a head, except a tied output."""
    if head.marker:
        return any(match_name(head.marker, name) for name in names)
    is_tied = head.config.kind == "lm" and c.tie_embeddings != "none"
    renames = [rename for rename in head.renames if not (is_tied and _is_output_rename(rename))]
    return all(any(match_name(rename.published, name) for name in names) for rename in renames)


def _is_output_rename(rename: Rename) -> bool:
    """Return whether a rename is of the output layer, its weight or its bias."""
    return rename.internal in ("output", "output.weight", "output.bias")


def _count_tensors(heads: Sequence[PublishedHead], names: Mapping[str, str]) -> int:
    """Return the number of tensors in the file that belong to these heads."""
    patterns = [pattern for head in heads for rename in head.renames for pattern in rename.names()]
    return sum(any(match_name(pattern, name) for pattern in patterns) for name in names)


def read_head_config(
    head: PublishedHead,
    hf_config: Mapping[str, Any],
    names: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    where: str,
) -> HeadConfig:
    """Return the config of a head, with sizes from the weights and settings from config.json.

    Raises: ConfigError if a setting is invalid.
    """
    settings: dict[str, Any] = {}
    for each in head.settings:
        if each.is_set(hf_config):
            settings |= each.read(hf_config, f"{where}: head {head.name}")
    sized = read_labels(_with_stored_size(head, names, shapes), hf_config, where)
    return build(HeadConfig, {**asdict(sized), **settings}, f"{where}: head {head.name}")


def write_heads(
    heads: Sequence[PublishedHead], configs: Mapping[str, HeadConfig], family: str
) -> dict[str, Any]:
    """Return settings of config.json for these heads. Raises: ConfigError if there are none."""
    settings: dict[str, Any] = {}
    for head in heads:
        config = configs.get(head.name)
        if config is None:  # a base class without its pooler
            continue
        for each in head.settings:
            settings |= each.write(config, family)
        settings |= write_labels(config)
    return settings


def check_expressible(head: PublishedHead, config: HeadConfig, family: Family) -> None:
    """Raises: ConfigError if the published head of this name computes something else."""
    free = {"outputs", "labels", "problem", "dropout", "input_dropout"}
    free |= {name for each in head.settings for name in as_names(each.internal)}
    if family.read_head is not None:  # config.json of the family has it
        free.add("scale")
    if head.config.kind == "lm" and head.config.bias:  # a missing bias equals zeros
        free.add("bias")
    for name, value in asdict(config).items():
        expected = getattr(head.config, name)
        if value != expected and name not in free:
            raise ConfigError(
                f"head {head.name}: {name}={value!r}, but published {family.name} models have"
                f" {name}={expected!r}. Keep this model in pellucid's own layout."
            )


def _with_stored_size(
    head: PublishedHead, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> HeadConfig:
    """Return the head config with the number of outputs of the weights."""
    if head.config.kind == "lm":
        biases = _output_bias_names(head)
        absent = bool(biases) and not any(name in names for name in biases)
        return replace(head.config, bias=head.config.bias and not absent)
    for rename in head.renames:
        if rename.internal == "output":
            name = names.get(f"{rename.published}.weight")
            if name is not None:
                n = shapes[name][0]
                labels = head.config.labels if len(head.config.labels) == n else ()
                return replace(head.config, outputs=n, labels=labels)
    return head.config


def remove_absent_ties(
    model: Model, family: Family, table: Sequence[Rename], names: Mapping[str, str], shards: Shards
) -> ModelConfig:
    """Return the config without ties of tensors that are both in the file and differ."""
    c, pairs = model.config, model.ties()
    origins = find_origins([name for pair in pairs for name in pair], table)
    differing = []
    for kept, alias in pairs:
        if kept not in origins or alias not in origins or ".layers." in alias:
            continue
        if _differ([origins[name].names[0] for name in (kept, alias)], names, shards):
            differing.append(alias)
    if not differing:
        return c
    if family.remove_ties is not None:
        return family.remove_ties(c, differing)
    only_output = all(alias.startswith("heads.") for alias in differing)
    both = c.n_encoder_layers and c.n_decoder_layers and not c.target_vocab_size
    return replace(c, tie_embeddings="inputs" if only_output and both else "none")


def select_biases(
    table: Sequence[Rename], names: Mapping[str, str], shards: Shards
) -> Sequence[Rename]:
    """Return the renames, so that a head uses the bias that `transformers` would use.

    A file may have the output's bias twice. If the values differ, `transformers` does not tie them
    and uses the bias of the output module.
    """
    return [
        rename.swap_names()
        if rename.alternative
        and not rename.writes_both
        and _is_head_rename(rename)
        and _differ(rename.names(), names, shards)
        else rename
        for rename in table
    ]


def _is_head_rename(rename: Rename) -> bool:
    return isinstance(rename.internal, str) and rename.internal.startswith("heads.")


def _differ(pair: Sequence[str], names: Mapping[str, str], shards: Shards) -> bool:
    """Return whether both tensors (full published names) are in the file and differ."""
    one, other = (names.get(name) for name in pair)
    if one is None or other is None or one == other:
        return False
    first, second = (shards.tensor(name, torch.Tensor.float) for name in (one, other))
    return first.shape != second.shape or not torch.equal(first, second)
