"""The loop: exact resume, accumulation, one update by hand, many processes as one."""

import itertools
import math
import signal
import sys
from dataclasses import dataclass, replace

import pytest
import torch

from pellucid.config.run import RunConfig
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError
from pellucid.manifest import verify
from pellucid.tasks.protocol import Term, combine_terms
from pellucid.training import checkpoints
from pellucid.training.run_directory import RunDirectory
from pellucid.training.signals import SignalRequests
from pellucid.training.stream import derive_seed
from pellucid.training.trainer import Trainer
from tasks.two_models import Corruption, data_of
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
    trainer = Trainer(task or Corruption(), data_of(60), config, RunDirectory(path))
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
        assert torch.equal(whole.state.ema.shadow[name], resumed.state.ema.shadow[name])
    assert whole.module.memory.any()
    assert torch.equal(whole.module.memory, resumed.module.memory)


def test_a_checkpoint_is_verified_once_when_it_is_loaded(tmp_path, monkeypatch):
    trained(tmp_path, updates=10)
    verified = []
    monkeypatch.setattr(checkpoints, "verify", lambda p: verified.append(p.name) or verify(p))
    assert trained(tmp_path, updates=10).progress.step == 10
    assert verified == ["step-00000010"]
    with (tmp_path / "checkpoints" / "step-00000010" / "weights.safetensors").open("r+b") as file:
        file.write(b"\xff")
    trainer = Trainer(
        Corruption(), data_of(60), RunConfig(training=SETTINGS), RunDirectory(tmp_path)
    )
    assert trainer.progress.step == 8  # the best one so far


LOOP = [f.__code__ for f in (Trainer.fit, Trainer._is_save_due, SignalRequests.take)]


def send_at_line(trainer, number, n, seen):
    """Return a trace function that sends a signal at line n of the loop after update 2."""

    def trace(frame, event, _):
        if frame.f_code not in LOOP:
            return None
        if event == "line" and trainer.progress.step == 2:
            if len(seen) == n:
                signal.raise_signal(number)
            seen.append(frame.f_lineno)
        return trace

    return trace


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_obeyed_wherever_it_arrives(tmp_path, number):
    """Authority: the requests themselves, at each line from one update to the next."""
    config = RunConfig(training=replace(SETTINGS, max_updates=5, validate_every=5))
    for n in itertools.count():
        run = RunDirectory(tmp_path / str(n))
        run.path.mkdir()
        trainer, before, seen = Trainer(Corruption(), data_of(60), config, run), sys.gettrace(), []
        sys.settrace(send_at_line(trainer, number, n, seen))
        try:
            outcome = trainer.fit()
        finally:
            sys.settrace(before)
        if n == len(seen):  # every line has been tried
            break
        steps = list(map(checkpoints.checkpoint_step, checkpoints.list_checkpoints(run.path)))
        if number == signal.SIGTERM:
            assert outcome.signal == number
            assert steps == [outcome.progress.step], (n, seen[n])
        else:
            assert steps in ([2, 5], [3, 5]), (n, seen[n])


def test_the_logged_loss_is_the_weighted_total(tmp_path):  # authority: arithmetic
    run = trained(tmp_path / "run").run
    lines = [record for record in run.metrics() if "loss" in record]
    assert len(lines) == 4
    for record in lines:
        assert record["loss"] == pytest.approx(record["restore"] + 0.5 * record["tell"])
        # Each of the 3 updates of a line reads 100 tokens for each of its points.
        read = record["tokens_per_second"] * record["seconds"]
        assert read == pytest.approx(round(read, -2), abs=1e-6)
        assert read > 500


@dataclass(frozen=True, kw_only=True)
class HigherIsBetter(TranslationConfig):
    """A task whose metric F1 is better if higher."""

    name = "higher_is_better"
    metrics = {"loss": "lower", "f1": "higher"}  # noqa: RUF012
    best_by = "f1"


class Improving(Corruption):
    """Loss and F1 both rise from validation to validation, then F1 falls."""

    def validate(self, module, validation, device):
        self.__dict__["calls"] = n = self.__dict__.get("calls", 0) + 1
        return {"loss": float(n), "f1": min(n, 3) - max(0, n - 3)}


