"""The loop: exact resume, accumulation, one update by hand, many processes as one."""

import math
from dataclasses import replace

import pytest
import torch

from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError
from pellucid.tasks.protocol import Term, total
from pellucid.training.run_directory import RunDirectory
from pellucid.training.stream import derived_seed
from pellucid.training.trainer import Trainer
from tasks.two_models import Corruption, Examples
from training.conftest import figures

SETTINGS = TrainingConfig(
    max_updates=12,
    max_tokens=64,
    schedule="constant",
    rate=0.01,
    warmup=2,
    log_every=3,
    validate_every=4,
    checkpoint_every=5,
    keep=10,
    ema=0.9,
    precision="fp32",
)


def trained(path, settings=SETTINGS, task=None, updates=None):
    """A trainer at the end of its run, in a directory of its own."""
    path.mkdir(exist_ok=True)
    config = RunConfig(training=settings)
    trainer = Trainer(task or Corruption(), Examples(60), config, RunDirectory(path))
    if updates is not None:  # as if killed after so many updates
        trainer.config = replace(settings, max_updates=updates)
    trainer.fit()
    return trainer


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_resume_is_bit_exact(tmp_path, accumulate, workers):  # authority: the uninterrupted run
    settings = replace(SETTINGS, accumulate=accumulate, workers=workers)
    whole = trained(tmp_path / "whole", settings)
    run = tmp_path / "cut"
    for updates in (5, 10, 12):
        trained(run, settings, updates=updates)
    resumed = trained(run, settings)
    for name, parameter in whole.module.named_parameters():
        assert torch.equal(parameter, resumed.module.get_parameter(name)), name
        assert torch.equal(whole.state.average.shadow[name], resumed.state.average.shadow[name])


def test_metrics_after_the_checkpoint_are_rewound(tmp_path):  # authority: the uninterrupted run
    trained(tmp_path / "whole")
    cut = tmp_path / "cut"
    trained(cut, updates=11)
    newest = max((cut / "checkpoints").glob("step-*"))
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()  # the run died before this checkpoint, having logged past the one before
    trained(cut)
    assert figures(cut) == figures(tmp_path / "whole")


def test_accumulation_equals_one_large_batch(tmp_path):  # authority: the sum of both gradients
    task, examples = Corruption(), Examples(60)
    settings = replace(SETTINGS, accumulate=2, max_updates=1, ema=0.0, optimizer="adam")
    trainer = Trainer(task, examples, RunConfig(training=settings), RunDirectory(tmp_path))
    module = task.build(trainer.config.seed)
    seen = []
    update = trainer._update

    def spy(micro_batches, rate):
        seen.extend(micro_batches)
        return update(micro_batches, rate)

    trainer._update = spy
    trainer.fit()
    counts = {name: sum(task.counts(m.batch)[name] for m in seen) for name in ("restore", "tell")}
    parts = []
    for micro in seen:
        torch.manual_seed(derived_seed(trainer.config.seed, micro.number))
        parts.append(total(task.loss(module, micro.batch), counts))
    sum(parts).backward()
    for name, parameter in module.named_parameters():
        # Adam's first step moves each weight by rate * sign(gradient), up to eps
        expected = parameter - 0.005 * parameter.grad / (parameter.grad.abs() + 1e-9)
        torch.testing.assert_close(trainer.module.get_parameter(name), expected, atol=1e-6, rtol=0)


def test_terms_are_divided_by_their_own_counts():  # authority: arithmetic
    terms = {"a": Term(torch.tensor(6.0)), "b": Term(torch.tensor(8.0), weight=0.5)}
    assert total(terms, {"a": 3, "b": 2}).item() == 6 / 3 + 0.5 * 8 / 2


class Diverging(Corruption):
    calls = 0

    def loss(self, module, batch):
        Diverging.calls += 1
        terms = super().loss(module, batch)
        if Diverging.calls == 7:
            return {name: Term(term.sum * math.nan) for name, term in terms.items()}
        return terms


def test_a_gradient_that_is_not_finite_stops_and_names_lines(tmp_path):  # authority: spec A8
    with pytest.raises(ConfigError, match=r"update 7 is not finite.*lines \d+"):
        trained(tmp_path, task=Diverging())
    trainer = Trainer(
        Diverging(), Examples(60), RunConfig(training=SETTINGS), RunDirectory(tmp_path)
    )
    assert trainer.journey.step == 6
    for slots in trainer.state.optimizer.state.values():
        assert all(torch.isfinite(value).all() for value in slots.values())
    assert all(torch.isfinite(p).all() for p in trainer.module.parameters())


def test_compiling_is_refused_where_it_does_not_pay(tmp_path):
    with pytest.raises(ConfigError, match="compile is for GPUs"):
        trained(tmp_path, replace(SETTINGS, compile=True))


def test_patience_stops_early(tmp_path):  # authority: the definition
    class Worsening(Corruption):
        calls = 0

        def validate(self, module, device):
            Worsening.calls += 1
            return {"loss": abs(Worsening.calls - 3.0)}

    settings = replace(SETTINGS, max_updates=100, validate_every=2, patience=4)
    trainer = trained(tmp_path, settings, Worsening())
    assert trainer.journey.best_step == 6  # the third validation
    assert trainer.journey.step == 6 + 4 * 2
    assert (tmp_path / "checkpoints" / "step-00000006").is_dir()
