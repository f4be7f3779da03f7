"""Scores of translations, alignments and tagged words. No torch."""
