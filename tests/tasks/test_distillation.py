"""Distillation as a task."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import AutoModelForMaskedLM

from pellucid import garden
from pellucid.config.data import DataConfig
from pellucid.config.tasks.distillation import DistillationConfig
from pellucid.data.batching import evaluation_batches
from pellucid.errors import ConfigError, UsageError
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.tasks.distillation import DistillationTask
from pellucid.tasks.masked_lm import HEAD, MaskedLMTask
from pellucid.tasks.protocol import combine_terms
from pellucid.tasks.tagging import TaggingTask
from pellucid.tasks.teacher import choose_layers
from tasks.small import encoder_inputs, records_of, validation_data_of

RECORDS = records_of([(" ".join(pair),) for pair in garden.pairs(60, "en", "de")])


@pytest.fixture(scope="module")
def teacher():
    inputs = encoder_inputs("masked_lm", RECORDS, "bert-tiny")
    model = replace(inputs.config.model, n_encoder_layers=4)
    task = MaskedLMTask(replace(inputs, config=replace(inputs.config, model=model)))
    module = task.build(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return task.export(module)["final"]


def task_of(teacher, size="distilbert-base", **settings):
    inputs = encoder_inputs("distillation", RECORDS, size, **settings)
    vocab_size = teacher.model_config.vocab_size
    config = replace(inputs.config, model=replace(inputs.config.model, vocab_size=vocab_size))
    return DistillationTask(replace(inputs, config=config, teachers=(teacher,)))


def batch_of(task, n=12):
    examples = validation_data_of(task, RECORDS).examples
    return task.collate([examples[i] for i in range(n)], seed=1)


def outputs_of(model, batch):
    """All states and logits; which tokens are real."""
    real = torch.ones_like(batch.ids, dtype=torch.bool) if batch.keep is None else batch.keep
    states = model(batch.ids, batch.keep)
    return states[real], model.heads[HEAD](states)[real], real


def test_the_defaults_are_those_of_the_recipe():  # DistilBERT's released training arguments
    c = DistillationConfig()
    assert (c.soft_weight, c.masked_weight, c.cosine_weight, c.temperature) == (5.0, 2.0, 1.0, 2.0)
    assert (c.chosen, c.masked, c.random) == (0.15, 0.8, 0.1)


def test_the_loss_is_that_of_torch(teacher):  # authority: torch's three losses, on all tokens
    task = task_of(teacher, initialize="random")
    student, batch = task.build(3).eval(), batch_of(task)
    assert batch.keep is not None
    states, logits, real = outputs_of(student, batch)
    with torch.no_grad():
        other_states, other_logits, _ = outputs_of(teacher.model.eval(), batch)
    labels = torch.full((batch.ids.numel(),), -100)
    labels[batch.chosen] = batch.labels
    soft = nn.KLDivLoss(reduction="batchmean")(
        (logits / 2).log_softmax(-1), (other_logits / 2).softmax(-1)
    )
    masked = nn.CrossEntropyLoss(ignore_index=-100)(logits, labels.view_as(real)[real])
    cosine = nn.CosineEmbeddingLoss()(states, other_states, torch.ones(len(states)))
    wanted = 5 * soft * 2**2 + 2 * masked + cosine
    found = combine_terms(task.loss(student, batch), task.counts(batch))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    parameters = dict(student.named_parameters())
    gradients = (
        torch.autograd.grad(loss, list(parameters.values()), retain_graph=True)
        for loss in (found, wanted)
    )
    for name, ours, expected in zip(parameters, *gradients, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0, msg=name)


def test_the_teacher_gets_no_gradient_and_is_in_no_checkpoint(teacher):
    task = task_of(teacher)
    student = task.build(3).train()
    teacher.model.train()
    before = {n: p.clone() for n, p in teacher.model.named_parameters()}
    combine_terms(task.loss(student, batch_of(task)), task.counts(batch_of(task))).backward()
    assert not teacher.model.training  # it has no dropout
    assert all(p.grad is None for p in teacher.model.parameters())
    assert all(p.grad is not None for p in student.parameters())
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(p, before[n]) for n, p in teacher.model.named_parameters())
    ours = {p.data_ptr() for p in student.parameters()}
    assert not ours & {p.data_ptr() for p in teacher.model.parameters()}


def test_layers_are_chosen_as_in_the_recipe():  # DistilBERT: extract_distilbert.py
    assert choose_layers(12, 6) == [0, 2, 4, 7, 9, 11]
    assert choose_layers(12, 12) == list(range(12))
    assert choose_layers(4, 1) == [0]


@pytest.mark.parametrize("size", ["distilbert-base", "bert-tiny"])
def test_a_student_of_all_layers_is_the_teacher(teacher, size):  # authority: equal outputs
    task = task_of(teacher, size)
    model = replace(task.inputs.config.model, n_encoder_layers=4)
    config = replace(task.inputs.config, model=model)
    student = DistillationTask(replace(task.inputs, config=config)).build(3).eval()
    batch = batch_of(task)
    with torch.no_grad():
        for found, wanted in zip(
            outputs_of(student, batch), outputs_of(teacher.model.eval(), batch), strict=True
        ):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_a_student_of_half_the_layers_has_the_first_and_the_last(teacher):
    student = task_of(teacher).build(3)
    for i, j in ((0, 0), (1, 3)):
        found = student.get_parameter(f"encoder.layers.{i}.feed_forward.inner.up.weight")
        wanted = teacher.model.get_parameter(f"encoder.layers.{j}.feed_forward.inner.up.weight")
        assert torch.equal(found, wanted)


def test_weights_of_zero_cost_nothing_and_are_not_counted(teacher):
    task = task_of(teacher, cosine_weight=0.0, masked_weight=0.0)
    assert list(task.counts(batch_of(task))) == ["soft_targets"]
    assert list(task.loss(task.build(1), batch_of(task))) == ["soft_targets"]
    with pytest.raises(ConfigError, match="all weights are 0"):
        DistillationConfig(soft_weight=0, masked_weight=0, cosine_weight=0)


def test_a_teacher_of_another_tokenizer_is_refused(teacher):
    other = encoder_inputs("masked_lm", RECORDS[:30], "bert-tiny").tokenizers
    with pytest.raises(ConfigError, match=r"another tokenizer than the student: its token \d+ is"):
        task_of(replace(teacher, tokenizers=other)).check()
    wrapped = teacher.tokenizers.source.with_template(("A", "sep"), ("A", "sep", "B", "sep"))
    tokenizers = replace(teacher.tokenizers, source=wrapped, target=wrapped)
    with pytest.raises(ConfigError, match=r"it puts \[SEP\] around a text, not \[CLS\] \[SEP\]"):
        task_of(replace(teacher, tokenizers=tokenizers)).check()


def test_what_does_not_fit_is_refused_before_training(teacher):
    task_of(teacher).check()
    with pytest.raises(UsageError, match="there is no teacher"):
        DistillationTask(replace(task_of(teacher).inputs, teachers=())).check()
    wide = task_of(teacher)
    model = replace(wide.inputs.config.model, d_model=64, d_ff=128)
    wide = DistillationTask(replace(wide.inputs, config=replace(wide.inputs.config, model=model)))
    with pytest.raises(ConfigError, match=r"width 64, the teacher 32.*cosine_weight=0"):
        wide.check()
    objective = replace(wide.inputs.config.objective, cosine_weight=0.0)
    config = replace(wide.inputs.config, objective=objective)
    wide = DistillationTask(replace(wide.inputs, config=config))
    with pytest.raises(ConfigError, match=r"d_model 64 \(the teacher: 32\).*initialize=random"):
        wide.check()
    config = replace(config, objective=replace(objective, initialize="random"))
    DistillationTask(replace(wide.inputs, config=config)).check()
    with pytest.raises(ConfigError, match="the teacher has 512 positions"):
        task_of(teacher, data=DataConfig(max_length=600)).check()
    words = records_of([(("a", "b"), ("X", "Y"))] * 30)
    tagging = TaggingTask(encoder_inputs("tagging", words, labels={"tags": ("X", "Y")}))
    with pytest.raises(ConfigError, match="no masked language model"):
        task_of(replace(teacher, model=tagging.build(1))).check()


def test_validation_is_the_mean_of_its_batches(teacher):  # authority: brute force
    task = task_of(teacher)
    student, validation = task.build(3).eval(), validation_data_of(task, RECORDS[:20])
    found = task.validate(student, validation, torch.device("cpu"))
    assert set(found) == set(task.inputs.config.objective.metrics)
    agreed = right = n = 0
    for seed, indices in enumerate(evaluation_batches(validation.examples.lengths)):
        batch = task.collate([validation.examples[i] for i in indices], seed)
        with torch.no_grad():
            ours, teachers = (
                model.heads[HEAD](model(batch.ids, batch.keep)).flatten(0, 1)[batch.chosen]
                for model in (student, teacher.model)
            )
        agreed += int((ours.argmax(-1) == teachers.argmax(-1)).sum())
        right += int((ours.argmax(-1) == batch.labels).sum())
        n += len(batch.labels)
    assert found["agreement"] == pytest.approx(agreed / n)
    assert found["accuracy"] == pytest.approx(right / n)
    same = task.validate(student, validation, torch.device("cpu"))
    assert found == same
    equal = task_of(teacher, "bert-tiny", soft_weight=1.0, masked_weight=0.0, cosine_weight=1.0)
    model = replace(equal.inputs.config.model, n_encoder_layers=4)
    equal = DistillationTask(
        replace(equal.inputs, config=replace(equal.inputs.config, model=model))
    )
    scores = equal.validate(equal.build(1).eval(), validation, torch.device("cpu"))
    assert scores["loss"] == pytest.approx(0.0, abs=1e-5)
    assert scores["agreement"] == 1.0


def test_transformers_opens_the_student(teacher, tmp_path):  # authority: transformers' logits
    task = task_of(teacher)
    student, batch = task.build(3).eval(), batch_of(task)
    save_bundle(tmp_path / "m", replace(task.export(student)["final"], card="card"))
    peer = AutoModelForMaskedLM.from_pretrained(tmp_path / "m").eval()
    assert type(peer).__name__ == "DistilBertForMaskedLM"
    with torch.no_grad():
        peer_logits = peer(input_ids=batch.ids, attention_mask=batch.keep.long()).logits
        logits = student.heads[HEAD](student(batch.ids, batch.keep))
    torch.testing.assert_close(logits[batch.keep], peer_logits[batch.keep], atol=1e-4, rtol=0)
    assert open_model(tmp_path / "m").task == "masked_lm"
