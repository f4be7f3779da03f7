"""Evaluation of a finished model: what it keeps, and which task a model has."""

import gc
import json
from dataclasses import replace

import pytest
import torch

from pellucid.config.data import DataConfig
from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.head import HeadConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data import batching
from pellucid.data.records import Record
from pellucid.data.spans import Span
from pellucid.errors import UsageError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.formats.bundle import Bundle
from pellucid.tasks.catalog import build_task
from pellucid.tasks.choose_task import choose_task
from pellucid.tasks.evaluation import EvaluationOptions, evaluate, longest_text
from tasks.small import encoder_inputs, records_of

CPU = torch.device("cpu")
SENTENCE = "the old dog sleeps under the tree"
VALUES = {
    "classification": (SENTENCE, None, "a"),
    "similarity": (SENTENCE, "a cat", 2.0),
    "tagging": (tuple(SENTENCE.split()), ("B-X", "O", "O", "I-X", "O", "O", "O")),
    "question_answering": ("Who?", SENTENCE, (Span(8, "dog"),), None),
    "masked_lm": (SENTENCE,),
}


def as_object(task, values):
    names = [column.name for column in TASK_CONFIGS[task].columns]
    fields = dict(zip(names, values, strict=True))
    if task == "question_answering":
        fields["answers"] = [{"text": s.text, "answer_start": s.start} for s in fields["answers"]]
    return {name: value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize("task", VALUES)
def test_texts_and_batches_are_not_kept(task, tmp_path, monkeypatch):
    """Authority: the garbage collector counts what is alive at each batch."""
    monkeypatch.setattr(batching, "EVALUATION_TOKENS", 120)
    values = VALUES[task]
    labels = {"label": ("a", "b"), "tags": ("B-X", "I-X", "O")}
    inputs = encoder_inputs(task, records_of([values] * 20), labels=labels)
    bundle = build_task(inputs).export(build_task(inputs).build(0))["final"]
    file = tmp_path / "d.jsonl"
    file.write_text(80 * (json.dumps(as_object(task, values)) + "\n"))
    alive = []

    def count(*_):
        objects = gc.get_objects()
        n_records = sum(type(each) is Record for each in objects)
        n_values = sum(each.numel() for each in objects if type(each) is torch.Tensor)
        alive.append((n_records, n_values))

    bundle.model.register_forward_hook(count)
    data = DataConfig(valid=(str(file),), max_length=24)
    before = sum(type(each) is Record for each in gc.get_objects())
    scores = evaluate(bundle, data, CPU, EvaluationOptions(list_wrong=True)).metrics
    assert set(scores) == set(inputs.config.objective.available_metrics)
    assert len(alive) >= 6
    assert max(records for records, _ in alive) <= before + 5  # of 80
    assert alive[-1][1] < alive[1][1] + 24 * 32  # less than the states of one more sentence


HEADS = {
    "lm": HeadConfig(kind="lm"),
    "mlm": HeadConfig(kind="lm", activation="gelu", norm=True),
    "tagger": HeadConfig(kind="token", outputs=3),
    "span": HeadConfig(kind="token", outputs=2),
    "classifier": HeadConfig(kind="sequence", outputs=3),
    "nsp": HeadConfig(kind="sequence", outputs=2),
    "pooled": HeadConfig(kind="sequence", activation="tanh"),
    "replaced": HeadConfig(kind="score", outputs=1),
}
NUMBER = HeadConfig(kind="sequence", outputs=1)
RATING = HeadConfig(kind="sequence", outputs=1, problem="multi_label")
CASES = [
    ("bert-tiny", ["mlm"], "masked_lm"),
    ("bert-tiny", ["mlm", "nsp"], "masked_lm"),
    ("bert-tiny", ["tagger"], "tagging"),
    ("bert-tiny", ["span"], "question_answering"),
    ("bert-tiny", ["classifier"], "classification"),
    ("bert-tiny", ["pooled"], "similarity"),
    ("bert-tiny", [], "similarity"),
    ("gpt2-micro", ["lm"], "language_modeling"),
    ("gpt2-micro", ["classifier"], "classification"),
    ("bart-tiny", ["lm"], "translation"),
    ("electra-tiny", ["replaced"], "replaced_token"),
]


def bundle_of(size, heads, task=""):
    family, preset = SIZES[size]
    with torch.device("meta"):
        model = PUBLISHED_FAMILIES[family].module(replace(preset, vocab_size=50), heads)
    empty = dict.fromkeys(("tokenizers", "roles", "decoding"))
    facts = {"languages": ("", ""), "longest_source": 9, "card": "", "family": family}
    return Bundle(model=model, model_config=model.config, task=task, **empty, **facts)


@pytest.mark.parametrize(("size", "heads", "task"), CASES)
def test_the_head_decides(size, heads, task):  # authority: what transformers' classes are for
    bundle = bundle_of(size, {name: HEADS[name] for name in heads})
    assert choose_task(bundle) == task
    assert choose_task(bundle, task) == task


def test_a_number_per_text_is_a_similarity():  # authority: problem_type in transformers
    assert choose_task(bundle_of("bert-tiny", {"classifier": NUMBER})) == "similarity"
    assert choose_task(bundle_of("bert-tiny", {"classifier": RATING})) == "classification"


def test_the_task_of_training_and_the_requested_one():
    bundle = bundle_of("bart-tiny", {"lm": HEADS["lm"]}, task="denoising")
    assert choose_task(bundle) == "denoising"
    assert choose_task(bundle, "summarization") == "summarization"
    with pytest.raises(UsageError, match="cannot be measured by tagging; its heads: lm"):
        choose_task(bundle, "tagging")
    with pytest.raises(UsageError, match="this model has no metrics; its heads: none"):
        choose_task(bundle_of("gpt2-micro", {}))
    encoder = bundle_of("bert-tiny", {"mlm": HEADS["mlm"]}, task="masked_lm")
    assert choose_task(encoder, "similarity") == "similarity"


def test_texts_of_a_test_set_are_as_long_as_those_of_the_methods():
    encoder = bundle_of("bert-tiny", {"classifier": HEADS["classifier"]})
    positions = encoder.model_config.max_positions
    assert longest_text(encoder, "classification") == positions > encoder.longest_source
    assert longest_text(encoder, "similarity") == positions
    pooled = replace(bundle_of("bert-tiny", {}), embedding=EmbeddingConfig(longest=7))
    assert longest_text(pooled, "similarity") == 7
    assert longest_text(pooled, "tagging") == positions
    assert longest_text(encoder, "masked_lm") == encoder.longest_source
