"""Classifiers that learn from classifiers."""

from dataclasses import replace

import numpy as np
import pytest
import tokenizers as tokenizers_library
import torch

from pellucid.config.data import DataConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.tasks.augmentation import MIN_SPAN, draw_spans, drop_words
from pellucid.tasks.classification import HEAD, ClassificationTask
from pellucid.tasks.protocol import combine_terms
from pellucid.tasks.text_pairs import score_texts
from pellucid.text.pair import Tokenizers
from pellucid.text.tokenizer import Tokenizer
from tasks import test_classification
from tasks.small import resumed_and_whole, validation_data_of

CASES = [(False, False), (True, False), (True, True)]


def student_of(*sizes, size="distilbert-base", is_pair=False, several=False, **objective):
    """A task with varied teachers of these sizes, and its records."""
    task, records = test_classification.make(size, is_pair, several)
    teachers = []
    for number, each in enumerate(sizes):
        other, _ = test_classification.make(each, is_pair, several)
        module = other.build(number)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        teachers.append(other.export(module)["final"])
    names = tuple(f"teacher-{i}" for i in range(len(teachers)))
    config = task.inputs.config
    objective = replace(config.objective, teachers=names, **objective)
    config = replace(config, objective=objective)
    inputs = replace(task.inputs, config=config, teachers=tuple(teachers))
    return ClassificationTask(inputs), records


def batch_of(task, records, seed=3):
    return task.collate([each.columns for each in task.encode(records)], seed)


@pytest.mark.parametrize(("is_pair", "several"), CASES)
def test_loss_is_the_formula(is_pair, several):
    """Authority: (1 - w) CE(label) + w T^2 CE(mean teacher, student) in float64, by hand."""
    share, heat = 0.3, 2.5
    settings = {"teacher_share": share, "temperature": heat, "spans": 2}
    task, records = student_of(
        "bert-tiny", "bert-tiny", is_pair=is_pair, several=several, **settings
    )
    task.check()
    student, batch = task.build(7).eval(), batch_of(task, records[:5])
    n = len(batch.labels)
    assert len(batch.rows.ids) == 3 * n
    with torch.no_grad():
        logits = score_texts(student, batch.rows, HEAD).double().numpy()
        each = [
            score_texts(t.model.eval(), batch.rows, HEAD).double().numpy()
            for t in task.inputs.teachers
        ]
        terms, counts = task.loss(student, batch), task.counts(batch)
    labels = batch.labels.numpy()
    if several:
        p = sum(1 / (1 + np.exp(-x / heat)) for x in each) / 2
        q, plain = 1 / (1 + np.exp(-logits / heat)), 1 / (1 + np.exp(-logits[:n]))
        soft = -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean()
        hard = -np.where(labels > 0, np.log(plain), np.log(1 - plain)).mean()
    else:
        p = sum(softmax(x / heat) for x in each) / 2
        soft = -(p * np.log(softmax(logits / heat))).sum(-1).mean()
        hard = -np.log(softmax(logits[:n])[np.arange(n), labels]).mean()
    expected = (1 - share) * hard + share * heat**2 * soft
    assert float(combine_terms(terms, counts)) == pytest.approx(expected, abs=1e-5)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def test_a_teacher_reads_pairs_as_it_was_trained_to():
    """Authority: the teacher's own batch. The student has no segments, the teacher has."""
    task, records = student_of("bert-tiny", is_pair=True)
    own, _ = test_classification.make("bert-tiny", is_pair=True)
    teacher = task.inputs.teachers[0].model.eval()
    batches = (batch_of(each, records[:6]) for each in (task, own))
    with torch.no_grad():
        actual, expected = (score_texts(teacher, batch.rows, HEAD) for batch in batches)
    assert task.inputs.model_config.n_segments == 0
    assert torch.equal(actual, expected)


def test_only_the_student_learns():
    task, records = student_of("bert-tiny", spans=1)
    student, teacher = task.build(7), task.inputs.teachers[0].model.train()
    before = {name: x.clone() for name, x in teacher.state_dict().items()}
    batch = batch_of(task, records[:5])
    combine_terms(task.loss(student, batch), task.counts(batch)).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(x, before[name]) for name, x in teacher.state_dict().items())
    assert all(parameter.grad is not None for parameter in student.parameters())


