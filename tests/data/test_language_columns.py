"""Languages in columns. Authority: the rows, by hand."""

import json

import pytest

from pellucid.config.columns import LANGUAGES, PAIR
from pellucid.config.data import DataConfig
from pellucid.data.check import check
from pellucid.data.records import read_records
from pellucid.errors import DataError

COLUMNS = (*PAIR, *LANGUAGES)
CONFIG = DataConfig(directions=("en-de", "zh_TW-xx"))
ROWS = [("A dog.", "Ein Hund.", "en", "de"), ("狗。", "Gavagai.", "zh-TW", "xx")]
EXPECTED = [ROWS[0], ("狗。", "Gavagai.", "zh_TW", "xx")]
NAMES = ("source", "target", "source_lang", "tgt_lang")


def values_of(path, config=CONFIG):
    return [record.values for record in read_records([str(path)], COLUMNS, config)]


def write(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_languages_are_read_from_tables_and_objects(tmp_path):
    assert values_of(write(tmp_path / "a.tsv", [NAMES, *ROWS])) == EXPECTED
    objects = tmp_path / "a.jsonl"
    objects.write_text("".join(json.dumps(dict(zip(NAMES, r, strict=True))) + "\n" for r in ROWS))
    assert values_of(objects) == EXPECTED
    chosen = DataConfig(
        directions=CONFIG.directions,
        columns={"source": 2, "target": 4, "source_language": 1, "target_language": 3},
    )
    rows = write(tmp_path / "b.tsv", [(r[2], r[0], r[3], r[1]) for r in ROWS])
    assert values_of(rows, chosen) == EXPECTED


def test_a_table_without_header_is_recognized_by_its_codes(tmp_path):
    rows = [("de", f"Hund {i}", f"dog {i}", "en") for i in range(3)]
    assert values_of(write(tmp_path / "a.tsv", rows)) == [(r[1], r[2], "de", "en") for r in rows]
    pairs = write(tmp_path / "b.tsv", [row[:2] for row in ROWS])
    assert values_of(pairs) == [(*row[:2], None, None) for row in ROWS]
    with pytest.raises(DataError, match=r"c\.tsv.* no field of language codes for source_language"):
        values_of(write(tmp_path / "c.tsv", [("a b", "c d", "e f", "g h")] * 3))


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("English", r"a\.tsv:3:17: source_language: 'English' is no language code"),
        ("xq", r"a\.tsv:3:17: source_language: 'xq' is an unknown .*\(en, de, zh_TW, xx\)"),
        ("xx", None),
        ("fr", None),
        ("", None),
    ],
)
def test_a_wrong_code_is_an_error_with_its_line(code, match, tmp_path):
    rows = [NAMES, ROWS[0], ("A dog.", "A chien.", code, "fr")]
    path = write(tmp_path / "a.tsv", rows)
    if match is None:
        assert values_of(path)[1] == ("A dog.", "A chien.", code or None, "fr")
        return
    with pytest.raises(DataError, match=match):
        values_of(path)
    assert check([str(path)], CONFIG, COLUMNS).faults[0].line == 3


def test_pairs_are_still_checked_as_pairs(tmp_path):
    path = write(tmp_path / "a.tsv", [NAMES, ("same", "same", "en", "de"), ("a", "", "en", "de")])
    report = check([str(path)], CONFIG, COLUMNS)
    assert [fault.kind for fault in report.faults] == [
        "identical sides",
        "empty on one side",
        "no validation",
    ]
