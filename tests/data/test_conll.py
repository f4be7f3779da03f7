"""CoNLL. Authority: the files, written out here; counts of sentences in shared/data/README.md."""

import pytest

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.data.check import check
from pellucid.data.recognized import recognize
from pellucid.data.records import read_records, scan_records
from pellucid.errors import DataError

COLUMNS = (Column("words", "words", ("tokens",)), Column("tags", "tags", ("ner_tags",)))
CONFIG = DataConfig()


def read(tmp_path, text, name="a.conll", task=COLUMNS, **settings):
    path = tmp_path / name
    path.write_bytes(text.encode())
    records = read_records([str(path)], task, DataConfig(**settings))
    return [(record.line, *record.values) for record in records]


SENTENCES = [(1, ("A", "b"), ("X", "O")), (4, ("c",), ("O",))]


@pytest.mark.parametrize(
    "text",
    [
        "A\tX\nb\tO\n\nc\tO\n",
        "A X\nb O\n\nc O",
        "A  X\r\nb   O\r\n \r\nc O\r\n\r\n",
        "A\tX\nb\tO\n\nc\tO\n\n\n-DOCSTART- -X- O O\n\n",
        "A DT B-NP X\nb NN I-NP O\n\nc . O O\n",
        "A\tX\nb\tO\n\ufeff\nc\tO\n\ufeff",
        "en:A\tX\nen:b\tO\n\nen:c\tO\n",
    ],
)
def test_sentences(text, tmp_path):
    assert read(tmp_path, text) == SENTENCES
    assert read(tmp_path, text, "a.txt") == SENTENCES  # as the files of CoNLL-2003 are named


@pytest.mark.parametrize(
    ("text", "actual"),
    [
        ("# id = 1\nA\tX\n", [(2, ("A",), ("X",))]),
        ("# id = 1\n#\tX\n#a\tO\n", [(2, ("#", "#a"), ("X", "O"))]),
        ("A X\n# O\n", [(1, ("A", "#"), ("X", "O"))]),
        ("a:b\tX\nc:d\tO\n", [(1, ("a:b", "c:d"), ("X", "O"))]),
        ("en:A\tX\nfr:b\tO\n", [(1, ("en:A", "fr:b"), ("X", "O"))]),
        ("", []),
        ("A\u00a0B X\nc\x85\u3000d O\n", [(1, ("A\u00a0B", "c\x85\u3000d"), ("X", "O"))]),
        ("A\rb X\n", [(1, ("A\rb",), ("X",))]),
        ("A\tI-PER\nb\tE-\n", [(1, ("A", "b"), ("I-PER", "E-"))]),  # tags are any words
    ],
)
def test_comments_and_prefixes(text, actual, tmp_path):
    assert read(tmp_path, text) == actual


def test_columns_by_number(tmp_path):  # CoNLL-U: the form is column 2, the part of speech column 4
    text = "# text = A b\n1\tA\ta\tDET\t_\n2\tb\tb\tNOUN\t_\n"
    actual = read(tmp_path, text, "a.conllu", columns={"words": 2, "tags": 4})
    assert actual == [(2, ("A", "b"), ("DET", "NOUN"))]
    with pytest.raises(DataError, match=r"conllu:2: no field for tags.*column 1, column 2"):
        read(tmp_path, text, "a.conllu", columns={"tags": 9})
    with pytest.raises(DataError, match="no field for tags"):
        read(tmp_path, "A\nb\n")
    assert read(tmp_path, "A\nb\n", task=COLUMNS[:1]) == [(1, ("A", "b"))]


UD = """# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tV\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tP\tCase=Acc\t1\tobj\t_\t_
2.1\tya\tya\tADV\tR\t_\t_\t_\t1:advmod\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\tS\t_\t5\tcase\t_\t_
4\tel\tel\tDET\tD\t_\t5\tdet\t_\t_
5\tmar\tmar\tNOUN\tN\t_\t1\tobl\t_\tSpaceAfter=No

"""


