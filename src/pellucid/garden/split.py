"""Which clauses belong to training, validation and test: a property of a clause's content."""

from functools import lru_cache
from hashlib import blake2b

SPLITS = ("train", "valid", "test")
HELD_OUT = 0.15  # the share of all clauses in each of "valid" and "test"


@lru_cache(maxsize=1 << 17)
def assign_split(key: str) -> str:
    """Return the split of a clause by its key, the same for every call, seed and machine."""
    place = int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) / 2**64
    if place < HELD_OUT:
        return "test"
    return "valid" if place < 2 * HELD_OUT else "train"
