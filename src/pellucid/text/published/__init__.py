"""Reads the tokenizer files of published models."""
