"""The processes of a training: one, or those that `torchrun` started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pellucid.errors import ConfigError, ResourceError

LONGEST_WAIT = timedelta(days=1)
"""The others wait while the first process encodes the data or scores the final model, which may
take longer than torch's 10 minutes. If a process ends, torchrun ends the others."""


@dataclass(frozen=True)
class World:
    """This process and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, accumulate: int) -> range:
        """Return the micro-batches of an update that this process computes: every size-th.

        Raises: ConfigError if they cannot be shared evenly.
        """
        if accumulate % self.size:
            raise ConfigError(
                f"training.accumulate={accumulate} micro-batches cannot be shared evenly by"
                f" {self.size} processes. Use a multiple of {self.size}."
            )
        return range(self.rank, accumulate, self.size)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return a module whose backward sums gradients over processes."""
        return module if self.size == 1 else DistributedDataParallel(module)

    def sum(self, values: Tensor) -> Tensor:
        """Return the elementwise sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process, so that all leave a loop together."""
        if self.size == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag))).item())

    def wait(self) -> None:
        """Wait until every process is here. Raises: ResourceError if another one has ended."""
        if self.size == 1:
            return
        try:
            dist.barrier()
        except RuntimeError as error:
            raise ResourceError(
                "another process of this training has ended. Its own message says why."
            ) from error


@contextmanager
def world() -> Iterator[World]:
    """Join the processes of this run for as long as the context lasts."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield World(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