def test_spans_are_parts_of_the_text_and_come_from_the_seed():
    texts = [(np.arange(10, 10 + n, dtype=np.int32), np.arange(n // 2)) for n in (1, 2, 5, 9, 30)]
    spans = draw_spans(texts, 200, np.random.default_rng(1))
    again = draw_spans(texts, 200, np.random.default_rng(1))
    for pair, other in zip(spans, again, strict=True):
        assert all(map(np.array_equal, pair, other))
    seen = [set() for _ in texts]
    for i, pair in enumerate(spans):
        for text, span in zip(texts[i % 5], pair, strict=True):
            assert min(MIN_SPAN, len(text)) <= len(span) <= len(text)
            if len(span):  # contiguous: these ids count upwards
                assert np.array_equal(span, np.arange(span[0], span[0] + len(span)))
                assert span[0] >= text[0]
                assert span[-1] <= text[-1]
        seen[i % 5].add((len(pair[0]), int(pair[0][0])))
    possible = [sum(n - k + 1 for k in range(min(3, n), n + 1)) for n in (1, 2, 5)]
    assert [len(each) for each in seen[:3]] == possible == [1, 1, 6]  # each is drawn


def test_unknown_pieces_are_the_share_and_only_in_training():
    texts = [(np.full(50_000, 9, np.int32), np.zeros(0, np.int32))]
    ((first, second),) = drop_words(texts, 0.3, 1, np.random.default_rng(2))
    assert first.dtype == np.int32
    assert set(first) == {1, 9}
    assert (first == 1).mean() == pytest.approx(0.3, abs=0.01)  # 5 standard errors
    assert len(second) == 0
    task, records = test_classification.make()
    config = task.inputs.config
    objective = replace(config.objective, word_dropout=0.5)
    dropping = ClassificationTask(replace(task.inputs, config=replace(config, objective=objective)))
    dropping.check()
    unknown = task.inputs.tokenizers.source.id("unk")
    plain, changed = (batch_of(each, records).rows.ids for each in (task, dropping))
    assert torch.equal(torch.where(changed == unknown, plain, changed), plain)
    assert not torch.equal(changed, plain)
    assert torch.equal(changed, batch_of(dropping, records).rows.ids)
    assert not torch.equal(changed, batch_of(dropping, records, seed=4).rows.ids)
    module, data = task.build(1).eval(), validation_data_of(task, records)
    scores = [each.validate(module, data, torch.device("cpu")) for each in (task, dropping)]
    assert scores[0] == scores[1]


def test_resume_is_bit_exact(tmp_path):  # authority: the run that was not stopped
    task, records = student_of("bert-tiny", "bert-tiny", spans=2, word_dropout=0.2)
    whole, resumed = resumed_and_whole(task, records, tmp_path)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_what_does_not_fit_is_refused_before_training():
    task, _ = student_of("bert-tiny")
    task.check()
    (teacher,) = task.inputs.teachers

    def check(**changes):
        ClassificationTask(replace(task.inputs, **changes)).check()

    words, _ = test_classification.make(is_pair=True)
    with pytest.raises(ConfigError, match=r"teacher-0 has another tokenizer .*tokenizer\.path"):
        check(tokenizers=words.inputs.tokenizers)
    with pytest.raises(ConfigError, match=r"teacher-0 has other labels \(cat, dog, none\) than"):
        check(labels={"label": ("dog", "none", "cat")})
    several, _ = test_classification.make(several=True)
    multi = several.export(several.build(1))["final"]
    with pytest.raises(ConfigError, match=r"\(cat, dog, none and predicts any number of them\)"):
        check(teachers=(multi,))
    headless = replace(teacher, model=several.build(1))
    headless.model.head_configs = {}
    with pytest.raises(ConfigError, match=r"teacher-0 is no classifier .*its heads: none"):
        check(teachers=(headless,))
    config = replace(task.inputs.config, data=DataConfig(max_length=600))
    long = replace(config, model=replace(config.model, max_length=600))
    with pytest.raises(ConfigError, match=r"teacher-0 has 512 positions, but data\.max_length=600"):
        check(config=long)
    both, _ = test_classification.make("bart-tiny")
    config = replace(both.inputs.config, objective=task.inputs.config.objective)
    with pytest.raises(ConfigError, match="needs the states of an encoder"):
        ClassificationTask(replace(both.inputs, config=config, teachers=(teacher,))).check()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spans": 1}, "only teachers label them"),
        ({"teachers": ("a",), "r_drop": 1.0}, "r_drop and teachers are not combined"),
        ({"teachers": ("a",), "temperature": 0.0}, r"temperature=0\.0 must be above 0"),
        ({"teachers": ("a",), "teacher_share": 1.5}, r"teacher_share=1\.5 is above 1"),
        ({"word_dropout": 1.0}, r"word_dropout=1\.0 must be"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    task, _ = test_classification.make()
    with pytest.raises(ConfigError, match=message):
        replace(task.inputs.config.objective, **settings)


def test_word_dropout_needs_an_unknown_token():
    task, _ = test_classification.make()
    tokenizers = task.inputs.tokenizers
    roles = {role: token for role, token in tokenizers.source.tokens.items() if role != "unk"}
    library = tokenizers_library.Tokenizer.from_str(tokenizers.source.to_json())
    source = Tokenizer(library, roles, tokenizers.source.kind)
    objective = replace(task.inputs.config.objective, word_dropout=0.1)
    config = replace(task.inputs.config, objective=objective)
    inputs = replace(task.inputs, config=config, tokenizers=Tokenizers(source, source))
    with pytest.raises(UsageError, match="no 'unk' token"):
        ClassificationTask(inputs).check()
