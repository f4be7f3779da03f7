"""Distributed training: one process, or those started by `torchrun`."""

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

TIMEOUT = timedelta(days=1)
"""Timeout of collectives. The other processes wait while the first one encodes the data or scores
the final model, which may exceed torch's default of 10 minutes."""


@dataclass(frozen=True)
class World:
    """Rank of this process, number of processes, and rank among those on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def assign_micro_batches(self, accumulate: int) -> range:
        """Return which micro-batches of an update this process computes: every `size`-th.

        Raises: ConfigError if they cannot be shared evenly.
        """
        if accumulate % self.size:
            raise ConfigError(
                f"training.accumulate={accumulate} micro-batches cannot be shared evenly by"
                f" {self.size} processes. Use a multiple of {self.size}."
            )
        return range(self.rank, accumulate, self.size)

    def select_device(self, device: torch.device) -> torch.device:
        """Return the device of this process. Of several processes on GPUs, each has its own.

        It becomes torch's current GPU, the one that seeds and new tensors are for.
        Raises: ConfigError if this machine has fewer GPUs than processes.
        """
        if self.size == 1 or device.type != "cuda" or device.index is not None:
            return device
        n = torch.cuda.device_count()
        if self.local_rank >= n:
            raise ConfigError(
                f"this machine has more processes than its {n} GPUs, and each needs its own. Start"
                f" torchrun with --nproc-per-node {n}, or set device: cpu."
            )
        device = torch.device("cuda", self.local_rank)
        torch.cuda.set_device(device)
        return device

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return a module whose backward pass averages gradients over processes."""
        return module if self.size == 1 else DistributedDataParallel(module)

    def sum(self, values: Tensor) -> Tensor:
        """Return the elementwise sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def max(self, *numbers: int) -> list[int]:
        """Return the maximum of each number over all processes."""
        values = torch.tensor(numbers)
        if self.size > 1:
            dist.all_reduce(values, dist.ReduceOp.MAX)
        return values.tolist()

    def wait(self) -> None:
        """Wait for all processes. Raises: ResourceError if another one has ended."""
        if self.size == 1:
            return
        try:
            dist.barrier()
        except RuntimeError as error:
            raise ResourceError(
                "another process of this training has ended. Its own message says why."
            ) from error


@contextmanager
def join_processes() -> Iterator[World]:
    """Join the process group of the run within the context."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT)
    try:
        yield World(dist.get_rank(), size, int(os.environ.get("LOCAL_RANK", "0")))
    finally:
        dist.destroy_process_group()
