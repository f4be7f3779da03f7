"""Tokenizers: how text becomes ids and ids become text."""
