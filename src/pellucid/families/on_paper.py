"""Families without published weights: their sizes, and how many tokens those were reckoned with."""

from pellucid.families import gpt3, transformer
from pellucid.families.gpt2 import GPT2

ON_PAPER = {
    "gpt3": (gpt3.PRESETS, GPT2.vocabulary),
    "transformer": (transformer.PRESETS, 37_000),  # Vaswani et al. 2017, section 5.1
}