def test_conllu(tmp_path):  # authority: universaldependencies.org/format.html, by its words
    words, tags = ("vamos", "nos", "a", "el", "mar"), ("VERB", "PRON", "ADP", "DET", "NOUN")
    assert read(tmp_path, UD, "a.conllu") == [(3, words, tags)]
    other = read(tmp_path, UD, "a.conllu", columns={"tags": 5})
    assert other == [(3, words, ("V", "P", "S", "D", "N"))]
    recognized = recognize([str(tmp_path / "a.conllu")], COLUMNS, CONFIG)
    assert recognized.describe()[1:3] == ["  words: column 2", "  tags: column 4"]
    assert read(tmp_path, "1.5\tX\nb\tO\n", "b.conllu") == [(1, ("1.5", "b"), ("X", "O"))]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("A\tX\nb\n", 2, "1 columns"),
        ("A\tX\nb\tO\tO\n", 2, "3 columns"),
        ("A\tX\n\tO\n", 2, "a tag without a word"),
        ("A\tX\nb\0\tO\n", 2, "NUL"),
        ("A\tX\n" * 99, 1, "more than 100 bytes"),
        ("A\tX\nb\t\n", 2, "tag 2: the label is empty"),
        ("A\tX\nb\tO\t\n", 2, "3 columns"),
        ("A X\nb  \n", 2, "1 columns"),
        ("A\tX\nb O\n", 2, "1 columns"),
        ("A X\n\u2028\nb O\n", 2, "1 columns"),
        ("A X\n\x0b\n", 2, "1 columns"),
        ("A\tX\n\x85\tO\n", 2, "a tag without a word"),
        ("A\tX\nb\tO P\n", 2, "tag 2: 'O P' has a space"),
    ],
)
def test_faults(text, line, word, tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(text + ("\nc\tO\n" if "\t" in text else "\nc O\n"))
    config = DataConfig(max_line_bytes=100)
    with pytest.raises(DataError, match=word) as caught:
        list(read_records([str(path)], COLUMNS, config))
    assert str(caught.value).startswith(f"{path}:{line}:")
    report = check([str(path)], config, COLUMNS)
    assert str(caught.value) in {str(fault) for fault in report.faults}
    assert report.examples >= 1  # the sentence after it


def test_a_word_that_no_tokenizer_takes_is_located(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("a\tX\n" + "b" * 300_000 + "\tX\n")
    with pytest.raises(DataError, match=r"a\.conll:2: words: word 2: 300,000 characters"):
        list(read_records([str(path)], COLUMNS, DataConfig(max_line_bytes=1_000_000)))


def test_words_and_tags_of_other_formats(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"tokens": ["A", "b c"], "ner_tags": [3, 0]}\n{"tokens": "A b", "ner_tags": "X O"}\n'
        '{"tokens": ["A"], "ner_tags": []}\n{"tokens": ["A", "b"], "ner_tags": ["X"]}\n'
        '{"tokens": ["A", " "], "ner_tags": ["X", "O"]}\n'
        '{"tokens": ["A", "b"], "ner_tags": ["X", "O P"]}\n'
        '{"tokens": ["A", "b"], "ner_tags": ["X", null]}\n'
    )
    (tmp_path / "b.tsv").write_text("tokens\tner_tags\nA b\tX O\nA b\tX\n")
    scanned = list(scan_records([str(tmp_path)], COLUMNS, CONFIG))
    values = [s.record.values for s in scanned if s.record]
    assert values == [(("A", "b c"), ("3", "0")), *[(("A", "b"), ("X", "O"))] * 2]
    faults = [str(f).removeprefix(f"{tmp_path}/") for s in scanned for f in s.faults]
    assert faults == [
        "a.jsonl:3: column tags is empty. Fill it in, or remove the line.",
        "a.jsonl:4:36: 1 tags for 2 words. Each word needs one tag.",
        "a.jsonl:5:12: words: word 2 is empty.",
        "a.jsonl:6:36: tags: tag 2: 'O P' has a space in it.",
        "a.jsonl:7:36: tags: tag 2: null is not a text (a string).",
        "b.tsv:3:5: 1 tags for 2 words. Each word needs one tag.",
    ]


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("wikiann/en.train.conll.gz", 20000),
        ("wikiann/de.dev.conll.gz", 10000),
        ("wnut17/train.conll", 3394),
        ("wnut17/dev.conll", 1009),
        ("wnut17/test.conll", 1287),
    ],
)
def test_real_files(name, n, shared):
    file = shared / "data" / name
    count = 0
    for record in read_records([str(file)], COLUMNS, CONFIG):
        words, tags = record.values
        assert len(words) == len(tags)
        assert not any(word.startswith(("en:", "de:")) for word in words if len(word) > 3)
        assert all(tag == "O" or tag[:2] in ("B-", "I-") for tag in tags)
        count += 1
    assert count == n
