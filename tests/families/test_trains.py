"""Every family memorizes 32 sentences with the one trainer, through each of its heads."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid import garden
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.data.examples import TrainingData, ValidationData
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.family import Family
from pellucid.nn.base import Model
from pellucid.nn.heads import pool_states
from pellucid.tasks.protocol import Task, Term
from pellucid.training.run_directory import RunDirectory
from pellucid.training.trainer import Trainer

PAIRS = list(garden.pairs(32, "en", "de"))
WORDS = sorted({word for pair in PAIRS for text in pair for word in text.split()})
IDS = {word: i + 40 for i, word in enumerate(WORDS)}  # 0 pad, 1 start, 2 end, 3.. one a sentence
NUMBER = 3
PAD, START, END = 0, 1, 2
LABELS = 3
UPDATES = {"albert": 400, "electra": 400}
"""Of the families that learn more slowly than the others."""


class Batch(NamedTuple):
    number: Tensor  # (B,), which sentence
    source: Tensor  # (B, S)
    target: Tensor  # (B, T), with START before and END behind

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(x.to(device) for x in self))


class Sentences:
    """The pairs as ids, each beginning with a number of its own, so that all of it is certain."""

    lengths = np.full((len(PAIRS), 1), 8, dtype=np.int32)

    def __len__(self) -> int:
        return len(PAIRS)

    def __getitem__(self, i: int) -> tuple[int, list[int], list[int]]:
        source, target = ([IDS[word] for word in text.split()] for text in PAIRS[i])
        return i, [NUMBER + i, *source, END], [START, *target, END]

    def origin(self, i: int) -> str:
        return f"sentences:{i + 1}"


def shrunk(family: Family) -> tuple[ModelConfig, dict[str, HeadConfig]]:
    """The family in small: its kinds of parts, not its sizes; and all heads that give outputs."""
    c = family.preset
    narrow: dict[str, Any] = {"d_embedding": 16} if c.d_embedding else {}
    if isinstance(c, TransformerXLConfig):
        narrow = {"d_embedding": 32, "cutoffs": (80, 120), "div_val": 2, "mem_len": 12}
        narrow |= {"clamp_len": 8, "tie_projections": (False, True, True)}
    wide = {"d_head": 20} if c.d_head else {}
    c = replace(
        c,
        vocab_size=40 + len(WORDS),
        d_model=32,
        d_ff=64,
        n_heads=2,
        max_length=40,
        n_encoder_layers=2 if c.n_encoder_layers else 0,
        n_decoder_layers=2 if c.n_decoder_layers else 0,
        windows=tuple(4 if window else 0 for window in c.windows[:2]),
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        **{**narrow, **wide},
    )
    actual = {head.name: head.config for heads in family.heads.values() for head in heads}
    return c, {
        name: h if h.kind == "lm" or h.outputs == 1 else replace(h, outputs=LABELS, labels=())
        for name, h in actual.items()
        if h.kind == "lm" or h.outputs
    }


@dataclass(frozen=True)
class ByHeart(Task):
    """Translation, the next word, or fixed labels; each head gives one term of the loss."""

    family: Family
    config: ModelConfig
    heads: dict[str, HeadConfig]

    def build(self, seed: int) -> nn.Module:
        return self.family.build(self.config, seed, self.heads)

    def collate(self, examples: Any, seed: int) -> Batch:
        numbers, sources, targets = zip(*examples, strict=True)
        return Batch(torch.tensor(numbers), padded(sources), padded(targets))

    def counts(self, batch: Batch) -> dict[str, int]:
        return {name: self.expected(name, batch)[1].numel() for name in self.heads}

    def loss(self, module: nn.Module, batch: Batch) -> dict[str, Term]:
        assert isinstance(module, Model)
        states: dict[bool, Tensor] = {}
        terms = {}
        for name, h in self.heads.items():
            writes = h.kind == "lm" and bool(self.config.n_encoder_layers)
            if writes not in states:
                states[writes] = self.states(module, batch, writes)
            real, labels = self.expected(name, batch)
            state = states[writes]
            if h.kind == "sequence":
                keep = batch.source != PAD
                state = pool_states(state, keep, batch.source == END, h.pool)
            logits = module.heads[name](state)[real]
            terms[name] = Term(distance(logits, labels))
        return terms

    def states(self, module: Model, batch: Batch, writes: bool) -> Tensor:
        keep = batch.source != PAD
        if module.encoder is None or module.decoder is None:
            return module(batch.source, keep)
        if writes:
            return module(batch.source, keep, batch.target[:, :-1])
        again = torch.cat([torch.full_like(batch.source[:, :1], START), batch.source[:, :-1]], 1)
        return module(batch.source, keep, again)

    def expected(self, name: str, batch: Batch) -> tuple[Tensor, Tensor]:
        """Which of a head's places count, and what it must say there."""
        h, c = self.heads[name], self.config
        keep = batch.source != PAD
        if h.kind == "sequence":
            return torch.ones_like(batch.number, dtype=torch.bool), batch.number % h.outputs
        if h.kind in ("token", "score"):
            labels = (batch.source * 7 + 1) % max(h.outputs, 2)
            return keep, labels[keep]
        if c.n_encoder_layers and c.n_decoder_layers:
            labels = batch.target[:, 1:]
        elif c.n_decoder_layers:
            labels = F.pad(batch.source[:, 1:], (0, 1), value=PAD)
        else:
            labels = torch.where(keep, (batch.source * 3 + 1) % c.vocab_size, PAD)
        return labels != PAD, labels[labels != PAD]

    def tokens(self, batch: Batch) -> int:
        return batch.source.numel()

    def validate(self, module, validation, device) -> dict[str, float]:
        batch = self.collate([Sentences()[i] for i in range(len(PAIRS))], 0)
        with torch.no_grad():
            terms = self.loss(module, batch)
        counts = self.counts(batch)
        means = {name: float(term.sum) / counts[name] for name, term in terms.items()}
        return {"loss": max(means.values())}


