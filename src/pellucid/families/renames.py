"""Published weight names and internal ones, as a family's file lists them."""

from typing import NamedTuple


class Rename(NamedTuple):
    """The name of a published module or tensor, and the name or names that it has here.

    `{}` stands for a layer's number; both names have equally many.
    """

    published: str
    internal: str | tuple[str, ...]
    """Of several, the published matrix holds the outputs one below the other, in this order."""
    transposed: bool = False
    """The published matrix is (in, out), as the first GPTs stored it."""
    alternative: str = ""
    """Another published name of the same tensor, read if a file lacks the first."""
    leading_axis: bool = False
    """The published tensor is (1, n), the internal one (n,)."""
    writes_both: bool = False
    """Written under both published names."""

    def names(self) -> list[str]:
        """The published names, in the order in which they are read."""
        return [self.published, self.alternative] if self.alternative else [self.published]

    def swapped(self) -> "Rename":
        """The alternative name read first, if there is one, and both names written."""
        if not self.alternative:
            return self
        return self._replace(
            published=self.alternative, alternative=self.published, writes_both=True
        )


def renames_below(published: str, internal: str, parts: dict[str, str]) -> list[Rename]:
    """Renames of the parts of a module: published name of each -> internal name."""
    return [Rename(f"{published}.{part}", f"{internal}.{name}") for part, name in parts.items()]


def attention_renames(published: str, internal: str, *maps: str, norm: str) -> list[Rename]:
    """Renames of an attention sublayer: queries, keys, values and output, and its norm."""
    names = ("inner.q", "inner.k", "inner.v", "inner.o", "norm")
    return renames_below(published, internal, dict(zip((*maps, norm), names, strict=True)))


def feed_forward_renames(
    published: str, internal: str, up: str, down: str, norm: str
) -> list[Rename]:
    """Renames of a feed-forward sublayer: its two maps, and its norm."""
    parts = {up: "inner.up", down: "inner.down", norm: "norm"}
    return renames_below(published, internal, parts)
