"""Presets of the published models, and the directories that finished models live in."""