def distance(logits: Tensor, labels: Tensor) -> Tensor:
    """Summed cross-entropy; of one logit a place, as a yes or no."""
    if logits.dim() == labels.dim():
        return F.binary_cross_entropy_with_logits(logits, labels.float(), reduction="sum")
    return F.cross_entropy(logits, labels, reduction="sum")


def padded(rows: Any) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])


def unreached(task: ByHeart, module: nn.Module) -> list[str]:
    """Parameters that the loss of all heads gives no gradient."""
    batch = task.collate([Sentences()[i] for i in range(len(PAIRS))], 0)
    torch.stack([term.sum for term in task.loss(module, batch).values()]).sum().backward()
    silent = [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    module.zero_grad()
    return silent


@pytest.mark.parametrize("name", PUBLISHED_FAMILIES)
def test_learns_by_heart(name, tmp_path):  # authority: a loss near zero is not to be had by luck
    c, heads = shrunk(PUBLISHED_FAMILIES[name])
    task = ByHeart(PUBLISHED_FAMILIES[name], c, heads)
    updates = UPDATES.get(name, 250)
    training = TrainingConfig(
        max_updates=updates,
        max_tokens=10_000,
        schedule="linear",
        rate=0.005,
        warmup=20,
        validate_every=updates,
        checkpoint_every=updates,
        precision="fp32",
        workers=0,
        threads=1,
    )
    run, data = RunDirectory(tmp_path), TrainingData(Sentences(), ValidationData(Sentences(), ()))
    trainer = Trainer(task, data, RunConfig(model=c, training=training), run)
    assert not unreached(task, trainer.module), "the loss does not reach these"
    trainer.fit()
    assert task.validate(trainer.module, data.validation, torch.device("cpu"))["loss"] < 0.05
