"""The smallest task of two models and two loss terms: it proves what the protocol must carry."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.data.examples import TrainingData, ValidationData
from pellucid.tasks.protocol import Task, Term


class Points(NamedTuple):
    x: Tensor  # (N, 4)
    noise: Tensor  # (N, 4), from the batch's seed

    def to(self, device: torch.device) -> "Points":
        return Points(self.x.to(device), self.noise.to(device))


class Examples:
    """Vectors of varied "length", so that batches differ in size."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self.rows = rng.normal(size=(n, 4)).astype(np.float32)
        self.lengths = rng.integers(1, 9, size=(n, 1)).astype(np.int32)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.rows[i]

    def origin(self, i: int) -> str:
        return f"points:{i + 1}"


class GeneratorAndCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Linear(4, 4)
        self.critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.register_buffer("memory", torch.zeros(4))  # carried from batch to batch


def data_of(n: int) -> TrainingData:
    return TrainingData(Examples(n), ValidationData(Examples(10), ()))


@dataclass(frozen=True)
class Corruption(Task):
    """A generator restores noised points (term 1); a critic tells them from real (term 2)."""

    def build(self, seed: int) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return GeneratorAndCritic()

    def collate(self, examples, seed: int) -> Points:
        x = torch.from_numpy(np.stack(examples))
        return Points(x, torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)))

    def counts(self, batch: Points) -> dict[str, int]:
        return {"restore": batch.x.numel(), "tell": 2 * len(batch.x)}

    def tokens(self, batch: Points) -> int:
        return 100 * len(batch.x)

    def loss(self, module: nn.Module, batch: Points) -> dict[str, Term]:
        noised = F.dropout(batch.x + batch.noise, 0.2, module.training)
        restored = module.generator(noised) + module.memory
        if module.training:
            module.memory.mul_(0.5).add_(restored.detach().mean(0), alpha=0.5)
        scores = module.critic(torch.cat((batch.x, restored.detach())))[:, 0]
        truth = torch.cat((torch.ones(len(batch.x)), torch.zeros(len(batch.x))))
        return {
            "restore": Term((restored - batch.x).square().sum()),
            "tell": Term(
                F.binary_cross_entropy_with_logits(scores, truth, reduction="sum"), weight=0.5
            ),
        }

    def validate(self, module, validation, device) -> dict[str, float]:
        x = torch.linspace(-1, 1, 40).view(10, 4)
        return {"loss": float((module.generator(x) - x).square().mean())}

    def export(self, module: nn.Module) -> dict[str, nn.Module]:
        return {"final": module.critic, "generator": module.generator}
