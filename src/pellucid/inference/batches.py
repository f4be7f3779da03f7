"""Rows in any order, of any length: read together as far as their logits fit."""

from collections.abc import Iterator, Sequence

MOST_LOGITS = 1 << 24  # a batch's logits take 64 MiB


def batches(lengths: Sequence[tuple[int, ...]], width: int) -> Iterator[list[int]]:
    """Numbers of the rows that are read together: those of like length, the shortest first.

    lengths: of each row, first that which has logits, then what else should be alike. width: of
    the logits. A batch holds at most MOST_LOGITS of them, padding counted, or one row.
    """
    chosen: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if chosen and (len(chosen) + 1) * lengths[i][0] * width > MOST_LOGITS:
            yield chosen
            chosen = []
        chosen.append(i)
    if chosen:
        yield chosen
