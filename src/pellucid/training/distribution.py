"""One process or many: who this one is, and what all must agree on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pellucid.errors import ConfigError


@dataclass(frozen=True)
class World:
    """This process among those that `torchrun` started; alone without it."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, accumulate: int) -> range:
        """Which micro-batches of an update are this process's: every size-th.

        Raises: ConfigError if they cannot be shared out evenly.
        """
        if accumulate % self.size:
            raise ConfigError(
                f"training.accumulate={accumulate} micro-batches cannot be shared evenly by"
                f" {self.size} processes. Use a multiple of {self.size}."
            )
        return range(self.rank, accumulate, self.size)

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module whose backward sums gradients over processes."""
        return module if self.size == 1 else DistributedDataParallel(module)

    def summed(self, values: Tensor) -> Tensor:
        """Elementwise sum over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def agree(self, flag: bool) -> bool:
        """Whether any process says so: all must leave a loop at the same update."""
        if self.size == 1:
            return flag
        return bool(self.summed(torch.tensor(float(flag))).item())

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def world() -> Iterator[World]:
    """The processes of this run, joined for as long as the context lasts."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend)
    try:
        yield World(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
