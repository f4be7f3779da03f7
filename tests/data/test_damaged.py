"""Files of every format and task, damaged at random: an example, or an error that names the file.

Authority: `check` reads on where `read_records` stops, so it must list that error too.
"""

import json
import random

import pytest

from pellucid.config.data import DataConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data.check import check
from pellucid.data.records import read_records
from pellucid.errors import ConfigError, DataError

QUESTIONS = [
    {"id": "1", "question": "q?", "answers": [{"text": "cat", "answer_start": 8}]},
    {"id": "2", "question": "r?", "answers": []},
]
ARTICLE = {"title": "t", "paragraphs": [{"context": "Ünï the cat sat", "qas": QUESTIONS}]}
HUB = {"question": "q", "context": "cat", "answers": {"text": ["cat"], "answer_start": [0]}}
FILES = {
    "classification": {
        "a.tsv": "text\tlabel\nab cd\tx\nef gh\ty\n",
        "b.tsv": "ab\tx\ncd\ty\nef\tx\ngh\ty\n",
        "a.csv": 'text,label\n"ab, ""c",x\n"e\nf",y\n',
        "a.jsonl": '{"text": "ab", "label": "x"}\n{"text": "cd", "label": 3}\n',
    },
    "similarity": {
        "a.tsv": "a\tb\t1.5\nc\td\t2\n",
        "a.csv": "s1,s2,score\na,b,1\nc,d,2e3\n",
        "a.jsonl": '{"text": "ab", "second": "b", "score": 1.5}\n',
    },
    "tagging": {
        "a.conll": "A B-X\nb I-X\n\nc O\n",
        "b.conll": "# id\nen:A\tX\nen:b\tO\n\nen:c\tO\n",
        "a.jsonl": '{"words": ["a", "b"], "tags": ["x", "y"]}\n',
        "a.tsv": "words\ttags\na b\tX O\n",
    },
    "question_answering": {
        "a.json": json.dumps({"data": [ARTICLE]}, ensure_ascii=False),
        "a.jsonl": json.dumps(HUB) + "\n",
        "a.tsv": "question\tcontext\tanswer\tanswer_start\nq\tthe cat\tcat\t4\n",
    },
    "summarization": {
        "a.jsonl": json.dumps({"dialogue": "#P1#: hi\n#P2#: yo", "summary": "s"}) + "\n",
        "a.csv": 'document,summary\n"a\nb",c\n',
    },
    "language_modeling": {
        "a.txt": "ab\ncd\n\nef\n",
        "a.jsonl": '{"text": "ab", "code": "x"}\n',
        "a.tsv": "text\tcode\nab\tx\n",
    },
}
PIECES = [
    *(b"\n", b"\r", b"\t", b" ", b"\0", b"\x0b", b"\xc2\x85", b"\xe2\x80\xa8", b"\xc2\xa0"),
    *(b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b",", b";", b"{", b"}", b"[", b"[[", b"]", b":"),
    *(b"\\", b"\\ud800", b"null", b"true", b"NaN", b"1e999", b"-1", b"1" * 400, b"9" * 5000),
    *(b'"a": 1,', b"#", b"-DOCSTART-", b"en:"),
]


def damage(data, rng):
    for _ in range(rng.randint(1, 4)):
        at, kind = rng.randrange(len(data) + 1), rng.random()
        if kind < 0.5:
            data[at:at] = rng.choice(PIECES)
        elif kind < 0.7:
            del data[at : at + rng.randint(1, 6)]
        elif kind < 0.85:
            data[at : at + 1] = bytes([rng.randrange(256)])
        else:
            data[at:at] = data[: rng.randrange(20)]


def first_error(path, columns, config):
    """What reading stops with; empty if it does not."""
    try:
        list(read_records([str(path)], columns, config))
    except (DataError, ConfigError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "n", [300, pytest.param(10_000, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])]
)
def test_a_damaged_file_is_an_error_with_its_place(n, tmp_path):
    rng = random.Random(0)
    for _ in range(n):
        task = rng.choice(list(FILES))
        name, text = rng.choice(list(FILES[task].items()))
        data, path = bytearray(text.encode()), tmp_path / name
        damage(data, rng)
        path.write_bytes(data)
        several = {"multi_label": True} if task == "classification" and rng.random() < 0.3 else {}
        columns = TASK_CONFIGS[task](**several).columns
        documents = rng.choice(["line", "blank_line", "file"])
        config = DataConfig(max_line_bytes=2000, documents=documents)
        error = first_error(path, columns, config)
        if error:
            assert str(path) in error, (task, bytes(data))
            faults = {str(fault) for fault in check([str(path)], config, columns).faults}
            assert error in faults, (task, bytes(data))
