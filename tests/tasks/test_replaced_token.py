"""Replaced token detection as a task."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import chisquare
from sklearn.metrics import accuracy_score, precision_score, recall_score
from transformers import ElectraForMaskedLM, ElectraForPreTraining

from pellucid import garden
from pellucid.config.tasks.replaced_token import ReplacedTokenConfig
from pellucid.data.batching import evaluation_batches
from pellucid.errors import ConfigError, UsageError
from pellucid.families.electra import ELECTRA
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.tasks.evaluation import evaluate
from pellucid.tasks.generator import generator_config, sample_replacements
from pellucid.tasks.protocol import combine_terms
from pellucid.tasks.replaced_token import ReplacedTokenTask, predict
from tasks.small import encoder_inputs, records_of, validation_data_of

RECORDS = records_of([(" ".join(pair),) for pair in garden.pairs(60, "en", "de")])
SHARED = ("weight", "positions.weight", "segments", "norm.weight", "norm.bias")


@pytest.fixture(scope="module")
def task():
    inputs = encoder_inputs("replaced_token", RECORDS, "electra-mini", generator_size=0.5)
    model = replace(inputs.config.model, d_embedding=24)
    return ReplacedTokenTask(replace(inputs, config=replace(inputs.config, model=model)))


@pytest.fixture(scope="module")
def module(task):
    module = task.build(3).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return module


@pytest.fixture(scope="module")
def batch(task):
    examples = validation_data_of(task, RECORDS).examples
    return task.collate([examples[i] for i in range(12)], seed=1)


@pytest.mark.parametrize(
    ("size", "fraction", "width", "heads", "d_ff"),
    [("small", 1 / 4, 64, 1, 256), ("base", 1 / 3, 256, 4, 1024), ("large", 1 / 4, 256, 4, 1024)],
)
def test_generators_are_those_of_the_paper(size, fraction, width, heads, d_ff):  # table 6
    c = ELECTRA.presets[size]
    result = generator_config(c, fraction)
    assert (result.d_model, result.n_heads, result.d_ff) == (width, heads, d_ff)
    assert result.embedding_width == c.embedding_width  # 128, 768, 1024
    assert result.n_encoder_layers == c.n_encoder_layers
    objective = ReplacedTokenConfig()
    assert (objective.chosen, objective.masked, objective.discriminator_weight) == (0.15, 1.0, 50.0)


def test_a_generator_as_wide_as_the_embedding_has_no_projection():
    c = replace(ELECTRA.presets["small"], d_model=512, n_heads=8)
    assert generator_config(c, 1 / 4).d_embedding == 0
    with pytest.raises(ConfigError, match="generator_size=0"):
        ReplacedTokenConfig(generator_size=0.0)


def test_samples_have_the_probabilities():  # authority: chi-squared test, scipy
    logits = torch.tensor([0.0, 1.0, 2.0, -3.0, 0.5])
    n = 20_000
    draws = torch.rand(n, generator=torch.Generator().manual_seed(0))
    samples = sample_replacements(logits.expand(n, 5), draws)
    expected = logits.softmax(-1).double()
    expected = (expected / expected.sum() * n).numpy()
    assert chisquare(torch.bincount(samples, minlength=5).numpy(), expected).pvalue > 0.01
    assert sample_replacements(logits[None], torch.tensor([1.0])).tolist() == [4]


def test_all_chosen_tokens_are_masked(task, batch):  # authority: section 3.1
    masked = batch.masked
    mask = task.inputs.tokenizers.source.id("mask")
    assert (masked.ids.flatten()[masked.chosen] == mask).all()
    assert (masked.ids == mask).sum() == len(masked.chosen)
    examples = validation_data_of(task, RECORDS).examples
    n = sum(max(1, round(0.15 * len(examples[i][0]))) for i in range(12))
    assert len(masked.chosen) == n


def test_embeddings_are_shared_and_nothing_else(task, module):  # authority: identity of tensors
    for name in SHARED:
        one, other = (
            model.get_parameter(f"encoder.embedding.{name}")
            for model in (module.discriminator, module.generator)
        )
        assert one is other
    output = module.generator.heads["mlm"].output.weight
    assert output is module.discriminator.encoder.embedding.weight
    generators = {id(p) for p in module.generator.parameters()}
    shared = [n for n, p in module.discriminator.named_parameters() if id(p) in generators]
    assert sorted(shared) == sorted(f"encoder.embedding.{name}" for name in SHARED)
    assert module.generator.encoder.embedding.widen.weight.shape == (16, 24)


def own_gradients(module, part):
    """Whether the parameters of a part that are its own have a gradient other than zero."""
    other = module.generator if part is module.discriminator else module.discriminator
    shared = {id(p) for p in other.parameters()}
    own = [p for p in part.parameters() if id(p) not in shared]
    return [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in own]


def test_gradients_do_not_cross(task, module, batch):  # authority: section 3.2
    terms = task.loss(module, batch)
    terms["discriminator"].sum.backward(retain_graph=True)
    assert not any(own_gradients(module, module.generator))
    assert sum(own_gradients(module, module.discriminator)) > 20
    assert module.generator.encoder.embedding.weight.grad.abs().sum() > 0  # it is shared
    module.zero_grad(set_to_none=True)
    terms["generator"].sum.backward()
    assert not any(own_gradients(module, module.discriminator))
    assert sum(own_gradients(module, module.generator)) > 20
    module.zero_grad(set_to_none=True)


@torch.no_grad()
def test_loss_and_logits_are_those_of_transformers(task, module, batch, tmp_path):
    bundles = task.export(module)
    for name, bundle in bundles.items():
        save_bundle(tmp_path / name, replace(bundle, card="card"))
    generator = ElectraForMaskedLM.from_pretrained(tmp_path / "generator").eval()
    discriminator = ElectraForPreTraining.from_pretrained(tmp_path / "final").eval()
    masked = batch.masked
    keep = torch.ones_like(masked.ids) if masked.keep is None else masked.keep.long()
    labels = torch.full_like(masked.ids, -100).flatten()
    labels[masked.chosen] = masked.labels
    first = generator(input_ids=masked.ids, attention_mask=keep, labels=labels.view_as(masked.ids))
    actual = predict(module, batch)
    logits = first.logits.flatten(0, 1)[masked.chosen]
    torch.testing.assert_close(actual.generator, logits, atol=1e-4, rtol=0)

    samples = torch.stack([  # the smallest id whose cumulative probability exceeds the draw
        (row.softmax(-1).cumsum(-1) > draw).int().argmax()
        for row, draw in zip(logits, batch.draws, strict=True)
    ])  # fmt: skip
    original, filled = masked.ids.flatten().clone(), masked.ids.flatten().clone()
    original[masked.chosen], filled[masked.chosen] = masked.labels, samples
    is_replaced = (original != filled).long().view_as(masked.ids)
    assert is_replaced.sum() > 0
    second = discriminator(
        input_ids=filled.view_as(masked.ids), attention_mask=keep, labels=is_replaced
    )
    real = keep.bool()
    assert torch.equal(actual.replaced.long(), is_replaced[real])
    torch.testing.assert_close(actual.discriminator, second.logits[real], atol=1e-4, rtol=0)
    total = combine_terms(task.loss(module, batch), task.counts(batch))
    torch.testing.assert_close(total, first.loss + 50 * second.loss, atol=1e-3, rtol=0)


def test_a_sample_that_is_the_original_is_not_replaced(task, module, batch):  # section 3.1
    output = module.generator.heads["mlm"].output
    saved = output.bias.detach().clone()
    with torch.no_grad():
        output.bias[batch.masked.labels[0]] = 1e4  # the generator always writes this token
        outputs = predict(module, batch)
        output.bias.copy_(saved)
    n_same = int((batch.masked.labels == batch.masked.labels[0]).sum())
    assert outputs.replaced.sum() == len(batch.masked.labels) - n_same


def test_validation_scores_are_those_of_sklearn(task, module):
    validation = validation_data_of(task, RECORDS)
    result = task.validate(module, validation, torch.device("cpu"))
    assert set(result) == set(task.inputs.config.objective.metrics)
    assert result == task.validate(module, validation, torch.device("cpu"))
    gold, predicted = [], []
    for seed, indices in enumerate(evaluation_batches(validation.examples.lengths)):
        outputs = predict(module, task.collate([validation.examples[i] for i in indices], seed))
        gold += outputs.replaced.tolist()
        predicted += (outputs.discriminator > 0).float().tolist()
    assert result["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    assert result["precision"] == pytest.approx(precision_score(gold, predicted))
    assert result["recall"] == pytest.approx(recall_score(gold, predicted))
    total = result["generator_loss"] + 50 * result["discriminator_loss"]
    assert result["loss"] == pytest.approx(total)


def test_both_models_open(task, module, tmp_path):
    for name, bundle in task.export(module).items():
        save_bundle(tmp_path / name, replace(bundle, card="card"))
    final, generator = (open_model(tmp_path / name) for name in ("final", "generator"))
    assert (final.task, generator.task) == ("replaced_token", "masked_lm")
    (tmp_path / "t.txt").write_text("the dog sleeps .\n")
    data = replace(task.inputs.config.data, valid=(str(tmp_path / "t.txt"),))
    assert evaluate(generator, data, torch.device("cpu")).metrics["loss"] > 0
    with pytest.raises(UsageError, match="generator is another model"):
        evaluate(final, data, torch.device("cpu"))


def test_a_start_is_the_discriminator(task, module):  # authority: its own weights
    bundle = task.export(module)["final"]
    inputs = replace(task.inputs, start=bundle, heads=bundle.model.head_configs)
    other = ReplacedTokenTask(inputs).build(9)
    for name, parameter in module.discriminator.named_parameters():
        assert torch.equal(parameter, other.discriminator.get_parameter(name)), name


def test_other_families_are_refused(task):
    inputs = encoder_inputs("replaced_token", RECORDS, "bert-tiny")
    with pytest.raises(ConfigError, match="family bert has no head 'replaced'"):
        ReplacedTokenTask(inputs).check()
