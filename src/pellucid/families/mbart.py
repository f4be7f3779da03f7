"""mBART: BART on text in many languages, for translation (Liu et al. 2020; Tang et al. 2020).

What is special beside BART: norms come before each sublayer and once more behind each stack, the
norm on the embeddings stays; embeddings are scaled. No token is the start: what the decoder reads
first is the last token of the text that it shall write. A text of cc25 is `words </s> LANGUAGE`,
so the decoder starts with the language; one of mBART-50 is `LANGUAGE words </s>`, so it starts
with the end token, and the language is the first token that it is made to write.
"""

from dataclasses import replace

from pellucid.config.decoding import Roles
from pellucid.families.bart import BART

LARGE = replace(BART.presets["large"], norm_place="pre", scale_embeddings=True)

MBART = replace(
    BART,
    name="mbart",
    vocab_size=250_027,
    preset=LARGE,
    presets={"large": LARGE},
    heads={f"M{architecture}": heads for architecture, heads in BART.heads.items()},
    roles=Roles(start="last", banned=("pad",)),
)
