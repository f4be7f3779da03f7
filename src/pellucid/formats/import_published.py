"""Import a downloaded model into a directory with a manifest."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.config.model import ModelConfig
from pellucid.errors import DataError, VerificationError
from pellucid.files import publish
from pellucid.formats import sentence_transformers, sidecar
from pellucid.formats.generation_config import FORCES_START, read_search
from pellucid.formats.huggingface import PublishedModel, open_published, write_published
from pellucid.formats.open_model import build_bundle, read_source_prefix, read_tokenizers
from pellucid.formats.pickles import convert
from pellucid.formats.search_tables import (
    PENALTIES,
    SAMPLING,
    SAMPLING_CUTS,
    SUPPORTED,
    UNSUPPORTED,
)
from pellucid.json_files import dump_json, read_json
from pellucid.manifest import verify_while_reading
from pellucid.text.published.open import MODELS

COPIED_FILES = (
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
    sidecar.NAME,
    "README.md",
)
"""Files that an import copies unchanged, next to config.json and the weights."""
KEPT_SETTINGS = frozenset(
    (*SUPPORTED, *PENALTIES, *UNSUPPORTED, *SAMPLING, *SAMPLING_CUTS, FORCES_START)
) | {"tokenizer_class", "task_specific_params"}
"""Settings of config.json besides the architecture and the token ids that are read here."""
SAMPLE = "The cat's 3 kittens, Ænne & 猫!"
"""Encoded by the tokenizers of the original and of the copy."""


def import_published(source: Path, directory: Path, from_pickle: bool = False) -> PublishedModel:
    """Check that a downloaded model opens, and write it to a directory with a manifest.

    from_pickle: read `pytorch_model*.bin` in a guarded child process.
    Raises: DataError, VerificationError, ConfigError naming the file; VerificationError if the
    result would search or encode differently.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a directory. Check the name.")
    with publish(directory) as temp, verify_while_reading(source):
        if from_pickle:
            convert(source, temp)
            shutil.copyfile(source / "config.json", temp / "config.json")
        config = read_json(source / "config.json")
        published = open_published(temp if from_pickle else source, config)
        for leftover in temp.glob("*.safetensors*"):
            leftover.unlink()
        write_published(temp, published)
        for name in COPIED_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, temp / name)
        _copy_steps(source, temp, from_pickle)
        _copy_settings(config, temp / "config.json")
        _check_copy(source, temp, published.model.config)
        written = read_json(temp / "config.json")
        build_bundle(published, temp, written)  # raises the errors of opening the result
    return published


def _copy_settings(config: Mapping[str, Any], path: Path) -> None:
    """Add what a config.json says besides the architecture to the one that was written."""
    kept = {
        name: value
        for name, value in config.items()
        if name in KEPT_SETTINGS or name.endswith("token_id")
    }
    path.write_bytes(dump_json({**read_json(path), **kept}))


def _check_copy(source: Path, directory: Path, c: ModelConfig) -> None:
    """Raises: VerificationError if a copy opens with other settings or ids than its original."""
    expected, actual = _describe(source, c), _describe(directory, c)
    different = [name for name, value in expected.items() if actual[name] != value]
    if different:
        name = different[0]
        raise VerificationError(
            f"{source}: the imported copy would differ from the original in"
            f" {', '.join(different)}: {str(actual[name])[:200]} instead of"
            f" {str(expected[name])[:200]}. Nothing was written. Open the original directory"
            " itself, and report this as a bug."
        )


def _describe(directory: Path, c: ModelConfig) -> dict[str, Any]:
    """Return the settings with which a directory opens, by name, and its ids of a sample text."""
    config = read_json(directory / "config.json")
    tokenizers = read_tokenizers(directory)
    settings: dict[str, Any] = read_search(directory, config, c)._asdict()
    settings["source_prefix"] = read_source_prefix(config)
    for side in ("source", "target"):
        tokenizer = getattr(tokenizers, side)
        if tokenizer.is_present:
            # Without an unknown token, some tokenizers cannot encode any text.
            ids = tokenizer.encode(SAMPLE).ids if "unk" in tokenizer.roles else []
            settings[f"{side} tokenizer"] = (tokenizer.roles, tokenizer.template, ids)
    return settings


def _copy_steps(source: Path, directory: Path, from_pickle: bool) -> None:
    """Copy the folders of a sentence-transformers directory's steps."""
    for folder in sentence_transformers.step_folders(source):
        (directory / folder).mkdir()
        for name in (sentence_transformers.CONFIG, sentence_transformers.WEIGHTS):
            if (source / folder / name).is_file():
                shutil.copyfile(source / folder / name, directory / folder / name)
        if from_pickle and (source / folder / "pytorch_model.bin").is_file():
            convert(source / folder, directory / folder)
