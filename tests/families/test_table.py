"""The page about families says what the presets say."""

from pathlib import Path

from pellucid.cli.main import main
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.table import differences, table

PAGE = Path(__file__).parents[2] / "docs" / "families.md"


def test_the_page_has_the_table():  # authority: the presets
    assert table() in PAGE.read_text(encoding="utf-8")


def test_what_differs_is_what_the_configs_differ_in(capsys):  # authority: the families' facts
    actual = differences(PUBLISHED_FAMILIES["bert"], PUBLISHED_FAMILIES["roberta"])
    assert actual["positions"] == ("learned", "learned-real")
    assert actual["norm_eps"] == (1e-12, 1e-5)
    assert "d_model" not in actual
    assert main(["info", "bert", "--diff", "roberta"]) == 0
    assert "learned -> learned-real" in capsys.readouterr().out
    assert main(["info", "bert", "--diff", "robota"]) == 2
    assert "is not a family. Known: bert" in capsys.readouterr().err
    assert main(["info", "gpt2"]) == 0
    assert "next word" in capsys.readouterr().out
