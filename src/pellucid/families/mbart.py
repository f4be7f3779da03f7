"""mBART: a multilingual BART for translation (Liu et al. 2020; Tang et al. 2020).

What differs from BART: a norm before each sublayer and one after each stack, besides the one on
the embeddings; embeddings are scaled. There is no start token: the decoder starts with the last
token of the target text. A text of cc25 is `words </s> LANGUAGE`, so the decoder starts with the
language; a text of mBART-50 is `LANGUAGE words </s>`, so it starts with the end token, and the
language is forced as the first generated token.
"""

from dataclasses import replace

from pellucid.config.decoding import Roles
from pellucid.families.bart import BART
from pellucid.text.special_tokens import MBART_TOKENS

LARGE = replace(BART.presets["large"], norm_place="pre", scale_embeddings=True)

MBART = replace(
    BART,
    name="mbart",
    vocab_size=250_027,
    preset=LARGE,
    presets={"large": LARGE},
    heads={f"M{architecture}": heads for architecture, heads in BART.heads.items()},
    roles=Roles(start="last", banned=("pad",)),
    special_tokens=MBART_TOKENS,
    # Liu et al. 2020, section 2.2: 35 % of the words, spans of 3.5 words on average.
    objectives={"denoising": {"infilled": 0.35, "span_length": 3.5, "whole_words": True}},
)
