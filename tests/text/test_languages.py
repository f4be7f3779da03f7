"""Language codes.  Authority: ISO 639-2's and 639-3's tables, BCP 47's examples."""

import json
from pathlib import Path

import pytest

from pellucid.text.languages import CHINESE, base_language, has_spaces, is_known_language

TABLES = Path("/usr/share/iso-codes/json")  # Debian's package iso-codes
EVERYWHERE = {
    "zh": "zh zho chi cmn yue zh-Hans zh_TW ZH-cn zho_Hans cmn-Hans-CN zh-cmn-Hans-CN",
    "ja": "ja jpn ja_XX ja-JP jpn_Jpan",
    "ko": "ko kor ko-KR kor_Hang",
    "de": "de deu ger de-CH-1996 DE",
    "en": "en eng en-US en_XX",
    "ceb": "ceb ceb_Latn",
}


@pytest.mark.parametrize("code", EVERYWHERE)
def test_all_spellings_of_a_language_are_one(code):
    assert {base_language(spelling) for spelling in EVERYWHERE[code].split()} == {code}


@pytest.mark.parametrize("code", ["zh-Hans", "jpn", "ger", "yue", "en"])
def test_known(code):
    assert is_known_language(code)


@pytest.mark.parametrize("code", ["", "xx", "jp", "cn", "english", "x-zh", "-zh"])
def test_unknown(code):
    assert not is_known_language(code)


def test_sentences_without_spaces():
    assert [c for c in EVERYWHERE if not has_spaces(c)] == ["zh", "ja"]
    assert not any(has_spaces(c) for c in ("cmn", "jpn", "yue", "zho_Hant", "ja-JP"))
    assert has_spaces("zh-Latn-pinyin")
    assert has_spaces("")


@pytest.mark.skipif(not TABLES.exists(), reason="the tables of iso-codes are not installed")
def test_every_two_letter_code():
    rows = json.loads((TABLES / "iso_639-2.json").read_text(encoding="utf-8"))["639-2"]
    for row in rows:
        codes = [row[k] for k in ("alpha_2", "alpha_3", "bibliographic") if k in row]
        assert len(codes) == 1 or {base_language(c) for c in codes} == {row.get("alpha_2")}
    individual = {
        row["alpha_3"]
        for row in json.loads((TABLES / "iso_639-3.json").read_text(encoding="utf-8"))["639-3"]
    }
    assert set(CHINESE.split()) <= individual
