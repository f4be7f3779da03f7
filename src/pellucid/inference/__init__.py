"""Verbs on a finished model: one file each."""
