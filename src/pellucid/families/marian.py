"""Marian: translators of one language pair, such as OPUS-MT (Junczys-Dowmunt et al. 2018).

What is special: the Transformer of 2017 with all sines before all cosines and a trained bias on the
logits; padding has the last id of the vocabulary, starts the decoder, and must never be generated.
Newer pairs have a vocabulary for each side.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import bart
from pellucid.families.family import Family
from pellucid.families.renames import Rename
from pellucid.nn.positions import sinusoids

BASE = ModelConfig(positions="sinusoid-halves", activation="swish")
# tie_embeddings -> whether the sides share a vocabulary, and whether the output is tied.
TIES = {"all": (True, True), "decoder": (False, True), "none": (False, False)}


def read_ties(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Set tie_embeddings and target_vocab_size."""
    is_shared = config.get("share_encoder_decoder_embeddings", True) is not False
    is_tied = config.get("tie_word_embeddings", True) is not False
    ties = ("all" if is_shared else "decoder") if is_tied else "none"
    size = 0 if is_shared else config.get("decoder_vocab_size") or settings["vocab_size"]
    return {**settings, "tie_embeddings": ties, "target_vocab_size": size}


def write_ties(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the ties. Raises: ConfigError if config.json cannot express them."""
    if c.tie_embeddings not in TIES:
        raise ConfigError(
            f"a Marian's config.json cannot express tie_embeddings={c.tie_embeddings}. Use one of"
            f" {', '.join(TIES)}."
        )
    shared, tied = TIES[c.tie_embeddings]
    return {
        "share_encoder_decoder_embeddings": shared,
        "tie_word_embeddings": tied,
        "decoder_vocab_size": c.target_vocab_size or c.vocab_size,
        "forced_eos_token_id": None,  # the default, 0, would force that token at the longest length
    }


def renames(c: ModelConfig) -> list[Rename]:
    """Return BART's renames; files with two embedding tables do not contain the shared one."""
    return [rename._replace(writes_both=False) for rename in bart.renames(c)]


def position_tables(c: ModelConfig, architecture: str) -> dict[str, Tensor]:
    """Return the sinusoids, which only files of the base class contain."""
    if architecture != "MarianModel":
        return {}
    return {
        f"model.{side}.embed_positions.weight": sinusoids(c.max_length, c.d_model, halves=True)
        for side in ("encoder", "decoder")
    }


MARIAN = Family(
    name="marian",
    vocab_size=58_101,
    objective="translation",
    preset=BASE,
    presets={"base": BASE},
    base_prefix="model.",
    fields=tuple(field for field in bart.FIELDS if field.internal != "tie_embeddings"),
    read_special=read_ties,
    write_special=write_ties,
    renames=renames,
    heads={"MarianMTModel": (bart.LM,), "MarianModel": ()},
    fixed_tensors=position_tables,
    # Sinusoids are computed, whatever a file holds.
    ignored_tensors=("model.encoder.embed_positions", "model.decoder.embed_positions"),
    roles=Roles(start="pad", banned=("pad",)),
)
