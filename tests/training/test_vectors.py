"""Runs that begin with vectors learned elsewhere.

Authorities: the file's own numbers; the same run without them; the uninterrupted run.
"""

import numpy as np
import pytest
import torch

from pellucid.config.read import merge
from pellucid.errors import ConfigError, DataError
from pellucid.formats.open_model import open_model
from pellucid.formats.own_layout import load_model
from pellucid.training.pipeline import train
from pellucid.training.reporter import Quiet
from training import run_small

# So small a rate leaves every weight where it began, to the last bit.
STILL = {"max_updates": 1, "rate": 1e-30, "average": 1}
WIDTH = 32


class Said(Quiet):
    """What a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)


def ran(run_dir, pairs_file, text=None, **over):
    """A small run's finished model directory."""
    settings = {"run_dir": str(run_dir), "data": {"train": [str(pairs_file)]}}
    settings = merge(merge(run_small.SETTINGS, settings), over)
    return load_model(train(settings, reporter=text or Said()).run.final)


def glove(path, words, width=WIDTH, seed=3):
    """Write random vectors, also for words that are in no text."""
    named = [*words, "qqq", "x y"]
    vectors = np.random.default_rng(seed).normal(size=(len(named), width)).astype(np.float32)
    rows = zip(named, vectors.tolist(), strict=True)
    path.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in rows))
    return dict(zip(words, torch.from_numpy(vectors), strict=False))


def scaled(vectors, random):
    """The vectors (N, E), multiplied to the mean square of the random rows that they replace."""
    vectors, random = vectors.double(), random.double()
    return vectors * (random.square().mean() / vectors.square().mean()).sqrt()


@pytest.mark.parametrize(("kind", "scale"), [("word", True), ("bpe", False)])
def test_the_embedding_begins_with_the_files_vectors(pairs_file, tmp_path, kind, scale):
    settings = {
        "tokenizer": {"kind": kind},
        "training": STILL,
        "model": {"scale_embeddings": scale},
    }
    plain = ran(tmp_path / "plain", pairs_file, **settings)
    tokenizer = plain.tokenizers.source
    words = ["the", "and", "he", "</s>"]  # word2vec has the last, but an end is no word
    vectors = glove(tmp_path / "glove.txt", words)
    named = {"objective": {"source_vectors": str(tmp_path / "glove.txt")}}
    text = Said()
    made = ran(tmp_path / "with", pairs_file, text, **merge(settings, named))
    mark = "</w>" if kind == "bpe" else ""
    pieces = tokenizer.pieces(range(tokenizer.vocab_size))
    rows = {pieces.index(w + mark): w for w in words[:3] if w + mark in pieces}
    assert len(rows) >= 2
    coverage = f"glove.txt: {len(rows)} of {tokenizer.vocab_size} pieces have a vector"
    assert sum(coverage in line for line in text.lines) == 1
    embedding = made.model.encoder.embedding
    before = plain.model.encoder.embedding.weight
    expected = scaled(torch.stack([vectors[w] for w in rows.values()]), before[list(rows)])
    actual = embedding.weight[list(rows)].double()
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
    others = [i for i in range(tokenizer.vocab_size) if i not in rows]
    assert torch.equal(embedding.weight[others], before[others])
    assert made.model.decoder.embedding.weight is embedding.weight
    assert made.model.heads["lm"].output.weight is embedding.weight
    for name, parameter in made.model.named_parameters():
        if name != "encoder.embedding.weight":
            before = plain.model.get_parameter(name)
            torch.testing.assert_close(parameter, before, rtol=0, atol=1e-29, msg=name)


def test_each_side_has_its_file(pairs_file, tmp_path):
    english = glove(tmp_path / "en.txt", ["the", "and", "der"], seed=1)
    german = glove(tmp_path / "de.txt", ["the", "und", "der"], seed=2)
    named = {"source_vectors": str(tmp_path / "en.txt"), "target_vectors": str(tmp_path / "de.txt")}
    settings = {
        "tokenizer": {"kind": "word", "joint": False},
        "model": {"tie_embeddings": "decoder"},
        "training": STILL,
    }
    plain = ran(tmp_path / "plain", pairs_file, **settings)
    made = ran(tmp_path / "run", pairs_file, **settings, objective=named)
    for side, stack, vectors in (("source", "encoder", english), ("target", "decoder", german)):
        words = getattr(made.tokenizers, side).whole_words
        known = {word: words[word] for word in vectors if word in words}
        assert len(known) == 2
        before, after = (
            getattr(each.model, stack).embedding.weight[list(known.values())].double()
            for each in (plain, made)
        )
        expected = scaled(torch.stack([vectors[word] for word in known]), before)
        torch.testing.assert_close(after, expected, rtol=1e-6, atol=0)
    assert made.model.heads["lm"].output.weight is made.model.decoder.embedding.weight


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_run_does_not_set_vectors_again(pairs_file, tmp_path, ema):
    path = tmp_path / "glove.txt"
    glove(path, ["the", "and", "he"])
    settings = {"max_updates": 12, "ema": ema}
    inputs = {"objective": {"source_vectors": str(path)}, "tokenizer": {"kind": "word"}}
    whole = ran(tmp_path / "whole", pairs_file, training=settings, **inputs)
    cut = {**settings, "max_updates": 6}
    ran(tmp_path / "cut", pairs_file, training=cut, **inputs)
    path.unlink()  # whoever read it again would fail
    text = Said()
    again = ran(tmp_path / "cut", pairs_file, text, training=settings, **inputs)
    assert any("resuming from step-" in line for line in text.lines)
    assert not any("have a vector" in line for line in text.lines)
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, again.model.get_parameter(name)), name