@pytest.mark.parametrize(("by", "best"), [("", 6), ("f1", 6), ("loss", 2)])
def test_metrics_have_a_direction(tmp_path, by, best):  # authority: the numbers above
    settings = replace(SETTINGS, validate_every=2, best_by=by, ema=0.0)
    config = RunConfig(training=settings, objective=HigherIsBetter())
    trainer = Trainer(Improving(), data_of(60), config, RunDirectory(tmp_path))
    trainer.fit()
    assert trainer.progress.best_step == best
    with pytest.raises(ConfigError, match=r"best_by='bleu' is not a metric.*loss, f1"):
        RunConfig(training=replace(settings, best_by="bleu"), objective=HigherIsBetter())


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
    task, data = Corruption(), data_of(60)
    settings = replace(SETTINGS, accumulate=2, max_updates=1, ema=0.0, optimizer="adam")
    trainer = Trainer(task, data, RunConfig(training=settings), RunDirectory(tmp_path))
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
        torch.manual_seed(derive_seed(trainer.config.seed, micro.number))
        parts.append(combine_terms(task.loss(module, micro.batch), counts))
    sum(parts).backward()
    for name, parameter in module.named_parameters():
        # Adam's first step moves each weight by rate * sign(gradient), up to eps
        expected = parameter - 0.005 * parameter.grad / (parameter.grad.abs() + 1e-9)
        torch.testing.assert_close(trainer.module.get_parameter(name), expected, atol=1e-6, rtol=0)


def test_terms_are_divided_by_their_own_counts():  # authority: arithmetic
    terms = {"a": Term(torch.tensor(6.0)), "b": Term(torch.tensor(8.0), weight=0.5)}
    assert combine_terms(terms, {"a": 3, "b": 2}).item() == 6 / 3 + 0.5 * 8 / 2


class Faulty(Corruption):
    """A number that is none, at one update of one process."""

    def __init__(self, place, value, update):
        self.__dict__.update(place=place, value=value, left=update)  # a frozen dataclass

    def loss(self, module, batch):
        self.__dict__["left"] -= 1
        now = self.place if self.left == 0 else ""
        if now == "states":
            batch = batch._replace(x=batch.x * self.value)
        if now == "gradient":
            weight = next(module.parameters())
            hook = weight.register_hook(lambda grad: (hook.remove(), grad * self.value)[1])
        terms = super().loss(module, batch)
        if now == "loss":
            return {name: Term(term.sum * self.value) for name, term in terms.items()}
        return terms


def spoil_optimizer(trainer, value, update):
    """Its first moments become `value` before this update."""
    step = trainer.state.optimizer.step

    def spoilt():
        if trainer.progress.step + 1 == update:
            for slots in trainer.state.optimizer.state.values():
                slots["exp_avg"].fill_(value)
        step()

    trainer.state.optimizer.step = spoilt


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    path = tmp_path_factory.mktemp("untouched")
    return figures(trained(path).run.path)


@pytest.mark.parametrize("update", [2, 4, 6, 9, 12])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["states", "loss", "gradient", "optimizer"])
def test_what_is_not_finite_stops_and_spoils_nothing(tmp_path, untouched, place, value, update):
    # Authority: spec A8; what follows is the run that was never spoilt, to the last bit.
    trainer = Trainer(
        Faulty(place, value, update),
        data_of(60),
        RunConfig(training=SETTINGS),
        RunDirectory(tmp_path),
    )
    if place == "optimizer":
        spoil_optimizer(trainer, value, update)
    message = "left weights" if place == "optimizer" else r"is not finite.*made from points:\d+"
    with pytest.raises(ConfigError, match=rf"update {update} {message}"):
        trainer.fit()
    after = Trainer(Corruption(), data_of(60), RunConfig(training=SETTINGS), trainer.run)
    if place != "optimizer":
        assert after.progress.step == update - 1
    for slots in after.state.optimizer.state.values():
        assert all(torch.isfinite(slot).all() for slot in slots.values())
    assert all(torch.isfinite(p).all() for p in after.module.parameters())
    after.fit()
    assert figures(tmp_path) == untouched


def test_compiling_is_refused_where_it_does_not_pay(tmp_path):
    with pytest.raises(ConfigError, match="compile is for GPUs"):
        trained(tmp_path, replace(SETTINGS, compile=True))


def test_patience_stops_early(tmp_path):  # authority: the definition
    class Worsening(Corruption):
        calls = 0

        def validate(self, module, validation, device):
            Worsening.calls += 1
            return {"loss": abs(Worsening.calls - 3.0)}

    settings = replace(SETTINGS, max_updates=100, validate_every=2, patience=4)
    trainer = trained(tmp_path, settings, Worsening())
    assert trainer.progress.best_step == 6  # the third validation
    assert trainer.progress.step == 6 + 4 * 2
    assert (tmp_path / "checkpoints" / "step-00000006").is_dir()
