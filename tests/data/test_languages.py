"""Languages of file names. Authority: the names, by hand."""

import pytest

from pellucid.config.data import DataConfig
from pellucid.data.languages import languages, text_language


@pytest.mark.parametrize(
    ("files", "actual"),
    [
        (("a/train.en", "b/train.de"), ("en", "de")),
        (("train.lc.norm.tok.en.gz", "train.lc.norm.tok.de.gz"), ("en", "de")),
        (("x.pt-BR", "x.zh_Hant"), ("pt-br", "zh_hant")),
        (("a.txt", "b.txt"), ("", "")),
        (("plain", "b.zh"), ("", "zh")),
        (("tatoeba.zh-en.tsv.gz",), ("zh", "en")),
        (("data.tsv",), ("", "")),
        (("a.tsv", "b.tsv"), ("", "")),
        (("a.en-de.csv", "b.csv"), ("en", "de")),
        (("train.en.gz",), ("en", "")),
        (("text", "-"), ("", "")),
        (("garden",), ("en", "de")),
    ],
)
def test_languages(files, actual):
    assert languages(files, DataConfig()) == actual
    assert languages(files, DataConfig(target_language="fr")) == (actual[0], "fr")
    chosen = DataConfig(source_language="ja", target_language="fr")
    assert languages(files, chosen) == ("ja", "fr")


@pytest.mark.parametrize(
    ("file", "language"),
    [
        ("a.en/news.de.gz", "de"),
        ("news.zh_tw.txt", "zh_TW"),
        ("News.EN.jsonl", "en"),
        ("en", ""),
        ("de.raw.txt", ""),
        ("news.fr", ""),
        ("x.en.de.txt", "de"),
    ],
)
def test_the_language_of_a_text(file, language):
    assert text_language(file, DataConfig(languages=("en", "de", "zh_TW"))) == language
