"""Read and write the steps of a sentence-transformers directory, which embed a text.

`modules.json` lists them with their folders: Transformer, Pooling, Dense layers, Normalize.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.config.embedding import EmbeddingConfig
from pellucid.errors import ConfigError
from pellucid.formats.sentence_settings import (
    CONFIG,
    LIMITS,
    POOLING,
    POOLING_FLAGS,
    PROMPTS,
    WEIGHTS,
    check_normalize,
    read_dense,
    read_limits,
    read_pooling,
    read_prompts,
)
from pellucid.json_files import dump_json, read_json
from pellucid.nn.dense import Dense
from pellucid.nn.weights import weights, write_tensors

MODULES = "modules.json"
FILES = (MODULES, PROMPTS, *LIMITS)
FOLDER = re.compile(r"[\w-][\w .-]*", re.ASCII)


class SentenceSteps(NamedTuple):
    """How a text and its states become a vector."""

    config: EmbeddingConfig = EmbeddingConfig()
    dense: tuple[Dense, ...] = ()
    """Dense layers between pooling and normalization."""
    prompts: Mapping[str, Any] = {}
    """The content of `config_sentence_transformers.json`, kept for a later export."""


class Step(NamedTuple):
    """An entry of `modules.json`."""

    kind: str
    folder: Path


def read_steps(directory: Path, d_model: int) -> SentenceSteps:
    """Read the steps of a directory. Without `modules.json`, a vector is the mean of states.

    Raises: ConfigError naming a setting that is not supported; DataError, VerificationError naming
    a missing or damaged file.
    """
    if not (directory / MODULES).is_file():
        return SentenceSteps()
    _, pooling, *rest = _read_modules(directory)
    mode, pool_prompt = read_pooling(pooling.folder / CONFIG)
    longest, lowercase = read_limits(directory)
    prompt, prompts = read_prompts(directory / PROMPTS)
    dense = list[Dense]()
    for step in rest:
        if step.kind == "Dense":
            dense.append(read_dense(step.folder, d_model))
            d_model = dense[-1].linear.out_features
    config = EmbeddingConfig(
        pooling=mode,
        normalize=bool(rest) and rest[-1].kind == "Normalize",
        longest=longest,
        prompt=prompt,
        pool_prompt=pool_prompt,
        lowercase=lowercase,
    )
    return SentenceSteps(config, tuple(dense), prompts)


def write_steps(directory: Path, steps: SentenceSteps, d_model: int) -> None:
    """Write the steps so that sentence-transformers 2 and later can read them."""
    e = steps.config
    kinds = ["Transformer", "Pooling", *["Dense"] * len(steps.dense), *["Normalize"] * e.normalize]
    folders = ["", *(f"{i}_{kind}" for i, kind in enumerate(kinds) if i)]
    modules = [
        {"idx": i, "name": str(i), "path": folder, "type": f"sentence_transformers.models.{kind}"}
        for i, (folder, kind) in enumerate(zip(folders, kinds, strict=True))
    ]
    flags = {flag: POOLING.get(mode) == e.pooling for flag, mode in POOLING_FLAGS.items()}
    pooling = {"word_embedding_dimension": d_model, **flags, "include_prompt": e.pool_prompt}
    limits = {"max_seq_length": e.longest or None, "do_lower_case": e.lowercase}
    for folder in folders[1:]:
        (directory / folder).mkdir()
    (directory / MODULES).write_bytes(dump_json(modules))
    (directory / folders[1] / CONFIG).write_bytes(dump_json(pooling))
    (directory / LIMITS[0]).write_bytes(dump_json(limits))
    if steps.prompts or e.prompt:
        (directory / PROMPTS).write_bytes(dump_json(_build_prompts(steps)))
    for folder, dense in zip(folders[2:], steps.dense, strict=False):
        _write_dense(directory / folder, dense)


def step_folders(directory: Path) -> list[str]:
    """Return the folders that hold the files of a directory's steps."""
    if not (directory / MODULES).is_file():
        return []
    folders = [step.folder for step in _read_modules(directory)[1:]]
    return [folder.name for folder in folders if folder.is_dir()]


def _read_modules(directory: Path) -> list[Step]:
    """Read `modules.json`. Raises: ConfigError if a step or their order is not supported."""
    path = directory / MODULES
    entries = read_json(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{path} is not a list of steps. Download the directory again.")
    steps = [_read_module(entry, path) for entry in entries]
    kinds = [step.kind for step in steps]
    maps = kinds[2:-1] if kinds[-1:] == ["Normalize"] else kinds[2:]
    if kinds[:2] != ["Transformer", "Pooling"] or set(maps) - {"Dense"}:
        raise ConfigError(
            f"{path}: its steps are {', '.join(kinds)[:200]}. Supported are Transformer, Pooling,"
            " any number of Dense, and Normalize or not, in this order. Its vectors would differ,"
            " so it cannot be opened."
        )
    if steps[0].folder != directory:
        raise ConfigError(
            f"{path}: the Transformer's path is {str(entries[0]['path'])[:80]!r}. Move the files of"
            f' that folder into {directory}, and set the path to "".'
        )
    return steps


def _read_module(entry: Mapping[str, Any], path: Path) -> Step:
    name, folder = str(entry.get("type")), entry.get("path", "")
    kind = name.rpartition(".")[2]
    if not name.startswith("sentence_transformers."):
        raise ConfigError(
            f"{path}: type {name[:80]!r} is code that comes with the directory, and such code is"
            " never run. It cannot be opened."
        )
    if not isinstance(folder, str) or (folder and not FOLDER.fullmatch(folder)):
        raise ConfigError(f"{path}: path {str(folder)[:80]!r} is not the name of a folder in it.")
    if kind == "Normalize":
        check_normalize(path.parent / folder)
    return Step(kind, path.parent / folder)


def _build_prompts(steps: SentenceSteps) -> dict[str, Any]:
    """Return the content of the prompts file, with the prompt in use as its default."""
    prompts = {**(steps.prompts.get("prompts") or {})}
    names = [name for name, text in prompts.items() if text == steps.config.prompt]
    default = None
    if steps.config.prompt:
        default = names[0] if names else "default"
        prompts[default] = steps.config.prompt
    return {**steps.prompts, "prompts": prompts, "default_prompt_name": default}


def _write_dense(folder: Path, dense: Dense) -> None:
    kind = type(dense.activation)
    config = {
        "in_features": dense.linear.in_features,
        "out_features": dense.linear.out_features,
        "bias": dense.linear.bias is not None,
        "activation_function": f"{kind.__module__}.{kind.__name__}",
        **({"use_residual": True} if dense.has_residual else {}),
    }
    (folder / CONFIG).write_bytes(dump_json(config))
    write_tensors(weights(dense), folder / WEIGHTS)
