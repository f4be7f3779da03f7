"""Arrays of ids to one padded array, their special tokens added."""

from collections.abc import Sequence

import numpy as np


def pad_arrays(
    rows: Sequence[np.ndarray], pad: int, around: tuple[Sequence[int], Sequence[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows between special tokens, padded on the right to (B, T); and their lengths (B,).

    around: the ids before and after each row.
    """
    before, after = around
    lengths = np.array([len(before) + len(row) + len(after) for row in rows], dtype=np.int64)
    padded = np.full((len(rows), int(lengths.max())), pad, dtype=np.int64)
    for filled, row, length in zip(padded, rows, lengths, strict=True):
        filled[: len(before)] = before
        filled[len(before) : length - len(after)] = row
        filled[length - len(after) : length] = after
    return padded, lengths
