"""Extractive question answering as a task."""

from dataclasses import replace
from math import inf, log

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from transformers import AutoModelForQuestionAnswering

from pellucid.config.data import DataConfig
from pellucid.data.records import Record
from pellucid.data.spans import Span
from pellucid.errors import ConfigError
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.answer import answer
from pellucid.metrics.answers import score_squad, score_squad2
from pellucid.tasks.evaluation import evaluate
from pellucid.tasks.question_answering import HEAD, QuestionAnsweringTask
from pellucid.tasks.question_windows import find_target
from pellucid.tasks.text_pairs import compute_states
from tasks.small import by_heart, encoder_inputs, records_of, resumed_and_whole, validation_data_of

PLACES = ["Berlin", "San Marino", "Überlingen", "Rome"]
SIZES = ["bert-tiny", "roberta-base", "albert-base", "distilbert-base", "electra-small"]
BOTH_STACKS = ["bart-tiny", "t5-efficient-tiny"]
FILLER = "It is said that nobody knows why. "


def rows(n_filler=0, unanswerable=False):
    for i in range(40):
        place, name = PLACES[i % 4], ["Ada", "Alan", "Grace"][i % 3]
        context = (
            f"{FILLER * n_filler}{name} lives in {place}  with number {i}. {FILLER * n_filler}"
        )
        spans = (Span(context.index(place), place),)
        has_answer = not unanswerable or i % 4
        yield f"Where does {name} live, {i}?", context, spans if has_answer else (), None


def make(size="bert-tiny", max_length=40, data=None, **more):
    records = records_of(rows(**more))
    texts = records_of((" ".join(record.values[:2]),) for record in records)
    data = data or DataConfig(max_length=max_length)
    return QuestionAnsweringTask(
        encoder_inputs("question_answering", texts, size, data=data)
    ), records


@pytest.mark.parametrize("n_filler", [0, 3])
@pytest.mark.parametrize("size", SIZES)
def test_windows_have_the_answer_or_none(size, n_filler):
    """Authority: the characters of the record."""
    task, records = make(size, n_filler=n_filler)
    windows: dict[int, list] = {}
    for encoded in task.encode(records):
        windows.setdefault(encoded.record.line, []).append(encoded)
    tokenizer = task.inputs.tokenizers.source
    assert list(windows) == [record.line for record in records]
    for record, (first, *_) in zip(records, windows.values(), strict=True):
        question, context, (span,), _ = record.values
        assert first.columns[0].tolist() == tokenizer.encode(question).ids[:18]
        covered, n_answers = set(), 0
        for each in windows[record.line]:
            ids, spans, (begin, end) = each.columns[1:]
            wrapped = tokenizer.add_special_tokens(each.columns[0].tolist(), ids.tolist()).ids
            assert each.lengths == (len(wrapped),) <= (40,)
            spans = spans.reshape(-1, 2)
            stop = span.start + len(span.text)
            is_inside = spans[0][0] <= span.start and stop <= spans[-1][1]
            assert (begin >= 0) == (end >= 0) == is_inside
            if is_inside:
                assert context[spans[begin][0] : spans[end][1]].strip(" .") == span.text
                n_answers += 1
            covered |= {i for first, last in spans for i in range(first, last)}
        assert n_answers >= 1
        assert {context[i] for i in range(len(context)) if i not in covered} <= {" "}
        assert (len(windows[record.line]) > 1) == (n_filler > 0)


def test_the_target_is_the_most_frequent_answer():  # authority: by hand
    spans = [(0, 1), (2, 4), (5, 9)]
    answers = [Span(0, "a"), Span(5, "b c"), Span(-1, "x"), Span(-1, "x"), Span(5, "b c")]
    assert find_target(spans, answers) == range(2, 3)
    assert find_target(spans, answers[:2]) == range(1)
    assert find_target(spans, answers[2:4]) == range(0)


@pytest.mark.parametrize("size", SIZES + BOTH_STACKS)
def test_transformers_computes_the_same(size, tmp_path):
    """Authority: transformers' logits and loss on the saved directory; a batch is its singles."""
    task, records = make(size, n_filler=1)
    module = task.build(3).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    again = open_model(tmp_path / "m")
    assert (again.task, again.longest_source) == ("question_answering", 40)
    peer = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "m").eval()
    examples = validation_data_of(task, records).examples
    lengths = examples.lengths[:, 0]
    some = [examples[int(i)] for i in (lengths.argmax(), lengths.argmin(), 5, 30)]
    batch = task.collate(some, 0)
    keep = torch.ones_like(batch.rows.ids) if batch.rows.keep is None else batch.rows.keep
    inputs = {"input_ids": batch.rows.ids, "attention_mask": keep.long()}
    if batch.rows.segments is not None:
        inputs["token_type_ids"] = batch.rows.segments
    loss = 0.0
    with torch.no_grad():
        whole = peer(**inputs)
        logits = module.heads[HEAD](compute_states(module, batch.rows))
        for row, n in enumerate(keep.sum(1).tolist()):  # their loss is over padding too
            start, end = batch.targets[row, :1], batch.targets[row, 1:]
            alone = {name: tensor[row : row + 1, :n] for name, tensor in inputs.items()}
            loss += float(peer(**alone, start_positions=start, end_positions=end).loss)
        term = task.loss(module, batch)["question_answering"]
        singles = sum(
            float(task.loss(module, task.collate([row], 0))["question_answering"].sum)
            for row in some
        )
    reference = torch.stack([whole.start_logits, whole.end_logits], -1)
    real = keep.bool()
    torch.testing.assert_close(logits[real], reference[real], atol=1e-4, rtol=0)
    assert float(term.sum) == pytest.approx(loss, abs=1e-4)
    assert float(term.sum) == pytest.approx(singles, abs=1e-4)
    assert task.counts(batch) == {"question_answering": 4}
    assert task.tokens(batch) == int(keep.sum())


