"""The first scores of a CRF. Authority: the transitions of tags, counted one by one."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import log

import pytest
import torch

from pellucid.data.examples import Encoded, InMemoryExamples
from pellucid.tasks.label_transitions import score_transitions
from pellucid.tasks.tagging import HEAD, TaggingTask
from tasks.small import encoder_inputs, records_of, validation_data_of

TAGS = ("B-LOC", "I-LOC", "O")
RECORDS = records_of(
    (tuple("abcd"[: len(tags)]), tuple(f"{t}-LOC" if t != "O" else t for t in tags))
    for tags in ["OBIO", "BO", "OOBI", "BII", "O"]
)


def task():
    return TaggingTask(encoder_inputs("tagging", RECORDS, labels={"tags": TAGS}, head="crf"))


def expected(before, after):
    pairs = Counter()
    for record in RECORDS:
        tags = ["", *record.values[1], ""]
        pairs.update(pairwise(tags))
    n = sum(pairs.values())
    n_before = sum(count for (a, _), count in pairs.items() if a == before)
    n_after = sum(count for (_, b), count in pairs.items() if b == after)
    return log((pairs[before, after] + 1) / (n_before * n_after / n + 1))


def test_scores_compare_counts_with_chance():
    built = task()
    examples = validation_data_of(built, RECORDS).examples
    crf = built.with_statistics(examples).build(1).heads[HEAD].crf
    for i, tag in enumerate(TAGS):
        assert crf.start[i].item() == pytest.approx(expected("", tag), abs=1e-6)
        assert crf.end[i].item() == pytest.approx(expected(tag, ""), abs=1e-6)
        for j, following in enumerate(TAGS):
            score = crf.transitions[i, j].item()
            assert score == pytest.approx(expected(tag, following), abs=1e-6)
    assert crf.transitions[2, 1] < crf.transitions[0, 1]  # I-LOC follows B-LOC, never O


def test_independent_labels_have_scores_near_zero():  # algebra: counts are those of chance
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(3, (2000, 40), generator=rng).numpy()
    examples = InMemoryExamples([Encoded((row,), (40,), RECORDS[0]) for row in labels])
    transitions = score_transitions(examples, 3, column=0).transitions
    assert transitions.abs().max() < 0.05


def test_a_crf_to_start_from_keeps_its_scores():  # authority: the model to start from
    built = task().with_statistics(validation_data_of(task(), RECORDS[:1]).examples)
    bundle = built.export(built.build(1))["final"]
    start = replace(built.inputs, start=bundle, heads=bundle.model.head_configs)
    examples = validation_data_of(built, RECORDS).examples
    again = TaggingTask(start).with_statistics(examples).build(2)
    assert torch.equal(again.heads[HEAD].crf.transitions, bundle.model.heads[HEAD].crf.transitions)
    linear = replace(bundle.model.head_configs[HEAD], crf=False)
    other = TaggingTask(replace(start, start=None, heads={HEAD: linear}))
    new = other.with_statistics(examples).build(2).heads[HEAD].crf.transitions
    assert new[2, 1].item() == pytest.approx(expected("O", "I-LOC"), abs=1e-6)
