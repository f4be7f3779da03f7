"""Marian: a translator for each pair of languages (Junczys-Dowmunt et al. 2018), OPUS-MT's too.

What is special: the Transformer of 2017 nearly as it was, with all sines before all cosines; a
trained bias on the logits; padding has the last id of the vocabulary, starts the decoder, and
must never be written. Newer pairs have a vocabulary for each side.
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
# Their two settings: whether the sides share a vocabulary, and whether the output is tied.
TIES = {"all": (True, True), "decoder": (False, True), "none": (False, False)}


def read(theirs: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What the sides share, and the second vocabulary."""
    shared = theirs.get("share_encoder_decoder_embeddings", True) is not False
    tied = theirs.get("tie_word_embeddings", True) is not False
    ours = ("all" if shared else "decoder") if tied else "none"
    second = 0 if shared else theirs.get("decoder_vocab_size") or found["vocab_size"]
    return {**found, "tie_embeddings": ours, "target_vocab_size": second}


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """What is not in `FIELDS`. Raises: ConfigError at ties that their files cannot tell of."""
    if c.tie_embeddings not in TIES:
        raise ConfigError(
            f"tie_embeddings={c.tie_embeddings} cannot be told in a Marian's config.json. Use one"
            f" of {', '.join(TIES)}."
        )
    shared, tied = TIES[c.tie_embeddings]
    return {
        "share_encoder_decoder_embeddings": shared,
        "tie_word_embeddings": tied,
        "decoder_vocab_size": c.target_vocab_size or c.vocab_size,
        "forced_eos_token_id": None,  # else whatever has id 0 would end texts that are cut
    }


def rows(c: ModelConfig) -> list[Rename]:
    """BART's; but two tables have no third beside them."""
    return [row._replace(writes_both=False) for row in bart.rows(c)]


def position_tables(c: ModelConfig, architecture: str) -> dict[str, Tensor]:
    """The sinusoids, which files of the base class hold and those of the translator do not."""
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
    fields=tuple(field for field in bart.FIELDS if field.ours != "tie_embeddings"),
    read_special=read,
    write_special=write,
    renames=rows,
    heads={"MarianMTModel": (bart.LM,), "MarianModel": ()},
    fixed_tensors=position_tables,
    # Sinusoids are computed here, whatever a file says they are.
    ignored_tensors=("model.encoder.embed_positions", "model.decoder.embed_positions"),
    roles=Roles(start="pad", banned=("pad",)),
)
