"""The built-in corpus: parallel English, German and Chinese sentences that a grammar makes.

Each comes with gold word alignments, and because-sentences with the antecedent of their pronoun.
"""

from pellucid.garden.generate import LANGUAGES, Coreference, Sentence, pairs, sentences
from pellucid.garden.words import Side

__all__ = ["LANGUAGES", "Coreference", "Sentence", "Side", "pairs", "sentences"]
