"""Masked language modeling as a task."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining

from pellucid import garden
from pellucid.config.data import DataConfig
from pellucid.config.tasks.masked_lm import MaskedLMConfig
from pellucid.data.batching import evaluation_batches
from pellucid.errors import ConfigError, UsageError
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.tasks.documents import SEGMENT_LENGTH, split_into_segments
from pellucid.tasks.initialization import copy_starting_weights
from pellucid.tasks.masked_lm import HEAD, MaskedLMTask
from pellucid.tasks.protocol import combine_terms
from tasks.small import encoder_inputs, records_of, validation_data_of

TEXTS = [(" ".join(pair),) for pair in garden.pairs(60, "en", "de")]
RECORDS = records_of([*TEXTS, ("",), (" ".join(text for (text,) in TEXTS),)])


@pytest.fixture(scope="module", params=["bert-tiny", "roberta-base", "distilbert-base"])
def task(request):
    return MaskedLMTask(encoder_inputs("masked_lm", RECORDS, request.param))


def test_documents_become_blocks(task):  # authority: the tokenizer, and slicing
    tokenizer = task.inputs.tokenizers.source
    encoded = list(task.encode(RECORDS))
    blocks = [e.columns[0].tolist() for e in encoded if not hasattr(e, "reason")]
    expected = []
    for record in RECORDS:
        ids = tokenizer.encode(record.values[0]).ids
        expected += [ids[i : i + 22] for i in range(0, len(ids), 22)]
    assert blocks == expected
    assert [e.reason for e in encoded if hasattr(e, "reason")] == ["blank"]
    assert all(e.lengths == (len(e.columns[0]) + 2,) for e in encoded if not hasattr(e, "reason"))
    assert max(e.lengths[0] for e in encoded if not hasattr(e, "reason")) == 24


def test_segments_are_the_document():
    text = "line one\n" * 3000 + "x" * 25_000 + "\nend"
    segments = split_into_segments(text)
    assert "".join(segments) == text
    assert max(map(len, segments)) <= SEGMENT_LENGTH + 25_001  # to the end of the line
    assert split_into_segments("") == []


def batch_of(task, seed=0, n=9):
    examples = validation_data_of(task, RECORDS).examples
    return task.collate([examples[i] for i in range(n)], seed), examples


def test_special_tokens_and_padding_are_never_chosen(task):  # authority: the template
    batch, examples = batch_of(task)
    tokenizer = task.inputs.tokenizers.source
    flat = batch.ids.flatten().clone()
    flat[batch.chosen] = batch.labels
    whole = flat.view_as(batch.ids)
    for row, kept in enumerate(batch.keep if batch.keep is not None else [None] * 9):
        ids = examples[row][0].tolist()
        assert whole[row, : len(ids) + 2].tolist() == tokenizer.add_special_tokens(ids).ids
        assert (whole[row, len(ids) + 2 :] == tokenizer.id("pad")).all()
        assert kept is None or kept.sum() == len(ids) + 2
    assert not set(batch.labels.tolist()) & set(tokenizer.roles.values())
    assert task.counts(batch) == {"masked_lm": len(batch.labels)}
    assert task.tokens(batch) == sum(len(examples[i][0]) + 2 for i in range(9))


def test_what_is_hidden_comes_from_the_seed(task):
    first, same, other = (batch_of(task, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first.ids, same.ids)
    assert not torch.equal(first.ids, other.ids)


def test_loss_is_the_mean_over_hidden_tokens(task):  # authority: torch, on all logits
    module = task.build(3).eval()
    batch, _ = batch_of(task)
    logits = module.heads[HEAD](module(batch.ids, batch.keep)).flatten(0, 1)  # (B * T, V)
    labels = torch.full((len(logits),), -100)
    labels[batch.chosen] = batch.labels
    expected = F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
    torch.testing.assert_close(
        task.loss(module, batch)["masked_lm"].sum, expected, atol=1e-4, rtol=0
    )


def test_validation_is_the_same_each_time(task):
    module, validation = task.build(3).eval(), validation_data_of(task, RECORDS)
    first, again = (task.validate(module, validation, torch.device("cpu")) for _ in range(2))
    assert first == again
    assert first["perplexity"] == pytest.approx(np.exp(first["loss"]))
    assert set(first) == set(task.inputs.config.objective.available_metrics)


def test_transformers_opens_what_is_saved(task, tmp_path):  # authority: transformers' logits
    module = task.build(3).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    peer = AutoModelForMaskedLM.from_pretrained(tmp_path / "m").eval()
    batch, _ = batch_of(task)
    keep = torch.ones_like(batch.ids) if batch.keep is None else batch.keep.long()
    with torch.no_grad():
        reference = peer(input_ids=batch.ids, attention_mask=keep).logits
        actual = module.heads[HEAD](module(batch.ids, batch.keep))
    torch.testing.assert_close(actual[keep.bool()], reference[keep.bool()], atol=1e-4, rtol=0)
    again = open_model(tmp_path / "m")
    assert (again.task, again.family) == ("masked_lm", task.inputs.config.family)
    text = TEXTS[0][0]
    assert again.tokenizers.source.add_special_tokens(
        again.tokenizers.source.encode(text).ids
    ).ids == (
        task.inputs.tokenizers.source.add_special_tokens(
            task.inputs.tokenizers.source.encode(text).ids
        ).ids
    )


def test_starting_weights_are_copied(task):  # authority: the other model's own weights
    bundle = task.export(task.build(5))["final"]
    inputs = replace(task.inputs, start=bundle, heads=bundle.model.head_configs)
    module = MaskedLMTask(inputs).build(6)
    for name, parameter in bundle.model.named_parameters():
        assert torch.equal(parameter, module.get_parameter(name)), name
    wider = replace(task.inputs.config.model, d_ff=128)
    other = replace(task.inputs, config=replace(task.inputs.config, model=wider))
    with pytest.raises(ConfigError, match=r"start_from: encoder\.layers\.0.*the same family"):
        copy_starting_weights(MaskedLMTask(other).build(1), replace(other, start=bundle))


def test_ids_that_the_model_lacks_are_never_sampled(task):  # authority: the number of rows
    n_rows = task.inputs.tokenizers.source.vocab_size - 40
    config = replace(task.inputs.config, model=replace(task.inputs.config.model, vocab_size=n_rows))
    fewer = MaskedLMTask(replace(task.inputs, config=config))
    assert fewer._masker.tokens.regular.max() < n_rows
    tiny = MaskedLMTask(replace(task.inputs, tokenizers=task.inputs.tokenizers.limit_vocab(4, 4)))
    with pytest.raises(UsageError, match="no 'mask' token"):
        tiny.check()


def test_no_room_for_text_is_refused():
    inputs = encoder_inputs("masked_lm", RECORDS, data=DataConfig(max_length=2))
    with pytest.raises(ConfigError, match="max_length=2 leaves no room"):
        next(MaskedLMTask(inputs).encode(RECORDS))


DOCUMENTS = records_of([("\n".join(english for (english,) in TEXTS[i : i + 6]),)
                        for i in range(0, 60, 6)])  # fmt: skip
PAIRS = [("next_sentence", "bert-tiny"), ("sentence_order", "albert-tiny")]


def paired_task(pairs, size, **settings):
    return MaskedLMTask(encoder_inputs("masked_lm", DOCUMENTS, size, pairs=pairs, **settings))


def drawn_batch(task, n=12):
    examples = validation_data_of(task, DOCUMENTS).examples
    return task.collate([task.example(examples, i, seed=i) for i in range(n)], seed=1)


@pytest.mark.parametrize(("pairs", "size"), PAIRS)
def test_pairs_and_words_by_transformers(pairs, size, tmp_path):  # authority: logits and loss there
    task = paired_task(pairs, size)
    task.check()
    module = task.build(3).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    peer = AutoModelForPreTraining.from_pretrained(tmp_path / "m").eval()
    assert (
        type(peer).__name__
        == {"bert-tiny": "Bert", "albert-tiny": "Albert"}[size] + "ForPreTraining"
    )
    batch = drawn_batch(task)
    assert set(batch.pair_labels.tolist()) == {0, 1}
    keep = torch.ones_like(batch.ids) if batch.keep is None else batch.keep.long()
    labels = torch.full((batch.ids.numel(),), -100)
    labels[batch.chosen] = batch.labels
    name = "next_sentence_label" if pairs == "next_sentence" else "sentence_order_label"
    with torch.no_grad():
        peer_output = peer(
            input_ids=batch.ids,
            attention_mask=keep,
            token_type_ids=batch.segments,
            labels=labels.view_as(batch.ids),
            **{name: batch.pair_labels},
        )
        hidden, pair_logits = task._read(module, batch)
        logits = module.heads["mlm"](hidden)
        loss = combine_terms(task.loss(module, batch), task.counts(batch))
    flat = peer_output.prediction_logits.flatten(0, 1)[batch.chosen]
    torch.testing.assert_close(logits, flat, atol=1e-4, rtol=0)
    peer_pairs = getattr(peer_output, "seq_relationship_logits", None)
    peer_pairs = peer_output.sop_logits if peer_pairs is None else peer_pairs
    torch.testing.assert_close(pair_logits, peer_pairs, atol=1e-4, rtol=0)
    torch.testing.assert_close(loss, peer_output.loss, atol=1e-4, rtol=0)


def test_pairs_have_segments_and_the_template_of_two_texts():  # authority: the tokenizer's template
    task = paired_task(*PAIRS[0])
    batch, tokenizer = drawn_batch(task), task.inputs.tokenizers.source
    ids = batch.ids.flatten().clone()
    ids[batch.chosen] = batch.labels
    examples = validation_data_of(task, DOCUMENTS).examples
    for row in range(12):
        pair = task.example(examples, row, seed=row)
        wrapped = tokenizer.add_special_tokens(pair.first, pair.second)
        n = len(wrapped.ids)
        assert ids.view_as(batch.ids)[row, :n].tolist() == wrapped.ids
        assert batch.segments[row, :n].tolist() == wrapped.segments
        assert n <= examples.lengths[row, 0] <= 24
    assert not set(batch.labels.tolist()) & set(tokenizer.roles.values())
    assert task.counts(batch) == {"masked_lm": len(batch.labels), "next_sentence": 12}


def test_pairs_are_sampled_again_in_each_epoch():
    task = paired_task(*PAIRS[0])
    examples = validation_data_of(task, DOCUMENTS).examples
    first, same, other = (
        [task.example(examples, i, seed).second.tolist() for i in range(len(examples))]
        for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other


@pytest.mark.parametrize(("pairs", "size"), PAIRS)
def test_validation_scores_pairs(pairs, size):  # authority: brute force over the examples
    task = paired_task(pairs, size)
    module, validation = task.build(3).eval(), validation_data_of(task, DOCUMENTS)
    scores = task.validate(module, validation, torch.device("cpu"))
    assert set(scores) == set(task.inputs.config.objective.available_metrics)
    right = 0
    for seed, indices in enumerate(evaluation_batches(validation.examples.lengths)):
        batch = task.collate([task.example(validation.examples, i, i) for i in indices], seed)
        for row, label in enumerate(batch.pair_labels.tolist()):
            one = batch._replace(
                **{n: t[row : row + 1] for n, t in batch._asdict().items() if t.dim() == 2}
            )
            logits = task._read(module, one._replace(chosen=torch.tensor([0])))[1]
            right += int(logits.argmax()) == label
    assert scores["pair_accuracy"] == pytest.approx(right / len(validation.examples))


def test_pairs_that_a_family_does_not_have_are_refused():
    with pytest.raises(ConfigError, match="family bert has no head 'sop'"):
        paired_task("sentence_order", "bert-tiny").check()
    config = replace(paired_task(*PAIRS[0]).inputs.config, objective=MaskedLMConfig())
    with pytest.raises(ConfigError, match=r"pair_accuracy.*not a metric"):
        replace(config, training=replace(config.training, best_by="pair_accuracy"))


def test_whole_words_are_hidden_together():  # authority: the pieces' marks
    task = MaskedLMTask(encoder_inputs("masked_lm", RECORDS, whole_words=True, chosen=0.4))
    tokenizer = task.inputs.tokenizers.source
    batch, _ = batch_of(task)
    ids = batch.ids.flatten().clone()
    ids[batch.chosen] = batch.labels
    is_inner = torch.tensor([p.startswith("##") for p in tokenizer.pieces(ids.tolist())])
    chosen = torch.zeros(len(ids), dtype=torch.bool)
    chosen[batch.chosen] = True
    is_first = ids == tokenizer.id("cls")  # a block may begin within a word
    inner = (is_inner[1:] & ~is_first[:-1]).nonzero().flatten() + 1
    assert len(inner) > 20
    assert torch.equal(chosen[inner], chosen[inner - 1])