@pytest.mark.parametrize("unanswerable", [False, True])
def test_scores_are_those_of_the_verb(unanswerable, tmp_path):
    """Authority: `answer`, whose answers are tested against transformers, and the scorers."""
    task, records = make(n_filler=2, unanswerable=unanswerable)
    module = task.build(4).eval()
    with torch.no_grad():  # else all scores are nearly the same
        module.heads[HEAD].output.weight.mul_(30)
    bundle = task.export(module)["final"]
    pairs = [record.values[:2] for record in records]
    threshold = inf
    if unanswerable:  # half of the questions get an answer
        ranked = answer(bundle, pairs, 2, 64, -1e9)
        threshold = float(np.median([log(a.probability / b.probability) for a, b in ranked]))
    predicted = [best.text for (best,) in answer(bundle, pairs, 1, 64, threshold)]
    assert predicted.count("") == (20 if unanswerable else 0)
    config = task.inputs.config
    if unanswerable:
        objective = replace(config.objective, null_threshold=threshold)
        task = QuestionAnsweringTask(
            replace(task.inputs, config=replace(config, objective=objective))
        )
    scores = task.validate(module, validation_data_of(task, records), torch.device("cpu"))
    assert set(scores) == set(config.objective.metrics)
    scorer = score_squad2 if unanswerable else score_squad
    assert ("" in predicted) == unanswerable
    each = [
        scorer(text, [span.text for span in record.values[2]])
        for text, record in zip(predicted, records, strict=True)
    ]
    assert scores["exact_match"] == pytest.approx(np.mean([s.exact_match for s in each]))
    assert scores["f1"] == pytest.approx(np.mean([s.f1 for s in each]))
    intervals = scores.intervals()  # authority: scipy
    right = sum(round(s.exact_match) for s in each)
    expected = binomtest(right, len(each)).proportion_ci(method="wilson")
    assert intervals["exact_match"][:2] == pytest.approx(tuple(expected))
    assert intervals["f1"].low < scores["f1"] < intervals["f1"].high
    if not unanswerable:  # `evaluate` has the default threshold
        lines = (f"{q}\t{c}\t{spans[0].text}\n" for q, c, spans, _ in (r.values for r in records))
        (tmp_path / "a.tsv").write_text("".join(lines))
        data = DataConfig(valid=(str(tmp_path / "a.tsv"),), max_length=bundle.longest_source)
        again = evaluate(bundle, data, torch.device("cpu")).metrics
        assert again == pytest.approx(scores)


@pytest.mark.parametrize(
    ("size", "unanswerable"), [("bert-tiny", False), ("bert-tiny", True), ("bart-tiny", True)]
)
def test_learns_by_heart(size, unanswerable, tmp_path):
    """Authority: 32 questions, whose numbers differ."""
    task, records = make(size, unanswerable=unanswerable)
    scores = by_heart(task, records[:32], tmp_path)
    assert scores["exact_match"] == 1.0
    assert scores["loss"] < 0.05


def test_resume_is_bit_exact(tmp_path):  # authority: the run that was not stopped
    task, records = make(n_filler=1)
    whole, resumed = resumed_and_whole(task, records, tmp_path)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_span_head_is_kept():  # authority: the weights of the start
    task, _ = make()
    bundle = task.export(task.build(5))["final"]
    start = replace(task.inputs, start=bundle, heads=bundle.model.head_configs)
    again = QuestionAnsweringTask(start).build(6)
    for name, parameter in bundle.model.named_parameters():
        assert torch.equal(again.get_parameter(name), parameter), name


def test_what_cannot_be_trained_is_refused():
    task, _ = make()
    for family in ("transformer", "marian"):
        other = replace(task.inputs.config, family=family)
        with pytest.raises(ConfigError, match=f"family {family} has no head 'span'"):
            QuestionAnsweringTask(replace(task.inputs, config=other)).check()
    short, _ = make(max_length=4)
    with pytest.raises(ConfigError, match="max_length=4 leaves no room for text"):
        short.check()


def test_a_record_in_other_files_is_another(tmp_path):  # authority: by hand
    task, records = make()
    both = [*records, *(Record("other", r.line, ("Who?", "Nobody. ", (), None)) for r in records)]
    module = task.build(4).eval()
    scores = task.validate(module, validation_data_of(task, both), torch.device("cpu"))
    max_difference = [
        task.validate(module, validation_data_of(task, part), torch.device("cpu"))
        for part in (records, both[len(records) :])
    ]
    assert scores["loss"] == pytest.approx(np.mean([a["loss"] for a in max_difference]))
