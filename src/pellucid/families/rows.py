"""Renames between a family's published weights and ours, as its file writes them down."""

from typing import NamedTuple


class Row(NamedTuple):
    """One rename: a module or a tensor of theirs is one of ours, or several stacked.

    `{}` stands for a number, a layer's; theirs and ours have it as often as each other.
    """

    theirs: str
    ours: str | tuple[str, ...]
    """Of several, theirs holds the outputs one below the other, in this order."""
    transpose: bool = False
    """Theirs is (in, out), as the first GPTs stored it."""
    also: str = ""
    """Another name of the same tensor, looked for where a file lacks the first."""
    flat: bool = False
    """Theirs is (1, n) where ours is (n,)."""
    both: bool = False
    """Written under both names."""

    def names(self) -> list[str]:
        """Their names, in the order in which they are looked for."""
        return [self.theirs, self.also] if self.also else [self.theirs]

    def turned(self) -> "Row":
        """The second name first, if there is one, and both written."""
        if not self.also:
            return self
        return self._replace(theirs=self.also, also=self.theirs, both=True)


def below(theirs: str, ours: str, parts: dict[str, str]) -> list[Row]:
    """Renames of the parts of a module: of each, their name and ours."""
    return [Row(f"{theirs}.{part}", f"{ours}.{own}") for part, own in parts.items()]


def attention(theirs: str, ours: str, *maps: str, norm: str) -> list[Row]:
    """An attention sublayer: its maps for queries, keys, values and output, and its norm."""
    own = ("inner.q", "inner.k", "inner.v", "inner.o", "norm")
    return below(theirs, ours, dict(zip((*maps, norm), own, strict=True)))


def feed_forward(theirs: str, ours: str, up: str, down: str, norm: str) -> list[Row]:
    """A feed-forward sublayer: its two maps, and its norm."""
    return below(theirs, ours, {up: "inner.up", down: "inner.down", norm: "norm"})
