"""`check` finds every fault in one pass. Authority: files damaged on purpose, faults listed."""

import gzip
from pathlib import Path

import pytest

from pellucid.config.columns import PAIR, Column
from pellucid.config.data import DataConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data.check import LISTED, check
from pellucid.data.records import read_records
from pellucid.errors import DataError


def files(tmp_path: Path, source: bytes, target: bytes) -> list[str]:
    names = [tmp_path / "t.en", tmp_path / "t.de"]
    for name, data in zip(names, (source, target), strict=True):
        name.write_bytes(data)
    return [str(name) for name in names]


def test_all_faults_in_one_pass(tmp_path):
    source = [b"fine", b"bad\xff", b"", b"", b"nul\0", b"x" * 99, b"a \xe2\x80\xa8 b", b"same",
              b"fine", b"word " * 12, b"s", b"more"]  # fmt: skip
    target = [b"gut", b"x", b"nicht leer", b"", b"x", b"x", b"c", b"same", b"gut", b"kurz", b"\xfe"]
    actual = check(
        files(tmp_path, b"\r\n".join(source), b"\n".join(target)), DataConfig(max_line_bytes=80)
    )
    en, de = (str(tmp_path / name) for name in ("t.en", "t.de"))
    assert [(f.file, f.line, f.byte, f.kind, f.fatal) for f in actual.faults] == [
        (en, 2, 4, "not UTF-8", True),
        (en, 3, 0, "empty on one side", True),
        (en, 4, 0, "blank on both sides", False),
        (en, 5, 4, "NUL", True),
        (en, 6, 81, "too long", True),
        (en, 7, 3, "other line breaks", False),
        (en, 8, 0, "identical sides", False),
        (en, 9, 0, "duplicates", False),
        (en, 10, 0, "unequal lengths", False),
        (de, 11, 1, "not UTF-8", True),
        (en, 12, 0, "unequal counts", True),
    ]
    assert actual.examples == 5
    assert actual.counts["not UTF-8"] == 2
    # One for each end of a source line, but the end of the too long one is not looked at.
    assert actual.counts["carriage returns dropped"] == 10
    assert actual.fatal
    assert len(list(actual.lines())) == 12


def test_clean_data_are_clean(tmp_path):
    report = check(files(tmp_path, b"a\nb\n", b"x\ny\n"), DataConfig())
    assert (report.examples, report.faults, report.counts, report.fatal) == (2, (), {}, False)


def test_nothing_at_all(tmp_path):
    report = check(files(tmp_path, b"", b""), DataConfig())
    assert report.fatal
    assert report.faults[0].kind == "no pairs"


def test_many_faults_are_counted_but_not_all_listed(tmp_path):
    report = check(files(tmp_path, b"\xff\n" * 500, b"x\n" * 500), DataConfig())
    assert report.counts["not UTF-8"] == 500
    assert len([f for f in report.faults if f.kind == "not UTF-8"]) == LISTED


@pytest.mark.parametrize("fatal", [True, False])
def test_fatal_is_what_stops_reading(fatal, tmp_path):
    both = files(tmp_path, b"a\n\nb\n" if fatal else b"a\n\x0b c\nb\n", b"x\ny\nz\n")
    assert check(both, DataConfig()).fatal is fatal
    if fatal:
        with pytest.raises(DataError):
            list(read_records(both, PAIR, DataConfig()))
    else:
        assert len(list(read_records(both, PAIR, DataConfig()))) == 3


@pytest.mark.parametrize("kind", ["missing", "gzip", "UTF-16"])
@pytest.mark.parametrize("side", [0, 1])
def test_one_side_unreadable_hides_no_fault_of_the_other(side, kind, tmp_path):
    both = files(tmp_path, *[b"fine\nbad\xff\nfine\nnul\0\n"] * 2)
    broken = Path(both[side])
    if kind == "missing":
        broken.unlink()
    elif kind == "gzip":
        broken.write_bytes(gzip.compress(b"a\n" * 99)[:12])  # nothing can be read of it
    else:
        broken.write_bytes("\ufeffa\n".encode("utf-16-le"))
    actual = check(both, DataConfig()).faults
    assert {f.file for f in actual} == set(both)
    others = [(f.line, f.byte) for f in actual if f.fatal and f.file == both[1 - side]]
    assert [place for place in others if place[1]] == [(2, 4), (4, 4)]


def test_bytes_of_a_mark_count(tmp_path):
    actual = check(files(tmp_path, "\ufeffab\u2028\nc\n".encode(), b"x\ny\n"), DataConfig())
    assert [(f.line, f.byte, f.kind) for f in actual.faults] == [(1, 6, "other line breaks")]


@pytest.mark.parametrize(
    ("name", "before"),
    [("a.tsv", "ä\tb"), ("a.csv", 'ä,"b'), ("a.jsonl", '{"source": "ä", "target": "b')],
)
def test_bytes_count_from_the_start_of_the_line(name, before, tmp_path):
    """Authority: the bytes of the line before the character."""
    path = tmp_path / name
    end = {"a.tsv": "", "a.csv": '"', "a.jsonl": '"}'}[name]
    path.write_text(f"{before}{end}\n{before}\u2028{end}\n", encoding="utf-8")
    notes = [fault for fault in check([str(path)], DataConfig()).faults if not fault.fatal]
    assert [(note.line, note.byte) for note in notes] == [(2, len(before.encode()) + 1)]


def test_every_task_has_its_columns(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("A\tX\nb\tO\n\nA\tX\nb\tO\n\nc\tO\n\n")
    columns = (Column("words", "words"), Column("tags", "tags"))
    report = check([str(path)], DataConfig(), columns)
    assert list(report.lines()) == [
        f"data: {path}, CoNLL",
        "  words: column 1",
        "  tags: column 2",
        "  line 1: words=A b  tags=X O",
        "  line 4: words=A b  tags=X O",
        "  line 7: words=c  tags=O",
        f"note: {path}:4: this example is a duplicate of an earlier line.",
        "3 examples, 1 duplicates",
    ]


def test_pairs_longer_than_max_length(tmp_path):
    """Authority: a text has at least as many tokens as words."""
    texts = b"a b c\na b c d\n", b"v w x y z\nx\n"
    report = check(files(tmp_path, *texts), DataConfig(max_length=4))
    assert [(f.line, f.kind, f.fatal) for f in report.faults] == [
        (1, "longer than data.max_length", False)
    ]
    report = check(files(tmp_path, *texts), DataConfig(max_length=3))
    assert [(f.line, f.fatal) for f in report.faults] == [(1, False), (2, False), (0, True)]
    assert "every pair is longer than data.max_length=3 tokens" in report.faults[-1].what


@pytest.mark.parametrize("second", ["pos", "neg"])
def test_texts_of_one_label_teach_nothing(second, tmp_path):  # authority: what training refuses
    path = tmp_path / "a.tsv"
    path.write_text(f"text\tlabel\na\tpos\nb\t{second}\nc\tpos\n")
    report = check([str(path)], DataConfig(), TASK_CONFIGS["classification"]().columns)
    assert report.fatal == (second == "pos")
    said = [fault for fault in report.faults if fault.kind == "too few labels"]
    assert ["'pos'" in str(fault) for fault in said] == [True] * (second == "pos")


def test_texts_of_one_control_code_can_be_trained_on(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("document\tcode\na\tnews\nb\tnews\n")
    columns = TASK_CONFIGS["language_modeling"]().columns
    assert not check([str(path)], DataConfig(columns={"code": "code"}), columns).fatal
