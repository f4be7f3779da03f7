"""Published weight names and the internal names of the same weights."""

from typing import NamedTuple


class Rename(NamedTuple):
    """The published name of a module or tensor, and its internal name or names.

    `{}` is a placeholder for a layer number. Both names have the same number of placeholders.
    """

    published: str
    internal: str | tuple[str, ...]
    """Several names: the published matrix is their concatenation along outputs, in this order."""
    transposed: bool = False
    """The published matrix is (in, out), as in GPT and GPT-2."""
    alternative: str = ""
    """Another published name of the same tensor, read if a file does not have the first."""
    leading_axis: bool = False
    """The published tensor is (1, n), the internal one (n,)."""
    writes_both: bool = False
    """The tensor is written under both published names."""

    def names(self) -> list[str]:
        """Return the published names in the order in which they are read."""
        return [self.published, self.alternative] if self.alternative else [self.published]

    def swap_names(self) -> "Rename":
        """Return a rename that reads the alternative name first and writes both names."""
        if not self.alternative:
            return self
        return self._replace(
            published=self.alternative, alternative=self.published, writes_both=True
        )


def renames_below(published: str, internal: str, parts: dict[str, str]) -> list[Rename]:
    """Return renames of the parts of a module; parts: published name -> internal name."""
    return [Rename(f"{published}.{part}", f"{internal}.{name}") for part, name in parts.items()]


def attention_renames(published: str, internal: str, *maps: str, norm: str) -> list[Rename]:
    """Return the renames of an attention sublayer: queries, keys, values, output and norm."""
    names = ("inner.q", "inner.k", "inner.v", "inner.o", "norm")
    return renames_below(published, internal, dict(zip((*maps, norm), names, strict=True)))


def feed_forward_renames(
    published: str, internal: str, up: str, down: str, norm: str
) -> list[Rename]:
    """Return the renames of a feed-forward sublayer: its two linear maps and norm."""
    parts = {up: "inner.up", down: "inner.down", norm: "norm"}
    return renames_below(published, internal, parts)
