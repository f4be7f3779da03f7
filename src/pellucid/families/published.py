"""A family's own layout as a verified directory: written from a model, or brought in from files."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError, DataError, UsageError
from pellucid.families.catalog import FAMILIES
from pellucid.families.directory import ModelDirectory
from pellucid.families.family import Family
from pellucid.families.huggingface import Foreign, open_foreign, save_foreign
from pellucid.families.marian import MARIAN
from pellucid.families.pickles import convert
from pellucid.families.transformer import to_marian
from pellucid.files import publish
from pellucid.manifest import dump_json
from pellucid.text.foreign import MODELS

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
    "README.md",
)
"""What an import brings along as it is, beside config and weights."""


def save_published(directory: Path, parts: ModelDirectory) -> None:
    """Publish a model in its family's layout, for `transformers` and for us.

    Raises: ConfigError if its family has no such layout; DataError if something is there already.
    """
    foreign = to_foreign(parts)
    with publish(directory) as temp:
        save_foreign(temp, foreign)
        if parts.tokenizers.source.there:
            parts.tokenizers.save(temp)
        if foreign.token_ids:
            settings = {**foreign.token_ids, **foreign.generation}
            (temp / "generation_config.json").write_bytes(dump_json(settings))
        if parts.card:
            (temp / "README.md").write_text(parts.card, encoding="utf-8")


def import_published(source: Path, directory: Path, from_pickle: bool = False) -> Foreign:
    """Bring a downloaded directory in: opened once to see that it is whole, then written anew.

    from_pickle: read `pytorch_model*.bin` in a guarded child process.
    Raises: DataError, VerificationError, ConfigError naming the file at fault.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a directory. Check the name.")
    with publish(directory) as temp:
        if from_pickle:
            convert(source, temp)
            shutil.copyfile(source / "config.json", temp / "config.json")
        foreign = open_foreign(temp if from_pickle else source)
        for leftover in temp.glob("*.safetensors*"):
            leftover.unlink()
        save_foreign(temp, foreign)
        for name in KEPT:
            if (source / name).is_file():
                shutil.copyfile(source / name, temp / name)
    return foreign


def to_ctranslate2(directory: Path, parts: ModelDirectory) -> None:
    """Write a model for CTranslate2, by its own converter, and open it there.

    Raises: UsageError if the extra is not installed; ConfigError if it does not know the family.
    """
    try:
        from ctranslate2.converters import TransformersConverter
    except ImportError as error:
        raise UsageError("CTranslate2 is not here: pip install 'pellucid[export]'.") from error
    if directory.exists():
        raise DataError(f"{directory} exists already. Choose another name, or move it away.")
    _check_start(to_foreign(parts))
    with tempfile.TemporaryDirectory() as temp:
        save_published(Path(temp) / "model", parts)
        try:
            TransformersConverter(f"{temp}/model").convert(str(directory))
        except ValueError as error:
            raise ConfigError(f"CTranslate2 has no form of {parts.family}: {error}") from error


def to_foreign(parts: ModelDirectory) -> Foreign:
    """The model in its family's layout. Raises: ConfigError if there is none."""
    if parts.family == "transformer":
        return to_marian(parts.model, parts.roles, parts.tokenizers.target.id)
    if parts.family not in FAMILIES:
        raise ConfigError(
            f"a model of family {parts.family!r} has no published layout. Families that have one:"
            f" {', '.join(FAMILIES)}."
        )
    family, heads = FAMILIES[parts.family], parts.model.head_configs
    return Foreign(family, parts.model, heads, _architecture(family, heads), parts.token_ids)


def _check_start(foreign: Foreign) -> None:
    """CTranslate2 drops a Marian's last token as its padding, and starts from zeros in its place.

    Raises: ConfigError at one with another start: its translations would be wrong, and no one told.
    """
    c, start = foreign.model.config, foreign.token_ids.get("decoder_start_token_id")
    last = (c.target_vocab_size or c.vocab_size) - 1
    if foreign.family is MARIAN and start != last:
        raise ConfigError(
            f"this model's decoder starts with token {start}, and CTranslate2 takes a Marian's to"
            f" start with its last, {last}. Export it with --format huggingface."
        )


def _architecture(family: Family, heads: Mapping[str, HeadConfig]) -> str:
    """Their class that has these heads."""
    for name, theirs in family.heads.items():
        if [head.name for head in theirs] == list(heads):
            return name
    raise ConfigError(
        f"no published class of {family.name} has the heads {', '.join(heads)}. Known:"
        f" {'; '.join(', '.join(h.name for h in heads) for heads in family.heads.values())}."
    )
