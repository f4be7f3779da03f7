"""Models of the three shapes, with tokenizers, and a text in a shipped translator."""

import pytest

import pellucid
from inference.conftest import bert, gpt2  # noqa: F401 (fixtures)
from pellucid.explain.rows import Writing, read_rows

TEXT = "猫追狗。"


@pytest.fixture(scope="module")
def bundle():
    return pellucid.load("zh-en", device="cpu").bundle


@pytest.fixture(scope="module")
def rows(bundle):
    return read_rows(bundle, TEXT, Writing())
