"""Language codes of tokenizers. Authority: the templates of published tokenizers."""

import pytest

from pellucid import garden
from pellucid.config.data import TokenizerConfig
from pellucid.errors import UsageError
from pellucid.text.published.language import (
    find_language,
    language_token,
    list_languages,
    template_language,
    with_language,
)
from pellucid.text.published.open import open_tokenizer
from pellucid.text.special_tokens import BART_TOKENS, MBART_TOKENS
from pellucid.text.train import train_tokenizer
from text.published.samples import mbart

TEXTS = [*(text for pair in garden.pairs(60, "en", "de") for text in pair), "en_XX de_XX"]
SPECIAL = MBART_TOKENS._replace(extra=tuple(map(language_token, ("en", "de", "zh_TW"))))


def test_a_language_without_region_has_one_token(tmp_path):
    published = open_tokenizer(mbart(tmp_path, tokenizer_class="MBartTokenizer"))
    assert template_language(published) == "en_XX"
    for language, token in {"de": "de_DE", "de_DE": "de_DE", "zh": "zh_CN", "en": "en_XX"}.items():
        assert find_language(published, language) == token
    for language in ("xx", "", "pt", "german"):
        with pytest.raises(UsageError, match=rf"marked as '{language}' here. Known: ar_AR, cs_CZ"):
            find_language(published, language)
    assert with_language(published, "en") is published


@pytest.mark.parametrize("kind", ["byte-bpe", "unigram", "wordpiece", "bpe", "word", "char"])
def test_codes_of_a_new_tokenizer_are_never_in_a_text(kind):
    tokenizer = train_tokenizer(TEXTS, TokenizerConfig(kind=kind, vocab_size=600), SPECIAL)
    assert list(tokenizer.extra) == ["en_XX", "de_XX", "zh_TW"]
    assert list_languages(tokenizer) == ("en", "de", "zh_TW")
    ids = tokenizer.encode("a en_XX b, de_XX.").ids
    assert not set(ids) & set(tokenizer.extra.values())
    end, code = tokenizer.id("eos"), tokenizer.extra
    assert tokenizer.add_special_tokens(ids).ids == [*ids, end, code["en_XX"]]
    german = with_language(tokenizer, "de")
    assert german.add_special_tokens(ids, ids).ids == [*ids, *ids, end, code["de_XX"]]


def test_a_tokenizer_without_codes_has_no_language():
    tokenizer = train_tokenizer(TEXTS, TokenizerConfig(vocab_size=400), BART_TOKENS)
    assert (template_language(tokenizer), list_languages(tokenizer)) == ("", ())
    with pytest.raises(UsageError, match="no marks for languages"):
        with_language(tokenizer, "en")
