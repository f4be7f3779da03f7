"""Save a finished model in its family's published layout, or in pellucid's own."""

from pathlib import Path

from pellucid.config.decoding import DecodingConfig
from pellucid.errors import ConfigError, DataError, VerificationError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.files import publish
from pellucid.formats import own_layout
from pellucid.formats.bundle import Bundle
from pellucid.formats.generation_config import NAME as GENERATION
from pellucid.formats.huggingface import PublishedModel, write_published
from pellucid.formats.sentence_transformers import SentenceSteps, write_steps
from pellucid.formats.sidecar import write_sidecar
from pellucid.formats.to_published import to_published
from pellucid.formats.write_generation import to_generation_config
from pellucid.json_files import dump_json
from pellucid.manifest import verify
from pellucid.nn.weights import Kind

WEIGHTS = "model.safetensors"


def save_bundle(directory: Path, bundle: Bundle, dtype: Kind = "fp32") -> list[str]:
    """Write a model directory for `open_model`; replace an existing model directory.

    A model of a published family is written in the Hugging Face layout, which `transformers` opens
    too. pellucid's own layout is used for other families, for settings or heads that the Hugging
    Face layout cannot express, and for int8. Returns notes, which give the reason.
    Raises: DataError if something else is there; ResourceError if the disk is full.
    """
    published, notes = None, list[str]()
    if bundle.family in PUBLISHED_FAMILIES:
        try:
            published = None if dtype == "int8" else to_published(bundle)
        except ConfigError as error:
            notes.append(f"saved in pellucid's own layout, which transformers cannot open: {error}")
    with publish(directory, replace=_is_model(directory), facts={"dtype": dtype}) as temp:
        if published is None:
            own_layout.write_model(temp, bundle, dtype)
        else:
            _write(temp, bundle, published, dtype)
    return notes


def export_published(directory: Path, bundle: Bundle) -> list[str]:
    """Write a model for `transformers`; a Transformer becomes a Marian or a PEGASUS.

    Returns notes on search settings that generation_config.json cannot express.
    Raises: ConfigError if no published class computes the same; DataError if something is there.
    """
    published = to_published(bundle)
    with publish(directory) as temp:
        return _write(temp, bundle, published)


def _write(
    directory: Path, bundle: Bundle, published: PublishedModel, dtype: Kind = "fp32"
) -> list[str]:
    """Write all files of the published layout; return notes as `export_published` does."""
    c, notes = published.model.config, list[str]()
    settings = {**bundle.token_ids, **published.token_ids, **published.generation}
    searches = bundle.decoding != DecodingConfig() or bundle.banned or bundle.task
    if searches and c.n_decoder_layers:
        search, notes = to_generation_config(c, bundle.decoding, bundle.banned)
        settings |= search
    write_published(directory, published, dtype)
    if bundle.tokenizers.source.is_present:
        bundle.tokenizers.save(directory)
    if settings and c.n_decoder_layers:  # nothing reads the file of an encoder
        (directory / GENERATION).write_bytes(dump_json(settings))
    steps = SentenceSteps(bundle.embedding, bundle.dense, bundle.prompts)
    if steps != SentenceSteps():
        write_steps(directory, steps, c.d_model)
    if bundle.card:
        (directory / "README.md").write_text(bundle.card, encoding="utf-8")
    write_sidecar(directory, bundle)
    return notes


def _is_model(directory: Path) -> bool:
    """Return whether a directory holds a verified model and nothing else: it can be replaced."""
    try:
        return WEIGHTS in verify(directory, deep=False)["files"]
    except (DataError, VerificationError):
        return False
