"""Losses of batches: they do not depend on padding, and add up over the rows.

So k micro-batches of b examples are one batch of k b examples, whatever a loss is divided by. One
loss is left out, because its rows interact by design: CoSENT (similarity with head: cosine) orders
the pairs of a micro-batch among each other.
Authority: algebra.
"""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F

from pellucid.tasks.language_modeling import LanguageModelingTask
from pellucid.tasks.masked_lm import MaskedLMTask
from pellucid.tasks.protocol import combine_terms
from pellucid.tasks.replaced_token import ReplacedBatch, ReplacedTokenTask
from pellucid.tasks.segment_modeling import SegmentBatch, SegmentModelingTask
from pellucid.tasks.tagging import TaggingTask
from tasks import (
    test_classification,
    test_distillation,
    test_language_modeling,
    test_masked_lm,
    test_pretrained_encoder_decoders,
    test_question_answering,
    test_similarity,
    test_summarization,
    test_tagging,
)
from tasks import test_translation_directions as directions
from tasks.small import encoder_inputs, records_of, validation_data_of

FLAT = ("chosen", "real", "scored")
"""Fields with indices into (B * T); `labels` and `draws` of the same batch have their order."""
MORE = 3  # columns of padding that are added


def with_weights(task, column, records):
    """The task with balanced weights of labels."""
    counts = {label: i + 1 for i, label in enumerate(task.labels)}
    objective = replace(task.inputs.config.objective, class_weights="balanced")
    config = replace(task.inputs.config, objective=objective)
    inputs = replace(task.inputs, config=config, label_counts={column: counts}, n_records=40)
    return type(task)(inputs), records


def classification(several=False, weights=False, **more):
    task, records = test_classification.make(several=several, **more)
    records[3] = records[3]._replace(values=("the", *records[3].values[1:]))
    if not weights:
        return task, records
    return with_weights(task, "labels" if several else "label", records)


def tagging(head, weights=False):
    records = [*test_tagging.RECORDS[:11], *records_of([(("it",), ("O",))])]
    inputs = encoder_inputs("tagging", records, head=head, labels={"tags": test_tagging.TAGS})
    task = TaggingTask(inputs)
    return with_weights(task, "tags", records) if weights else (task, records)


def distillation():
    records = test_distillation.RECORDS
    teacher = MaskedLMTask(encoder_inputs("masked_lm", records, "bert-tiny"))
    bundle = teacher.export(vary(teacher.build(5)))["final"]
    return test_distillation.task_of(bundle), records


def masked(pairs="none", size="bert-tiny"):
    documents = [
        "\n".join(each) for each in pairwise(text for (text,) in test_masked_lm.TEXTS[:12])
    ]
    texts = [*test_masked_lm.TEXTS[:11], ("a",)] if pairs == "none" else zip(documents, strict=True)
    records = records_of(texts)
    return MaskedLMTask(encoder_inputs("masked_lm", records, size, pairs=pairs)), records


def replaced_token():
    records = records_of([("a",), *test_masked_lm.TEXTS])
    inputs = encoder_inputs("replaced_token", records, "electra-mini")
    config = replace(inputs.config, model=replace(inputs.config.model, d_embedding=16))
    return ReplacedTokenTask(replace(inputs, config=config)), records


def language_modeling(size="gpt2-micro"):
    records = test_language_modeling.RECORDS
    kind = SegmentModelingTask if "xl" in size else LanguageModelingTask
    return kind(test_language_modeling.inputs_of(size)), records


def summarization(size):
    return test_summarization.task_of(size), test_summarization.RECORDS


def encoder_decoder(name):
    module = test_pretrained_encoder_decoders
    return module.task_of(name), module.RECORDS


TASKS = {
    "classification": classification,
    "classification, weights": lambda: classification(weights=True),
    "classification of pairs": lambda: classification(is_pair=True, size="distilbert-base"),
    "classification, several": lambda: classification(several=True),
    "classification, several, weights": lambda: classification(several=True, weights=True),
    "similarity, regression": lambda: (test_similarity.make("regression"), test_similarity.RECORDS),
    "tagging": lambda: tagging("linear"),
    "tagging, weights": lambda: tagging("linear", weights=True),
    "tagging, CRF": lambda: tagging("crf"),
    "question answering": lambda: test_question_answering.make(unanswerable=True),
    "masked_lm": masked,
    "masked_lm, roberta": lambda: masked(size="roberta-base"),
    "masked_lm, next sentence": lambda: masked("next_sentence"),
    "replaced_token": replaced_token,
    "distillation": distillation,
    "span_corruption": lambda: encoder_decoder("span_corruption"),
    "denoising": lambda: encoder_decoder("denoising"),
    "translation": lambda: (directions.task_of(), directions.RECORDS),
    "summarization": lambda: summarization("tiny"),
    "summarization, T5": lambda: summarization("t5-efficient-tiny"),
    "summarization, RNN": lambda: summarization("rnn"),
    "language_modeling": language_modeling,
    "language_modeling, memory": lambda: language_modeling("transfo-xl-micro"),
}
RANDOM = (
    *("masked_lm", "masked_lm, roberta", "masked_lm, next sentence", "replaced_token"),
    *("distillation", "span_corruption", "denoising"),
    "language_modeling, memory",
)
"""Tasks that draw noise for a batch, and the one whose batches continue each other."""


def vary(module):
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return module.eval()


class Case(NamedTuple):
    task: object
    module: torch.nn.Module
    examples: list
    batch: object


