"""A family's own layout as a verified directory: written from a model, or brought in from files."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from pellucid.config.decoding import DecodingConfig
from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError, DataError
from pellucid.families.catalog import FAMILIES
from pellucid.families.family import Family
from pellucid.files import publish
from pellucid.formats import sentence_transformers
from pellucid.formats.bundle import Bundle
from pellucid.formats.generation_config import NAME as GENERATION
from pellucid.formats.generation_config import written_search
from pellucid.formats.huggingface import PublishedModel, open_published, write_published
from pellucid.formats.marian_export import to_marian
from pellucid.formats.pickles import convert
from pellucid.manifest import dump_json, verified
from pellucid.nn.model import Transformer
from pellucid.text.published.open import MODELS

KEPT = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    *MODELS,
    "source.spm",
    "target.spm",
    "target_vocab.json",
    "generation_config.json",
    *sentence_transformers.FILES,
    "README.md",
)
"""What an import brings along as it is, beside config and weights."""


def save_published(directory: Path, parts: Bundle) -> list[str]:
    """Publish a model in its family's layout, for `transformers` and for us.

    Gives notes on what of its search settings has no name there.
    Raises: ConfigError if its family has no such layout; DataError if something is there already.
    """
    published, notes = to_published(parts), list[str]()
    settings = {**parts.token_ids, **published.token_ids, **published.generation}
    told = parts.decoding != DecodingConfig() or parts.banned or parts.task
    if told and published.model.config.n_decoder_layers:
        search, notes = written_search(published.model.config, parts.decoding, parts.banned)
        settings |= search
    with publish(directory) as temp:
        write_published(temp, published)
        if parts.tokenizers.source.there:
            parts.tokenizers.save(temp)
        if settings:
            (temp / GENERATION).write_bytes(dump_json(settings))
        if parts.embedding != EmbeddingConfig():
            sentence_transformers.write_embedding(
                temp, parts.embedding, published.model.config.d_model
            )
        if parts.card:
            (temp / "README.md").write_text(parts.card, encoding="utf-8")
    return notes


def import_published(source: Path, directory: Path, from_pickle: bool = False) -> PublishedModel:
    """Bring a downloaded directory in: opened once to see that it is whole, then written anew.

    from_pickle: read `pytorch_model*.bin` in a guarded child process.
    Raises: DataError, VerificationError, ConfigError naming the file at fault.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a directory. Check the name.")
    with publish(directory) as temp, verified(source):
        if from_pickle:
            convert(source, temp)
            shutil.copyfile(source / "config.json", temp / "config.json")
        published = open_published(temp if from_pickle else source)
        for leftover in temp.glob("*.safetensors*"):
            leftover.unlink()
        write_published(temp, published)
        for name in KEPT:
            if (source / name).is_file():
                (temp / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(source / name, temp / name)
    return published


def to_published(parts: Bundle) -> PublishedModel:
    """The model in its family's layout. Raises: ConfigError if there is none."""
    if parts.family == "transformer":
        assert isinstance(parts.model, Transformer)
        return to_marian(parts.model, parts.roles, parts.tokenizers.target.id)
    if parts.family not in FAMILIES:
        raise ConfigError(
            f"a model of family {parts.family!r} has no published layout. Families that have one:"
            f" {', '.join(FAMILIES)}."
        )
    family, heads = FAMILIES[parts.family], parts.model.head_configs
    ids = {name: i for name, i in parts.token_ids.items() if not name.startswith("forced_")}
    return PublishedModel(family, parts.model, heads, _architecture(family, heads), ids)


def _architecture(family: Family, heads: Mapping[str, HeadConfig]) -> str:
    """Their class that has these heads."""
    for name, theirs in family.heads.items():
        if [head.name for head in theirs] == list(heads):
            return name
    raise ConfigError(
        f"no published class of {family.name} has the heads {', '.join(heads)}. Known:"
        f" {'; '.join(', '.join(h.name for h in heads) for heads in family.heads.values())}."
    )
