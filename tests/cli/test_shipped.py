"""The models that come with the package."""

from pathlib import Path

import pytest

from pellucid.formats.locate import SHIPPED
from pellucid.manifest import verify

CARDS = Path(__file__).parents[2] / "recipes" / "cards"
MAX_LINE_BYTES = 6_000_000
SENTENCES = {
    "zh-en": {"我爱你。": "I love you.", "我愛你。": "I love you."},
    "en-de": {"The dog is sleeping under the table.": "Der Hund schläft unter dem Tisch."},
}


@pytest.mark.parametrize("name", SENTENCES)
def test_each_is_small_whole_and_described(name):
    directory = SHIPPED / name
    verify(directory)
    assert sum(file.stat().st_size for file in directory.iterdir()) <= MAX_LINE_BYTES
    card = (directory / "README.md").read_text(encoding="utf-8")
    for word in ("CC BY", "Tatoeba", "BLEU", "chrF2", "tok:13a", "cannot do", "recipes/"):
        assert word in card
    assert card == (CARDS / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SENTENCES)
def test_the_first_sentences(name, pellucid):  # authority: any speaker of both languages
    done = pellucid("translate", name, stdin="".join(f"{s}\n" for s in SENTENCES[name]).encode())
    assert done.code == 0, done.err
    assert done.out.split("\n")[:-1] == list(SENTENCES[name].values())
