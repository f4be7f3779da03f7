"""The endless stream of micro-batches. Each is a function of its number."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from pellucid.config.training import TrainingConfig
from pellucid.data.examples import Examples
from pellucid.tasks.protocol import Task
from pellucid.training.distribution import World
from pellucid.training.epochs import make_batches


class MicroBatch(NamedTuple):
    """The data of one forward and backward pass of one process."""

    number: int  # counted from 0 over the whole run and all processes
    epoch: int
    indices: np.ndarray  # indices of the examples
    batch: Any  # the output of the task's collate


@dataclass(frozen=True)
class Stream:
    """Micro-batches of one process, a pure function of the fields."""

    task: Task
    examples: Examples
    config: TrainingConfig
    world: World = World()  # noqa: RUF009 (frozen)

    def iterate_from(self, start: int) -> Iterator[MicroBatch]:
        """Yield the micro-batches of this process from number `start` on."""
        workers = self.config.workers
        loader = DataLoader(
            _Collate(self.task, self.examples, self.config.seed),
            batch_size=None,
            collate_fn=_keep,  # the default converts arrays to tensors
            sampler=_ProcessSampler(self, start),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_end_with_trainer,
        )
        return iter(loader)


def _keep(micro_batch: Any) -> Any:
    return micro_batch


class _Collate(Dataset):
    """Maps (number, epoch, indices of examples) to a collated micro-batch."""

    def __init__(self, task: Task, examples: Examples, seed: int) -> None:
        self.task, self.examples, self.seed = task, examples, seed

    def __getitem__(self, key: tuple[int, int, np.ndarray]) -> MicroBatch:
        number, epoch, indices = key
        examples = [
            self.task.example(self.examples, int(i), derive_seed(self.seed, int(i), salt=2 + epoch))
            for i in indices
        ]
        batch = self.task.collate(examples, derive_seed(self.seed, number, salt=1))
        return MicroBatch(number, epoch, indices, batch)


class _ProcessSampler(Sampler):
    """Samples (number, epoch, indices of examples) of the micro-batches of this process."""

    def __init__(self, stream: Stream, start: int) -> None:
        self.stream, self.start = stream, start

    def __iter__(self) -> Iterator[tuple[int, int, np.ndarray]]:
        c, examples = self.stream.config, self.stream.examples
        assigned = set(self.stream.world.assign_micro_batches(c.accumulate))
        batches = make_batches(examples.lengths, c, self.stream.task.order)
        for number, (epoch, indices) in enumerate(batches.iterate_from(self.start), self.start):
            if number % c.accumulate in assigned:
                yield number, epoch, indices


def _end_with_trainer(worker: int) -> None:
    """Let a loader process end when its trainer dies.

    torch compares process ids for that, which says nothing where another process forks the loaders
    (the start method `forkserver`, Python's default from 3.14 on).
    """
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    trainer = multiprocessing.parent_process()
    assert trainer is not None
    trainer.join()
    os._exit(1)


def derive_seed(seed: int, number: int, salt: int = 0) -> int:
    """Return a 63-bit seed for a number; the streams of neighbouring numbers are unrelated.

    Source: the splitmix64 finaliser (Steele, Lea and Flood 2014).
    """
    x = (seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03 + salt) % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return (x ^ (x >> 31)) >> 1
