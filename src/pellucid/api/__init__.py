"""`pellucid.load`, `pellucid.load_vectors` and `pellucid.train`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.api.loaded import Loaded
from pellucid.config.paths import with_absolute_paths
from pellucid.config.source import read_source
from pellucid.data.word_vectors import WordVectors
from pellucid.formats.locate import locate
from pellucid.formats.open_model import open_model
from pellucid.formats.save_word_vectors import load_word_vectors
from pellucid.nn.device import choose_device
from pellucid.nn.pack_model import check_dtype
from pellucid.nn.packed_linear import PackedType

__all__ = ["Loaded", "load", "load_vectors", "train"]


def load(
    name: str | Path,
    *,
    device: str = "auto",
    dtype: PackedType = "fp32",
    require_checksum: bool = False,
    compile: bool = False,
) -> Loaded:
    """Open the model of a directory, of a finished run, of a shipped name, or at hf://.

    require_checksum: refuse a directory without a checksum manifest.
    compile: see `Loaded.compile`.
    Raises: DataError if there is no such model; VerificationError if its files are damaged; as
    `Loaded.compile`.
    """
    dtype = check_dtype(dtype)
    bundle = open_model(locate(name), require_checksum)
    loaded = Loaded(bundle, choose_device(device), dtype)
    if compile:
        loaded.compile()
    return loaded


def load_vectors(name: str | Path) -> WordVectors:
    """Open the word vectors of a finished run, or of a text file of word2vec or GloVe.

    Raises: DataError naming file and line, or if there are none; VerificationError if a file of
    the run is damaged.
    """
    return load_word_vectors(name)


def train(settings: Mapping[str, Any] | str | Path) -> Any:
    """Train by a mapping of settings or a YAML file, or resume the run in a directory.

    Returns the finished model.

    The result is as of `load`; of task word_vectors, as of `load_vectors`.

    Raises: DataError, ConfigError, ResourceError; KeyboardInterrupt if a signal stopped it, after
    its state was saved.
    """
    from pellucid.training.pipeline import train as run_training  # only training needs it

    if isinstance(settings, Mapping):
        trained = run_training(with_absolute_paths(settings))
    else:
        read, where = read_source(settings)
        trained = run_training(with_absolute_paths(read), where=where)
    if trained.signal is not None:
        raise KeyboardInterrupt
    has_model = trained.config.objective.has_model
    return load(trained.run.path) if has_model else load_vectors(trained.run.path)
