"""A tagger from a CoNLL file to tags of new lines, by commands alone.

Authority: transformers on the directory that the training saved; seqeval; the tags, which depend on
the words alone, so that a small model learns them.
"""

import random

import pytest
import torch
from seqeval.metrics import f1_score
from transformers import AutoModelForTokenClassification, AutoTokenizer

from cli.writers import write_bert

KINDS = {
    "O": ["dog", "sleeps", "The", "under", "old", "."],
    "B-PER": ["Anna", "Karl"],
    "I-PER": ["Miller"],
    "B-LOC": ["Berlin"],
}
SMALL = ["--training.max-updates", "80", "--training.rate", "0.01", "--training.warmup", "10"]


def drawn(seed, n):
    rng = random.Random(seed)
    tags = [rng.choices(["O", "B-PER", "B-LOC"], [4, 2, 1], k=rng.randint(1, 6)) for _ in range(n)]
    tags = [
        [t for tag in row for t in ([tag, "I-PER"] if tag == "B-PER" else [tag])] for row in tags
    ]
    return [([rng.choice(KINDS[tag]) for tag in row], row) for row in tags]


def write(path, sentences):
    blocks = ["".join(f"{w}\t{t}\n" for w, t in zip(*s, strict=True)) for s in sentences]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


@pytest.mark.parametrize("head", ["linear", "crf"])
def test_from_a_file_to_tags(head, pellucid, tmp_path):
    start = write_bert(tmp_path / "bert", seed=0)
    train, valid = (
        write(tmp_path / "a.conll", drawn(1, 200)),
        write(tmp_path / "b.conll", drawn(2, 40)),
    )
    args = ["--task", "tagging", "--start-from", start, "--objective.head", head, *SMALL]
    data = ["--data.train", train, "--data.valid", valid, "--run-dir", tmp_path / "run"]
    done = pellucid("train", *args, *data)
    assert done.code == 0, done.err

    test = drawn(3, 30)
    scores = pellucid("evaluate", tmp_path / "run", "--data", write(tmp_path / "c.conll", test)).out
    lines = "".join(" ".join(words) + "\n" for words, _ in test)
    tagged = pellucid("tag", tmp_path / "run", stdin=lines.encode()).out.split("\n")[:-1]
    gold, predicted = [tags for _, tags in test], [line.split(" ") for line in tagged]
    f1 = f1_score(gold, predicted)
    assert f1 > 0.95
    (line,) = (line for line in scores.split("\n") if line.startswith("f1 "))
    assert float(line.split()[1]) == pytest.approx(f1, abs=1e-3)
    low, high = (float(word) for word in line.split("95 %: ")[1].split(" ")[:3:2])
    assert 0 < low <= f1 + 1e-4
    assert f1 - 1e-4 <= high <= 1
    assert line.endswith("(bootstrap)")
    if head == "linear":
        assert predicted == by_transformers(tmp_path / "run" / "final", test)


@torch.no_grad()
def by_transformers(directory, sentences):
    model = AutoModelForTokenClassification.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    tags = []
    for words, _ in sentences:
        encoding = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        first = [encoding.word_ids().index(i) for i in range(len(words))]
        best = model(**encoding).logits[0, first].argmax(-1).tolist()
        tags.append([model.config.id2label[i] for i in best])
    return tags
