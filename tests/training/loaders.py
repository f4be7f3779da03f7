"""A process with two loader processes, to be killed. usage: loaders.py START_METHOD"""

import multiprocessing
import sys
import time

import numpy as np

from pellucid.config.training import TrainingConfig
from pellucid.training.stream import Stream


class Numbers:
    """Examples that are their own index, and a task that returns them."""

    order = "length"
    lengths = np.ones((1000, 1), np.int32)

    def example(self, examples, index, seed):
        return index

    def collate(self, examples, seed):
        return examples


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    config = TrainingConfig(workers=2, max_tokens=4)
    batches = Stream(Numbers(), Numbers(), config).iterate_from(0)
    next(batches)
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    time.sleep(60)
