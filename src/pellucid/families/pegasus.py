"""PEGASUS: an encoder-decoder pretrained to restore whole sentences (Zhang et al. 2020).

What differs from BART: a norm before each sublayer and one after each stack, none on the
embeddings; positions are computed, all sines before all cosines, as in Marian. Padding starts the
decoder. It is also the published form of a pre-norm Transformer.
"""

from dataclasses import replace

from torch import Tensor

from pellucid.config.decoding import Roles
from pellucid.config.model import ModelConfig
from pellucid.families import bart
from pellucid.families.bart import BART
from pellucid.nn.positions import sinusoids
from pellucid.text.special_tokens import TRANSLATION_TOKENS

BASE = ModelConfig(
    d_model=768,
    n_encoder_layers=12,
    n_decoder_layers=12,
    n_heads=12,
    d_ff=3072,
    positions="sinusoid-halves",
    norm_place="pre",
)


def position_tables(c: ModelConfig, architecture: str) -> dict[str, Tensor]:
    """Return the sinusoids, which files of all classes contain."""
    table = sinusoids(c.max_length, c.d_model, halves=True)
    return {
        f"model.{side}.embed_positions.weight": table.clone() for side in ("encoder", "decoder")
    }


PEGASUS = replace(
    BART,
    name="pegasus",
    vocab_size=96_103,
    objective="gap sentences",
    preset=BASE,
    presets={
        # Zhang et al. 2020, section 6.1.
        "base": BASE,
        "large": replace(
            BASE, d_model=1024, n_encoder_layers=16, n_decoder_layers=16, n_heads=16, d_ff=4096
        ),
    },
    # transformers ignores these, the converter of CTranslate2 needs them.
    required_settings={"normalize_before": True, "normalize_embedding": False},
    heads={"PegasusForConditionalGeneration": (bart.LM,), "PegasusModel": ()},
    fixed_tensors=position_tables,
    ignored_tensors=("model.encoder.embed_positions", "model.decoder.embed_positions"),
    roles=Roles(start="pad", banned=("pad",)),
    special_tokens=TRANSLATION_TOKENS,
)
