"""XLM-RoBERTa: RoBERTa on text of 100 languages (Conneau et al. 2020).

What differs from RoBERTa: the vocabulary, of SentencePiece's pieces, and the names of the classes.
"""

from dataclasses import replace

from pellucid.families.roberta import ROBERTA

XLM_ROBERTA = replace(
    ROBERTA,
    name="xlm-roberta",
    vocab_size=250_002,
    heads={f"XLM{architecture}": heads for architecture, heads in ROBERTA.heads.items()},
)
