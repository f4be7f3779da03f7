"""Baselines as sizes of the tasks: bag of words, text CNN, BiLSTM, hidden Markov model."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.families.catalog import LOCAL_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.classify import classify
from pellucid.inference.embed import embed
from pellucid.inference.tag import tag
from pellucid.nn.pack_model import pack_model
from pellucid.tasks.catalog import build_task
from pellucid.tasks.classification import HEAD
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.train import train_tokenizers
from tasks.small import TRAINING, by_heart, records_of, resumed_and_whole, texts_of, trained

TEXTS = records_of(
    (f"{'good' if i % 3 else 'bad'} film number {i}", None, "yes" if i % 3 else "no")
    for i in range(32)
)
WORDS = records_of(
    (("Ada", "saw", str(i), town), ("B-PER", "O", "O", "B-LOC" if town == "Rome" else "O"))
    for i in range(32)
    for town in (["Rome"] if i % 2 else ["cats"])
)
SMALL = {
    "bag-of-words": {"d_model": 32},
    "text-cnn": {"d_embedding": 32, "n_filters": 16},
    "bilstm": {"d_model": 32},
    "hmm": {},
}


def make(task, size, records, labels, **objective):
    family, preset = SIZES[size]
    model = replace(preset, **SMALL[size])
    kind = TokenizerConfig(kind="word", vocab_size=500, min_frequency=1)
    special = LOCAL_FAMILIES[family].special_tokens
    texts = records if task == "tagging" else records_of((r.values[0],) for r in records)
    config = RunConfig(
        task=task,
        objective=TASK_CONFIGS[task](**objective),
        family=family,
        model=model,
        data=DataConfig(max_length=24),
    )
    inputs = TaskInputs(
        config=config,
        tokenizers=train_tokenizers(lambda: texts_of(texts), kind, special),
        labels=labels,
        longest=(24,),
    )
    built = build_task(inputs)
    built.check()
    return built


def classifier(size):
    return make("classification", size, TEXTS, {"label": ("no", "yes")})


def tagger(size, head="linear"):
    labels = {"tags": ("B-LOC", "B-PER", "O")}
    return make("tagging", size, WORDS, labels, head=head)


CLASSIFIERS = ["bag-of-words", "text-cnn", "bilstm"]
TAGGERS = [("bilstm", "linear"), ("bilstm", "crf"), ("hmm", "linear")]


@pytest.mark.parametrize("size", CLASSIFIERS)
def test_classifiers_learn_and_are_kept(size, tmp_path):
    """Authority: 32 memorized texts; the saved model predicts like the trained one, also packed."""
    task = classifier(size)
    scores = by_heart(task, TEXTS, tmp_path / "run", rate=0.02, max_updates=40)
    assert scores["accuracy"] == 1.0
    module = trained(task, TEXTS, tmp_path / "again", TRAINING).module.eval()
    bundle = task.export(module)["final"]
    save_bundle(tmp_path / "m", replace(bundle, card="card"))
    again = open_model(tmp_path / "m")
    assert (again.task, again.family) == ("classification", size.replace("-", "_"))
    texts = [record.values[0] for record in TEXTS]
    expected = classify(bundle, [*texts, ("good film", "bad film"), ""])
    assert classify(again, [*texts, ("good film", "bad film"), ""]) == expected
    packed = classify(replace(again, model=pack_model(again.model)), texts)
    for one, other in zip(packed, expected, strict=False):
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
    vectors = embed(again, texts)
    assert vectors.shape == (32, again.model_config.d_model)


@pytest.mark.parametrize(("size", "head"), TAGGERS)
def test_taggers_learn_and_are_kept(size, head, tmp_path):  # authority: as above
    task = tagger(size, head)
    scores = by_heart(task, WORDS, tmp_path / "run", rate=0.1 if size == "hmm" else 0.02)
    assert scores["f1"] == 1.0
    bundle = task.export(trained(task, WORDS, tmp_path / "again", TRAINING).module.eval())["final"]
    save_bundle(tmp_path / "m", replace(bundle, card="card"))
    again = open_model(tmp_path / "m")
    assert (again.task, again.family) == ("tagging", size)
    sentences = [*(record.values[0] for record in WORDS), ("unseen", "Rome"), ()]
    assert tag(again, sentences) == tag(bundle, sentences)


@pytest.mark.parametrize("make_task", [lambda: classifier("text-cnn"), lambda: tagger("hmm")])
def test_resume_is_bit_exact(make_task, tmp_path):  # authority: the run that was not stopped
    task = make_task()
    records = TEXTS if task.inputs.config.task == "classification" else WORDS
    whole, resumed = resumed_and_whole(task, records, tmp_path)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_tables_of_an_hmm_become_relative_frequencies(tmp_path):
    """Authority: the closed form, counts of tags and words divided by their sums (Rabiner 1989)."""
    task = tagger("hmm")
    settings = replace(
        TRAINING, optimizer="adam", rate=0.2, schedule="linear", max_updates=400, weight_decay=0.0
    )
    module = trained(task, WORDS, tmp_path, replace(settings, max_tokens=5000)).module
    labels, tokenizer = task.labels, task.inputs.tokenizers.source
    starts, moves, emissions = Counter(), Counter(), Counter()
    for words, tags in (record.values for record in WORDS):
        starts[tags[0]] += 1
        moves.update(zip(tags, [*tags[1:], "end"], strict=True))
        emissions.update(zip((tokenizer.encode(word).ids[0] for word in words), tags, strict=True))
    chain = module.heads["tagger"].crf
    tables = {
        "start": (chain.start_logits.softmax(0), lambda i: starts[labels[i]]),
        "after": (chain.logits.softmax(1), lambda i, j: moves[labels[i], [*labels, "end"][j]]),
        "words": (module.encoder.logits.softmax(0), lambda i, j: emissions[i, labels[j]]),
    }
    for name, (table, count) in tables.items():
        counts = np.array([[count(*index)] for index in np.ndindex(*table.shape)], float)
        counts = counts.reshape(table.shape)
        expected = counts / counts.sum({"start": 0, "after": 1, "words": 0}[name], keepdims=True)
        np.testing.assert_allclose(table.detach().numpy(), expected, atol=0.01, err_msg=name)


def test_pooling_of_a_head_is_kept_in_the_own_layout(tmp_path):  # authority: the family's head
    task = classifier("text-cnn")
    save_bundle(tmp_path / "m", replace(task.export(task.build(1))["final"], card="card"))
    head = open_model(tmp_path / "m").model.head_configs[HEAD]
    assert (head.pool, head.dropout, head.labels) == ("max", 0.5, ("no", "yes"))
