"""The cache of a recurrent decoder: one state per text."""

from torch import Tensor

from pellucid.errors import UsageError
from pellucid.nn.attention import KeysValues, Memory
from pellucid.nn.masks import Mask, MaskTensors


class RecurrentCache:
    """States (N, R, D) of R texts, and the memories of their B sources, if there is attention."""

    def __init__(self, state: Tensor, memory: Memory | None) -> None:
        self.length = 0
        self.rows = self.sources = state.shape[1]
        self.state = state
        self.memory = memory

    def expand(self, k: int) -> None:
        self.rows *= k
        self.state = self.state.repeat_interleave(k, 1)

    def reorder(self, parents: Tensor) -> None:
        self.state = self.state.index_select(1, parents)

    def keep_rows(self, rows: Tensor) -> None:
        group = self.rows // self.sources
        self.reorder(rows)
        sources = rows[::group] // group
        self.rows, self.sources = len(rows), len(sources)
        if self.memory is not None:
            k, v = (x.index_select(0, sources) for x in self.memory.states)
            keep = self.memory.mask.mask.keep
            mask = Mask(keep=None if keep is None else keep.index_select(0, sources))
            self.memory = Memory(KeysValues(k, v), MaskTensors(mask))

    def truncate(self, n: int) -> None:
        if n != self.length:
            raise UsageError(
                f"cannot truncate a recurrent state of {self.length} tokens to {n}: earlier states"
                " are not kept. Use a Transformer."
            )
