"""Cutting texts and pairs.  Authority: transformers' `truncation=True` on the same tokenizer."""

import pytest
from transformers import AutoTokenizer

from pellucid.text.published.open import open_tokenizers
from pellucid.text.truncation import truncate, wrap_texts
from text.published.samples import wordpiece


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    directory = wordpiece(tmp_path_factory.mktemp("bert"), tokenizer_class="BertTokenizer")
    return open_tokenizers(directory).source, AutoTokenizer.from_pretrained(directory)


@pytest.mark.parametrize("limit", range(3, 16))
def test_pairs_are_cut_as_transformers_cuts_them(limit, tokenizers):
    actual, reference = tokenizers
    for n_first in range(1, 12, 2):
        for n_second in range(1, 12, 3):
            texts = " ".join(["dog"] * n_first), " ".join(["cat"] * n_second)
            expected = reference(*texts, truncation=True, max_length=limit)
            ids = actual.encode_batch(texts)
            cut = wrap_texts(actual, *ids, limit)
            assert cut.wrapped.ids == expected["input_ids"], (n_first, n_second)
            assert cut.wrapped.segments == expected["token_type_ids"]
            n_whole = len(reference(*texts)["input_ids"])
            assert cut.n_cut == n_whole - len(expected["input_ids"])


@pytest.mark.parametrize("limit", [2, 3, 6, 40])
def test_single_texts_are_cut_at_their_end(limit, tokenizers):
    actual, reference = tokenizers
    text = "The old dog sleeps under the tree ."
    expected = reference(text, truncation=True, max_length=limit)
    cut = wrap_texts(actual, actual.encode(text).ids, None, limit)
    assert cut.wrapped.ids == expected["input_ids"]


def test_without_room_nothing_is_left():
    assert truncate([1, 2], [3], 0) == ([], [])
