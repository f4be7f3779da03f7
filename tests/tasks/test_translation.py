"""Translation as a task, and text to text."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pellucid import garden
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.model import ModelConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.formats.bundle import Bundle
from pellucid.inference.translate import translate
from pellucid.nn.model import build
from pellucid.tasks.encoder_decoder import compute_logits
from pellucid.tasks.protocol import TaskInputs
from pellucid.tasks.translation import TranslationTask
from pellucid.text.train import train_tokenizers
from tasks.small import records_of, validation_data_of

NAME = "translation"
PAIRS = list(garden.pairs(60, "en", "de"))
RECORDS = records_of(PAIRS)
MODEL = ModelConfig(
    d_model=16, d_ff=32, n_heads=2, n_encoder_layers=1, n_decoder_layers=2, dropout=0.0
)


@pytest.fixture(scope="module", params=[True, False], ids=["joint", "separate"])
def task(request):
    tokenizer = TokenizerConfig(vocab_size=350, joint=request.param)
    tied = "all" if request.param else "decoder"
    config = RunConfig(
        model=replace(MODEL, tie_embeddings=tied),
        family="transformer",
        objective=TranslationConfig(label_smoothing=0.1),
        data=DataConfig(max_length=200, source_language="en", target_language="de"),
    )
    tokenizers = train_tokenizers(lambda: PAIRS, tokenizer)
    return TranslationTask(TaskInputs(config=config, tokenizers=tokenizers, longest=(40, 40)))


@pytest.fixture(scope="module")
def validation(task):
    return validation_data_of(task, RECORDS)


def test_pairs_become_ids(task):  # authority: the tokenizers; special tokens by hand
    odd = records_of([("a", ""), ("long " * 300, "x"), *PAIRS[:5]])
    encoded = list(task.encode(odd))
    assert [each.reason for each in encoded[:2]] == ["blank", "too long"]
    for (source, target), each in zip(PAIRS[:5], encoded[2:], strict=True):
        ids = (
            task.inputs.tokenizers.source.encode(source).ids,
            task.inputs.tokenizers.target.encode(target).ids,
        )
        assert tuple(column.tolist() for column in each.columns) == ids
        # One more than the pieces on either side: the end or start token.
        assert each.lengths == (len(ids[0]) + 1, len(ids[1]) + 1)


def test_collate_shifts_by_one_and_names_real_places(task, validation):  # authority: the definition
    examples = [validation.examples[i] for i in (0, 7, 3)]
    batch = task.collate(examples, seed=0)
    bos, eos, pad = (task.inputs.tokenizers.target.id(role) for role in ("bos", "eos", "pad"))
    flat, labels = batch.target.flatten(), iter(batch.labels.tolist())
    for row, (source, target) in enumerate(examples):
        assert batch.source[row, : len(source) + 1].tolist() == [*source, eos]
        assert batch.target[row, : len(target) + 1].tolist() == [bos, *target]
        assert (batch.target[row, len(target) + 1 :] == pad).all()
        assert [next(labels) for _ in range(len(target) + 1)] == [*target, eos]
        if batch.keep is not None:
            assert batch.keep[row].sum() == len(source) + 1
    assert len(batch.real) == len(batch.labels) == task.counts(batch)[NAME]
    assert (flat[batch.real] != pad).all()


def test_loss_is_the_smoothed_mean_over_real_tokens(
    task, validation
):  # authority: torch, on padded logits
    torch.manual_seed(0)
    module = task.build(3).eval()
    batch = task.collate([validation.examples[i] for i in range(9)], seed=0)
    actual = task.loss(module, batch)[NAME].sum / task.counts(batch)[NAME]
    logits = module.heads["lm"](module(batch.source, batch.keep, batch.target))  # (B, T, V)
    labels = torch.full(batch.target.shape, -100).flatten()
    labels[batch.real] = batch.labels
    reference = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels, label_smoothing=0.1, ignore_index=-100
    )
    torch.testing.assert_close(actual, reference, atol=1e-6, rtol=0)


def test_r_drop(task, validation):  # authority: its equation on two passes with the same dropout
    model = replace(task.inputs.config.model, dropout=0.3)
    objective = TranslationConfig(label_smoothing=0.1, r_drop=5.0)
    config = replace(task.inputs.config, model=model, objective=objective)
    task = TranslationTask(replace(task.inputs, config=config))
    module, batch = task.build(3), task.collate([validation.examples[i] for i in range(9)], 0)
    torch.manual_seed(5)
    terms = task.loss(module, batch)
    torch.manual_seed(5)
    p, q = (compute_logits(module, batch).detach().double().log_softmax(-1) for _ in range(2))
    divergence = ((p.exp() - q.exp()) * (p - q)).sum() / 2
    smoothed = -0.9 * (p + q).gather(1, batch.labels[:, None]).sum() - 0.1 * (p + q).mean(-1).sum()
    assert float(terms["r_drop"].sum) == pytest.approx(float(divergence), rel=1e-4)
    assert float(terms[NAME].sum) == pytest.approx(float(smoothed) / 2, rel=1e-5)
    assert terms["r_drop"].weight == 2.5
    assert set(terms) == set(task.counts(batch))


def test_padding_in_a_batch_changes_no_loss(task, validation):  # authority: singles
    module = task.build(3).eval()
    examples = [validation.examples[i] for i in range(6)]
    whole = task.loss(module, task.collate(examples, 0))[NAME].sum
    singles = sum(task.loss(module, task.collate([e], 0))[NAME].sum for e in examples)
    torch.testing.assert_close(whole, singles, atol=1e-3, rtol=0)


def directory_of(task):
    config = task.inputs.model_config
    return Bundle(
        model=build(config, seed=5).eval(),
        model_config=config,
        tokenizers=task.inputs.tokenizers,
        task=NAME,
        roles=Roles(),
        decoding=DecodingConfig(beam=3, max_length=12),
        languages=("en", "de"),
        longest_source=20,
        card="",
    )


def test_texts_come_back_in_order_and_empty_ones_empty(
    task, validation
):  # authority: one at a time
    directory = directory_of(task)
    texts = ["", *(source for source, _ in PAIRS[:7]), "  ", PAIRS[8][0]]
    together = translate(directory, texts)
    assert [best.text for best, *_ in together] == [
        translate(directory, [text])[0][0].text for text in texts
    ]
    assert together[0][0].text == together[8][0].text == ""


def test_long_sources_are_split_at_sentences(task, validation):  # authority: the parts, one by one
    directory = directory_of(task)
    fitting = [s for s, _ in PAIRS if 12 < len(task.inputs.tokenizers.source.encode(s).ids) <= 20]
    first, second = fitting[:2]
    (whole,) = translate(directory, [f"{first} {second}"])
    parts = translate(directory, [first, second])
    assert whole[0].parts == 2
    assert whole[0].text == " ".join(best.text for best, *_ in parts)


def test_learned_positions_are_never_run_past(task, validation):  # authority: the table's size
    directory = directory_of(task)
    config = replace(directory.model_config, positions="learned", max_length=50)
    directory = replace(
        directory,
        model=build(config, seed=5).eval(),
        model_config=config,
        longest_source=1000,
        decoding=DecodingConfig(beam=2),
    )
    text = " ".join(source for source, _ in PAIRS[:12])
    (result,) = translate(directory, [text])
    assert result[0].parts > 1


def test_n_best_are_ranked_and_differ(task, validation):  # authority: the definition
    directory = directory_of(task)
    result = translate(directory, [PAIRS[2][0]], DecodingConfig(beam=4, n_best=3, max_length=8))
    assert len(result[0]) == 3
    scores = [h.score for h in result[0]]
    assert scores == sorted(scores, reverse=True)
    assert len({h.ids for h in result[0]}) == 3


def test_export_is_one_translator(task, validation):
    module = task.build(1)
    assert list(task.export(module)) == ["final"]
    assert task.export(module)["final"].model is module
    assert np.isfinite(task.validate(module.eval(), validation, torch.device("cpu"))["loss"])
