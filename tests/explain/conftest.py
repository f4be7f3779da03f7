"""Models of the three shapes, with tokenizers."""

from inference.conftest import bert, gpt2  # noqa: F401 (fixtures)
