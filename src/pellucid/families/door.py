"""One door to every model directory: ours, and those that the published families come in."""

from pathlib import Path

from pellucid.config.decoding import DecodingConfig
from pellucid.families.catalog import FAMILIES
from pellucid.families.directory import ModelDirectory, load_model
from pellucid.families.huggingface import open_foreign
from pellucid.manifest import NAME, read_json, read_text, verify
from pellucid.text.pair import Tokenizers

CARD = "README.md"


def open_model(directory: Path) -> ModelDirectory:
    """A finished model, in evaluation mode; where there is a manifest, every byte is verified.

    Raises: DataError, VerificationError, ConfigError naming the file at fault.
    """
    where = directory / "config.json"
    theirs = read_json(where) if where.is_file() else None
    if not isinstance(theirs, dict) or str(theirs.get("model_type")) not in FAMILIES:
        return load_model(directory)
    if (directory / NAME).exists():
        verify(directory)
    foreign = open_foreign(directory)
    c = foreign.model.config
    return ModelDirectory(
        model=foreign.model,
        model_config=c,
        tokenizers=Tokenizers.absent(directory),
        task="",
        roles=foreign.family.roles,
        decoding=DecodingConfig(),
        languages=("", ""),
        longest_source=c.max_length,
        card=read_text(directory / CARD) if (directory / CARD).is_file() else "",
        family=foreign.family.name,
        token_ids=foreign.token_ids,
    )