@pytest.fixture(scope="module", params=TASKS)
def case(request):
    task, records = TASKS[request.param]()
    data = validation_data_of(task, records).examples
    indices = sorted(range(len(data)), key=lambda i: data.lengths[i][0])
    chosen = [*indices[:2], *indices[:: len(indices) // 6]][:8]  # the shortest ones among them
    chosen = chosen if task.order == "length" else range(4)
    examples = [task.example(data, i, seed=i) for i in chosen]
    return Case(task, vary(task.build(3)), examples, task.collate(examples, seed=1))


def take(batch, rows):
    """The rows of a batch, as a batch. rows: a slice."""
    if isinstance(batch, ReplacedBatch):
        chosen = find_chosen(batch.masked, rows)
        return ReplacedBatch(take(batch.masked, rows), batch.draws[chosen])
    if isinstance(batch, SegmentBatch):
        return batch._replace(tokens=take(batch.tokens, rows))
    chosen = find_chosen(batch, rows)
    values = {}
    for name, value in batch._asdict().items():
        if value is None or value is getattr(batch, "n_tokens", None):
            values[name] = value
        elif isinstance(value, tuple):
            values[name] = take(value, rows)
        elif name in FLAT:
            values[name] = value[chosen] - rows.start * width_of(batch)
        else:
            values[name] = value[chosen if chosen is not None and name == "labels" else rows]
    return type(batch)(**values)


def width_of(batch):
    return (batch.target if hasattr(batch, "target") else batch.ids).shape[1]


def find_chosen(batch, rows):
    """Which of the indices into (B * T) are in these rows; None for a batch without such."""
    for name in FLAT:
        if hasattr(batch, name):
            row = getattr(batch, name) // width_of(batch)
            return (row >= rows.start) & (row < rows.stop)
    return None


def pad(batch, vocab_size, more=MORE):
    """The batch with more columns of padding, and random ids in all of it."""
    if isinstance(batch, ReplacedBatch):
        return batch._replace(masked=pad(batch.masked, vocab_size, more))
    if isinstance(batch, SegmentBatch):
        return batch._replace(tokens=pad(batch.tokens, vocab_size, more))
    if hasattr(batch, "rows"):
        return batch._replace(rows=pad(batch.rows, vocab_size, more))
    values = batch._asdict()
    for name in set(values) & {"ids", "source", "target", "segments"}:
        if values[name] is not None:
            limit = 2 if name == "segments" else vocab_size
            values[name] = fill(values[name], is_real(batch, name), limit, more)
    if "keep" in values:
        values["keep"] = F.pad(is_real(batch, "keep"), (0, more))
    for name in set(values) & set(FLAT):
        width = width_of(batch)
        values[name] = values[name] // width * (width + more) + values[name] % width
    if "is_word" in values:
        values["first"] = torch.where(batch.is_word, batch.first, batch.ids.shape[1] + more - 1)
    return type(batch)(**values)


def is_real(batch, name):
    """(B, T), True where a token is no padding."""
    if name == "target" or not hasattr(batch, "keep"):
        ids = batch.target if name == "target" else batch.ids
        positions = batch.real if name == "target" else batch.scored
        return (
            torch.zeros(ids.numel(), dtype=torch.bool).index_fill(0, positions, True).view_as(ids)
        )
    ids = batch.source if hasattr(batch, "source") else batch.ids
    return torch.ones_like(ids, dtype=torch.bool) if batch.keep is None else batch.keep


def fill(ids, real, limit, more):
    noise = torch.randint(limit, (len(ids), ids.shape[1] + more))
    return torch.where(F.pad(real, (0, more)), F.pad(ids, (0, more)), noise)


def loss_and_gradient(case, batches):
    """The loss of an update by these micro-batches, and its gradient."""
    counts = Counter()
    for batch in batches:
        counts.update(case.task.counts(batch))
    case.module.zero_grad()
    losses = [combine_terms(case.task.loss(case.module, batch), counts) for batch in batches]
    sum(losses).backward()
    grads = [p.grad.flatten() for p in case.module.parameters() if p.grad is not None]
    return float(sum(losses).detach()), torch.cat(grads)


def assert_equal(actual, expected):
    assert actual[0] == pytest.approx(expected[0], rel=1e-6)
    assert float((actual[1] - expected[1]).abs().max() / expected[1].abs().max()) < 1e-5


def test_micro_batches_are_one_batch(case):
    n = len(case.examples)
    parts = [take(case.batch, slice(*ends)) for ends in ((0, 1), (1, n // 2 + 1), (n // 2 + 1, n))]
    expected = loss_and_gradient(case, [case.batch])
    assert bool(expected[1].isfinite().all())
    assert_equal(loss_and_gradient(case, parts), expected)


def test_padding_changes_nothing(case):
    torch.manual_seed(2)
    is_full = case.task.inputs.config.task == "language_modeling"  # windows are as long as can be
    vocab_size = case.task.inputs.tokenizers.source.vocab_size
    padded = pad(case.batch, vocab_size, 0 if is_full else MORE)
    assert_equal(loss_and_gradient(case, [padded]), loss_and_gradient(case, [case.batch]))


@pytest.mark.parametrize("case", [name for name in TASKS if name not in RANDOM], indirect=True)
def test_a_batch_is_its_singles(case):
    singles = [case.task.collate([example], seed=1) for example in case.examples]
    assert_equal(loss_and_gradient(case, singles), loss_and_gradient(case, [case.batch]))
