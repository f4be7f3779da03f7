"""Open any model directory, in the layout of pellucid or of a published family."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.formats.bundle import Bundle
from pellucid.formats.generation_config import read_search
from pellucid.formats.huggingface import PublishedModel, open_published
from pellucid.formats.own_layout import load_model
from pellucid.formats.sentence_transformers import read_steps
from pellucid.formats.sidecar import read_sidecar
from pellucid.json_files import read_json, read_text
from pellucid.manifest import verify_while_reading
from pellucid.text.pair import Tokenizers
from pellucid.text.published.open import MODELS, open_tokenizers
from pellucid.text.published.settings import list_unsupported

CARD = "README.md"
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "source.spm", *MODELS)


def open_model(directory: Path, require_checksum: bool = False) -> Bundle:
    """Open a model in evaluation mode; its files are verified if there is a manifest.

    require_checksum: refuse a directory without a manifest.
    Raises: DataError, VerificationError, ConfigError naming the file.
    """
    path = directory / "config.json"
    config = read_json(path) if path.is_file() else None
    if not isinstance(config, dict) or config.get("model_type") == "pellucid":
        return load_model(directory, config)
    with verify_while_reading(directory, require_checksum):
        return build_bundle(open_published(directory, config), directory, config)


def build_bundle(published: PublishedModel, directory: Path, config: Mapping[str, Any]) -> Bundle:
    """Return a published model with its tokenizers, search settings and sidecar file."""
    c = published.model.config
    search = read_search(directory, config, c)
    steps = read_steps(directory, c.d_model)
    tokenizers = read_tokenizers(directory)
    notes = (*search.notes, *list_unsupported(directory))
    if tokenizers.source.is_present:
        tokenizers = tokenizers.limit_vocab(c.vocab_size, c.target_vocab_size or c.vocab_size)
    bundle = Bundle(
        model=published.model,
        model_config=c,
        tokenizers=tokenizers,
        task="",
        roles=published.family.roles,
        decoding=search.decoding,
        languages=("", ""),
        longest_source=c.max_length,
        card=read_text(directory / CARD) if (directory / CARD).is_file() else "",
        family=published.family.name,
        token_ids=search.token_ids,
        embedding=steps.config,
        dense=steps.dense,
        prompts=steps.prompts,
        banned=search.banned,
        notes=(*search.decoding_notes, *notes),
        source_prefix=read_source_prefix(config),
    )
    sidecar = read_sidecar(directory)
    if sidecar is None:
        return bundle
    return replace(
        bundle,
        task=sidecar.task,
        roles=sidecar.roles,
        decoding=sidecar.decoding,
        languages=sidecar.languages,
        longest_source=sidecar.longest_source,
        source_prefix=sidecar.source_prefix,
        notes=notes,
    )


def read_source_prefix(config: Mapping[str, Any]) -> str:
    """Return the text before a document to summarize that config.json names; "" if none."""
    for name in ("task_specific_params", "summarization", "prefix"):
        config = config.get(name) if isinstance(config, Mapping) else {}  # type: ignore[assignment]
    return config if isinstance(config, str) else ""


def read_tokenizers(directory: Path) -> Tokenizers:
    """Return the tokenizers of a published directory; placeholders if it has none.

    Raises: DataError or VerificationError naming the file.
    """
    if not any((directory / name).exists() for name in TOKENIZERS):
        return Tokenizers.absent(directory)
    return open_tokenizers(directory)
