"""Language modeling with a memory carried from segment to segment."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from parity.test_transformer_xl import Paper
from pellucid.data.batching import stream_batches
from pellucid.errors import ConfigError
from pellucid.formats.save_bundle import save_bundle
from pellucid.taps import record
from pellucid.tasks.segment_modeling import (
    CarriedMemory,
    SegmentModelingTask,
    build_language_modeling,
)
from tasks.small import validation_data_of
from tasks.test_language_modeling import CODED, CPU, RECORDS, inputs_of, stream_of, vary


def task_of(records=RECORDS, **more):
    return SegmentModelingTask(inputs_of("transfo-xl-micro", records, **more))


def test_the_model_decides_which_task():
    assert build_language_modeling(inputs_of("transfo-xl-micro")).order == "stream"
    assert build_language_modeling(inputs_of("gpt2-micro")).order == "length"
    with pytest.raises(ConfigError, match="stride=4, but a Transformer-XL"):
        task_of(stride=4).check()


def test_blocks_continue_each_other_also_with_codes():  # authority: slicing
    task = task_of(CODED)
    stream = stream_of(task.inputs.tokenizers.source, CODED)
    blocks = [each.columns[0].tolist() for each in task.encode(CODED)]
    assert blocks == [stream[i : i + 17] for i in range(0, len(stream) - 1, 16)]


@pytest.mark.parametrize("records", [RECORDS[:6], CODED[:6]])
def test_validation_is_reading_token_by_token(records):
    """Authority: the cache of generation, which holds the last `mem_len` keys at each token."""
    task = task_of(records)
    module = vary(task.build(3)).eval()
    scores = task.validate(module, validation_data_of(task, records), CPU)
    ids = torch.tensor(stream_of(task.inputs.tokenizers.source, records))
    with torch.no_grad():
        total, cache = 0.0, module.model.prefill(None, None, 1)
        for before, after in pairwise(ids):
            total -= float(module.model.step(before[None, None], cache).logits[0, 0, after])
    assert scores["loss"] == pytest.approx(total / (len(ids) - 1), abs=1e-5)
    again = task.validate(module.model, validation_data_of(task, records), CPU)
    assert again == scores  # a finished model has no memory around it


@pytest.mark.parametrize("same_length", [True, False])
def test_validation_is_the_recurrence_of_the_paper(same_length, tmp_path):
    """Authority: the equations by loops in NumPy, on the saved files, segment after segment."""
    records = RECORDS[:1]
    inputs = inputs_of("transfo-xl-micro", records)
    model = replace(inputs.config.model, mem_len=24, same_length=same_length)
    task = SegmentModelingTask(replace(inputs, config=replace(inputs.config, model=model)))
    module = vary(task.build(3)).eval()
    scores = task.validate(module, validation_data_of(task, records), CPU)
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    paper, memory, total = Paper(tmp_path / "m"), [np.zeros((24, 32))] * 2, 0.0
    ids = stream_of(task.inputs.tokenizers.source, records)
    for begin in range(0, len(ids) - 1, 16):
        segment = ids[begin : begin + 17]
        log_probs, memory = paper.segment(segment[:-1], memory)
        total -= sum(row[i] for row, i in zip(log_probs, segment[1:], strict=True))
    assert len(ids) > 33  # there are three segments or more
    assert scores["loss"] == pytest.approx(total / (len(ids) - 1), abs=1e-5)


def batches_of(task):
    examples = validation_data_of(task, RECORDS).examples
    for indices in stream_batches(examples.lengths, task.inputs.config.training.max_tokens):
        yield task.collate([task.example(examples, int(i), seed=0) for i in indices], seed=0)


def test_each_row_of_a_batch_continues_its_stream():  # authority: torch and the model, row by row
    task = task_of()
    module = vary(task.build(3))
    batches = list(batches_of(task))
    assert [batch.starts for batch in batches] == [True] + [False] * (len(batches) - 1)
    module.memory.normal_()  # what an earlier epoch left
    sums = [task.loss(module, batch)["language_modeling"].sum.item() for batch in batches]
    for row in range(4):
        memory = None
        for n, batch in enumerate(batches):
            ids = batch.tokens.ids[row : row + 1]
            labels = batch.tokens.labels.view(4, -1)[row]
            state, memory = module.model.segment(ids, memory)
            log_probs = module.model.heads["lm"](state)[0]
            sums[n] -= F.nll_loss(log_probs, labels, reduction="sum").item()
        torch.testing.assert_close(module.memory[:, row], memory[:, 0], atol=1e-5, rtol=0)
    assert np.allclose(sums, 0, atol=1e-3)


@pytest.mark.parametrize("changed", [0, 7, 15, 16, 25, 31])  # of two segments of 16
def test_no_token_is_predicted_from_later_ones(changed):  # D4: exactly, values and gradients
    task = task_of()
    module = vary(task.build(3))
    first, second, *_ = batches_of(task)
    ids = torch.cat((first.tokens.ids, second.tokens.ids), 1)  # (R, 32)
    other = ids.clone()
    other[:, changed] = (other[:, changed] + 1) % task.inputs.tokenizers.source.vocab_size

    def read(ids):
        return torch.cat((module(ids[:, :16], True), module(ids[:, 16:], False)), 1)

    before, after = read(ids), read(other)
    assert torch.equal(before[:, :changed], after[:, :changed])
    assert (before[:, changed:] != after[:, changed:]).any(-1).all()  # through the memory too
    with record(module.model, "decoder.embedding.output") as seen:
        states = read(ids)
    tokens = seen["decoder.embedding.output"]
    grads = torch.autograd.grad(states[:, changed].sum(), tokens)
    here, position = divmod(changed, 16)
    assert (grads[1 - here] == 0).all()  # nor does it reach the memory
    assert (grads[here][:, position + 1 :] == 0).all()
    assert (grads[here][:, : position + 1] != 0).any(-1).all()


def test_no_gradient_flows_into_the_memory():  # authority: autograd
    task = task_of()
    module = vary(task.build(3))
    first, second, *_ = batches_of(task)
    task.loss(module, first)
    kept = module.memory.clone()
    assert not kept.requires_grad
    task.loss(module, second)["language_modeling"].sum.backward()
    assert not torch.equal(kept, module.memory)
    assert module.model.decoder.embedding.tables[0].grad is not None


def test_checkpoints_hold_the_memory_and_models_do_not():
    task = task_of()
    module = task.build(1)
    assert isinstance(module, CarriedMemory)
    assert "memory" in module.state_dict()
    assert module.memory.shape == (2, 4, 64, 32)  # layers, rows, mem_len, width
    assert task.export(module)["final"].model is module.model
