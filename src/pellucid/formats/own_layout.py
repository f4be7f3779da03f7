"""The layout of pellucid for a finished model: a directory with a manifest of its files.

`config.json` shape and task; `generation_config.json` roles and search; `model.safetensors`;
the tokenizers' files; `README.md` the model card; `manifest.json` every file's sha256. A model with
dense layers or prompts has the step files of a sentence-transformers directory too.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from pellucid.config.any_model import AnyModelConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.read import build
from pellucid.errors import VerificationError
from pellucid.families.catalog import ALL_FAMILIES, LOCAL_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.formats.sentence_transformers import SentenceSteps, read_steps, write_steps
from pellucid.json_files import dump_json, read_json, read_text
from pellucid.manifest import verify
from pellucid.nn.weights import (
    Kind,
    check_names,
    load_weights,
    read_shapes,
    read_weights,
    save_weights,
)
from pellucid.text.pair import Tokenizers
from pellucid.text.published.open import open_tokenizers
from pellucid.text.template import Template

FORMAT = 1
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """`config.json`."""

    model_type: str
    format: int
    task: str
    languages: tuple[str, str]
    longest_source: int
    model: AnyModelConfig
    family: str = "transformer"
    heads: Mapping[str, HeadConfig] = field(default_factory=lambda: {"lm": LANGUAGE_MODEL})
    source_prefix: str = ""
    embedding: EmbeddingConfig = EmbeddingConfig()  # noqa: RUF009 (frozen)


@dataclass(frozen=True, kw_only=True)
class GenerationFile:
    """`generation_config.json`."""

    roles: Roles
    decoding: DecodingConfig
    token_ids: dict[str, int] = field(default_factory=dict)
    banned: tuple[int, ...] = ()


def write_model(directory: Path, bundle: Bundle, dtype: Kind = "fp32") -> None:
    """Write all files of a model into a directory, without the manifest."""
    config = ConfigFile(
        model_type="pellucid",
        format=FORMAT,
        task=bundle.task,
        languages=bundle.languages,
        longest_source=bundle.longest_source,
        model=bundle.model_config,
        family=bundle.family,
        heads=bundle.model.head_configs,
        embedding=bundle.embedding,
        source_prefix=bundle.source_prefix,
    )
    generation = GenerationFile(
        roles=bundle.roles,
        decoding=bundle.decoding,
        token_ids=dict(bundle.token_ids),
        banned=bundle.banned,
    )
    (directory / "config.json").write_bytes(dump_json(asdict(config)))
    (directory / "generation_config.json").write_bytes(dump_json(asdict(generation)))
    (directory / "README.md").write_text(bundle.card, encoding="utf-8")
    bundle.tokenizers.save(directory)
    if bundle.dense or bundle.prompts:
        steps = SentenceSteps(bundle.embedding, bundle.dense, bundle.prompts)
        write_steps(directory, steps, bundle.model_config.d_model)
    save_weights(bundle.model, directory / WEIGHTS, dtype)


def load_model(directory: Path, config_json: Any = None) -> Bundle:
    """Verify all files, then load the model in evaluation mode.

    config_json: the content of config.json, if that was read already.
    The config is compared with the header of the weights before memory is allocated.
    Raises: DataError, VerificationError, ConfigError naming the file.
    """
    path = directory / "config.json"
    if config_json is None and path.is_file():
        config_json = read_json(path)
    if config_json is not None and not (directory / "manifest.json").exists():
        _read_config(config_json, path)  # names a directory of another tool as such
    verify(directory)
    config = _read_config(config_json, path)
    generation = _read_generation(directory / "generation_config.json", config.model)
    tokenizers = _read_tokenizers(directory, config)
    shapes = read_shapes(directory / WEIGHTS)
    _check_layers(directory, config.model, shapes)
    with torch.device("meta"):
        model = ALL_FAMILIES[config.family].module(config.model, config.heads)
    check_names(model, shapes, str(directory / WEIGHTS))
    load_weights(model, read_weights(directory / WEIGHTS))
    steps = read_steps(directory, config.model.d_model)
    return Bundle(
        model=model.eval(),
        model_config=config.model,
        tokenizers=tokenizers,
        task=config.task,
        roles=generation.roles,
        decoding=generation.decoding,
        languages=config.languages,
        longest_source=config.longest_source,
        card=read_text(directory / "README.md"),
        family=config.family,
        embedding=config.embedding,
        source_prefix=config.source_prefix,
        token_ids=generation.token_ids,
        banned=generation.banned,
        dense=steps.dense,
        prompts=steps.prompts,
    )


def _read_config(config_json: Any, path: Path) -> ConfigFile:
    mapping = _checked_mapping(config_json, path)
    kind, version = mapping.get("model_type"), mapping.get("format")
    if kind != "pellucid":
        raise VerificationError(
            f"{path}: model_type is {str(kind)[:100]!r}, neither pellucid's nor a family's that is"
            " known here."
        )
    if isinstance(version, int) and version > FORMAT:
        raise VerificationError(
            f"{path} has format {version}, this version reads up to {FORMAT}: it was written by"
            " a newer pellucid. Upgrade: pip install -U pellucid."
        )
    heads = mapping.get("heads", {"lm": asdict(LANGUAGE_MODEL)})
    if not isinstance(heads, dict):
        raise VerificationError(
            f"{path}: heads is not a JSON object. Download the directory again."
        )
    rest = {name: value for name, value in mapping.items() if name != "heads"}
    head_configs = {
        name: build(HeadConfig, head, f"{path}: heads.{name}") for name, head in heads.items()
    }
    family = mapping.get("family", "transformer")
    if not isinstance(family, str) or family not in ALL_FAMILIES:
        raise VerificationError(
            f"{path}: family {str(family)[:100]!r} is not known. Known: {', '.join(ALL_FAMILIES)}."
            " Download or make the directory again."
        )
    config = build(ConfigFile, rest, str(path), {"model": ALL_FAMILIES[family].config_class})
    return replace(config, heads=head_configs)


def _checked_mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise VerificationError(f"{path} is not a JSON object. Download the directory again.")
    return value


def _read_generation(path: Path, c: AnyModelConfig) -> GenerationFile:
    """Raises: VerificationError if an id is outside the target vocabulary."""
    generation = build(GenerationFile, _checked_mapping(read_json(path), path), str(path))
    size = c.target_vocab_size or c.vocab_size
    named = {**generation.token_ids, **{f"banned id {i}": i for i in generation.banned}}
    for name, i in named.items():
        if not 0 <= i < size:
            raise VerificationError(
                f"{path}: {name} is {i}, but the model's token ids are 0 to {size - 1}. Download"
                " the directory again."
            )
    return generation


def _read_tokenizers(directory: Path, config: ConfigFile) -> Tokenizers:
    """Raises: VerificationError if they do not belong to the model."""
    tokenizers, c = open_tokenizers(directory), config.model
    if config.task == "translation" and tokenizers.source.template == Template():
        tokenizers = tokenizers.with_end_tokens()  # trained with them, saved without a template
    if config.family in LOCAL_FAMILIES:
        _check_vocabularies(directory, c, tokenizers)
        return tokenizers
    # Published families may have more tokens than rows, or fewer.
    return tokenizers.limit_vocab(c.vocab_size, c.target_vocab_size or c.vocab_size)


def _check_vocabularies(directory: Path, c: AnyModelConfig, tokenizers: Tokenizers) -> None:
    target = c.target_vocab_size or c.vocab_size
    for side, size in (("source", c.vocab_size), ("target", target)):
        n_tokens = getattr(tokenizers, side).vocab_size
        if n_tokens != size:
            raise VerificationError(
                f"{directory}: the {side} tokenizer knows {n_tokens} tokens, the model {size}: they"
                " do not belong together. Download the directory again."
            )


def _check_layers(directory: Path, c: AnyModelConfig, names: Mapping[str, Any]) -> None:
    """Raises: VerificationError if the weights have another number of layers than the config."""
    for side in ("encoder", "decoder"):
        stored = {m[1] for name in names if (m := re.match(rf"{side}\.layers\.(\d+)\.", name))}
        expected = getattr(c, f"n_{side}_layers")
        if len(stored) != expected:
            raise VerificationError(
                f"{directory}: config.json says {expected} {side} layers, {WEIGHTS} holds"
                f" {len(stored)}. They do not belong together: download the directory again."
            )
