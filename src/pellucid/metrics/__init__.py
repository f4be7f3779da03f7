"""Scores of translations and alignments. No torch."""
