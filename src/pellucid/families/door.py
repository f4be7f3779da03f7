"""One door to every model directory: ours, and those that the published families come in."""

from pathlib import Path

from pellucid.config.embedding import EmbeddingConfig, Pooling
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError, VerificationError
from pellucid.families.catalog import FAMILIES
from pellucid.families.directory import ModelDirectory, load_model
from pellucid.families.generation import read_search
from pellucid.families.huggingface import open_foreign
from pellucid.manifest import read_json, read_text, verified
from pellucid.text.foreign import MODELS, open_tokenizers
from pellucid.text.pair import Tokenizers

CARD = "README.md"
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "source.spm", *MODELS)
POOLING: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
}
"""What sentence-transformers calls the ways of pooling, and we."""


def open_model(directory: Path, require_checksum: bool = False) -> ModelDirectory:
    """A finished model, in evaluation mode; where there is a manifest, every byte is verified.

    require_checksum: refuse a directory without one.
    Raises: DataError, VerificationError, ConfigError naming the file at fault.
    """
    where = directory / "config.json"
    theirs = read_json(where) if where.is_file() else None
    if not isinstance(theirs, dict) or str(theirs.get("model_type")) not in FAMILIES:
        return load_model(directory)
    with verified(directory, require_checksum):
        foreign = open_foreign(directory)
    c = foreign.model.config
    told = read_search(directory, theirs, c)
    return ModelDirectory(
        model=foreign.model,
        model_config=c,
        tokenizers=_tokenizers(directory, c),
        task="",
        roles=foreign.family.roles,
        decoding=told.decoding,
        languages=("", ""),
        longest_source=c.max_length,
        card=read_text(directory / CARD) if (directory / CARD).is_file() else "",
        family=foreign.family.name,
        token_ids=told.token_ids,
        embedding=_embedding(directory),
        banned=told.banned,
        notes=told.notes,
    )


def _tokenizers(directory: Path, c: ModelConfig) -> Tokenizers:
    """Raises: VerificationError if they know more tokens than the model."""
    if not any((directory / name).exists() for name in TOKENIZERS):
        return Tokenizers.absent(directory)
    found = open_tokenizers(directory)
    for side, rows in (("source", c.vocab_size), ("target", c.target_vocab_size or c.vocab_size)):
        known = getattr(found, side).vocab_size
        if known > rows:
            raise VerificationError(
                f"{directory}: the {side} tokenizer knows {known} tokens, the model only {rows}:"
                " they are not of one training. Get the directory anew."
            )
    return found


def _embedding(directory: Path) -> EmbeddingConfig:
    """What a directory of sentence embeddings says of pooling; the mean where it says nothing."""
    steps, pooling = directory / "modules.json", directory / "1_Pooling" / "config.json"
    cut = directory / "sentence_bert_config.json"
    if not (steps.is_file() and pooling.is_file()):
        return EmbeddingConfig()
    told = read_json(pooling)
    chosen: list[Pooling] = [
        name for key, name in POOLING.items() if isinstance(told, dict) and told.get(key)
    ]
    if len(chosen) != 1:
        raise ConfigError(f"{pooling}: it asks for a pooling that is not one of {POOLING}.")
    sizes = read_json(cut) if cut.is_file() else {}
    if not isinstance(sizes, dict):
        raise ConfigError(f"{cut} holds no settings. Get the directory anew.")
    longest = sizes.get("max_seq_length", 0)
    return EmbeddingConfig(
        pooling=chosen[0],
        normalize="Normalize" in str(read_json(steps)),
        longest=longest if isinstance(longest, int) else 0,
    )
