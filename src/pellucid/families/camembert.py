"""CamemBERT: RoBERTa on French text (Martin et al. 2020).

What differs from RoBERTa: the vocabulary, of SentencePiece's pieces, the names of the classes, and
that spans of whole words are masked in pretraining.
"""

from dataclasses import replace

from pellucid.families.roberta import ROBERTA

CAMEMBERT = replace(
    ROBERTA,
    name="camembert",
    vocab_size=32_005,
    heads={
        architecture.replace("Roberta", "Camembert"): heads
        for architecture, heads in ROBERTA.heads.items()
    },
)