def test_a_file_that_does_not_fit_is_an_error_before_any_work(pairs_file, tmp_path):
    glove(tmp_path / "glove.txt", ["the"], width=48)
    text = Said()
    objective = {"source_vectors": str(tmp_path / "glove.txt")}
    with pytest.raises(DataError, match=r"glove.txt:1: its vectors have 48.*model.d_model=48"):
        ran(tmp_path / "run", pairs_file, text, objective=objective)
    assert not any("learning the tokenizer" in line for line in text.lines)
    advised = {"training": STILL, "objective": objective, "model": {"d_model": 48}}
    ran(tmp_path / "run", pairs_file, **advised)


ENCODER = {"d_model": WIDTH, "d_ff": 64, "n_heads": 4, "n_encoder_layers": 1}
LABELING = [
    ("classification", "bert-tiny", ENCODER),
    ("classification", "albert-tiny", {**ENCODER, "d_model": 64, "d_embedding": WIDTH}),
    ("classification", "bag-of-words", {"d_model": WIDTH}),
    ("classification", "text-cnn", {"d_embedding": WIDTH, "n_filters": 4}),
    ("classification", "bilstm", {"d_model": 16, "d_embedding": WIDTH}),
    ("tagging", "bert-tiny", ENCODER),
    ("tagging", "bilstm", {"d_model": WIDTH}),
]


def labeled(tmp_path, task, size, model, **objective):
    """The model of a run on a few labeled texts, or sentences."""
    path = tmp_path / ("t.tsv" if task == "classification" else "t.conll")
    if task == "classification":
        path.write_text("".join(f"a {w} film {i}\t{w}\n" for i in range(20) for w in WORDS))
    else:
        path.write_text("".join(f"a O\n{w} {w}\nfilm{i} O\n\n" for i in range(20) for w in WORDS))
    settings = {
        "task": task,
        "size": size,
        "run_dir": str(tmp_path / f"run-{len(objective)}"),
        "data": {"train": [str(path)]},
        "model": model,
        "objective": objective,
        "training": {**STILL, "threads": 1},
    }
    return open_model(train(settings, reporter=Said()).run.final)


WORDS = ["good", "dull"]


@pytest.mark.parametrize(("task", "size", "model"), LABELING)
def test_classifiers_and_taggers_begin_with_vectors(tmp_path, task, size, model):
    """Authority: the file, and the same run without it."""
    vectors = glove(tmp_path / "v.txt", WORDS)
    plain = labeled(tmp_path, task, size, model)
    made = labeled(tmp_path, task, size, model, vectors=str(tmp_path / "v.txt"))
    rows = [made.tokenizers.source.whole_words[word] for word in WORDS]
    before, after = (x.model.encoder.embedding.weight.double() for x in (plain, made))
    expected = scaled(torch.stack(list(vectors.values())), before[rows])
    torch.testing.assert_close(after[rows], expected, rtol=1e-5, atol=0)
    after[rows] = before[rows]
    assert torch.equal(after, before)


def test_vectors_that_no_embedding_can_have_are_refused(tmp_path):
    glove(tmp_path / "v.txt", WORDS, width=48)
    for size, model, width in (
        ("text-cnn", {"d_embedding": WIDTH}, "model.d_embedding=48"),
        ("bag-of-words", {"d_model": WIDTH}, "model.d_model=48"),
    ):
        with pytest.raises(DataError, match=f"48 numbers, the embedding {WIDTH}.*{width}"):
            labeled(tmp_path, "classification", size, model, vectors=str(tmp_path / "v.txt"))
    with pytest.raises(ConfigError, match=r"v\.txt: a hidden Markov model .* no embedding"):
        labeled(tmp_path, "tagging", "hmm", {}, vectors=str(tmp_path / "v.txt"))
