"""Import a downloaded model into a directory with a manifest."""

import shutil
from pathlib import Path

from pellucid.errors import DataError
from pellucid.files import publish
from pellucid.formats import sentence_transformers, sidecar
from pellucid.formats.huggingface import PublishedModel, open_published, write_published
from pellucid.formats.open_model import build_bundle
from pellucid.formats.pickles import convert
from pellucid.json_files import read_json
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


def import_published(source: Path, directory: Path, from_pickle: bool = False) -> PublishedModel:
    """Check that a downloaded model opens, and write it to a directory with a manifest.

    from_pickle: read `pytorch_model*.bin` in a guarded child process.
    Raises: DataError, VerificationError, ConfigError naming the file.
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
        build_bundle(published, temp, config)  # raises the errors of opening the result
    return published


def _copy_steps(source: Path, directory: Path, from_pickle: bool) -> None:
    """Copy the folders of a sentence-transformers directory's steps."""
    for folder in sentence_transformers.step_folders(source):
        (directory / folder).mkdir()
        for name in (sentence_transformers.CONFIG, sentence_transformers.WEIGHTS):
            if (source / folder / name).is_file():
                shutil.copyfile(source / folder / name, directory / folder / name)
        if from_pickle and (source / folder / "pytorch_model.bin").is_file():
            convert(source / folder, directory / folder)
