"""The precompiled character map of a SentencePiece model, which normalizes a text.

The file holds the entries as a double-array trie over UTF-8 bytes, then the replacements as strings
that end in a zero byte.  Source: sentencepiece's normalizer.cc and darts-clone's darts.h.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

MAX_BRANCHES = 1 << 20
"""The map of NFKC has 28,000 branches: a file with more than this is damaged."""


class Branch(NamedTuple):
    """A step in the trie by one character."""

    node: int
    replacement: str | None
    """Replacement of the characters up to here; None if they are not an entry."""


@dataclass(frozen=True)
class CharsMap:
    """A trie over characters."""

    nodes: Mapping[int, Mapping[str, Branch]]
    """Node -> character -> branch."""
    root: int

    def match(self, text: str, start: int) -> tuple[str, int] | None:
        """Return the replacement and the end of the longest entry at `start`, or None."""
        longest, node = None, self.root
        for end in range(start, len(text)):
            branch = self.nodes[node].get(text[end])
            if branch is None:
                break
            node = branch.node
            if branch.replacement is not None:
                longest = branch.replacement, end + 1
        return longest

    def first_chars(self) -> set[str]:
        """Return the characters that are entries by themselves."""
        branches = self.nodes[self.root].items()
        return {char for char, branch in branches if branch.replacement is not None}

    def later_chars(self) -> set[str]:
        """Return the characters of entries, except each first character."""
        chars, visited = set[str](), set[int]()
        waiting = [branch.node for branch in self.nodes[self.root].values()]
        while waiting:
            node = waiting.pop()
            if node not in visited:
                visited.add(node)
                chars |= self.nodes[node].keys()
                waiting += [branch.node for branch in self.nodes[node].values()]
        return chars


@lru_cache(4)  # source and target of a translator usually have equal maps
def read_charsmap(data: bytes) -> CharsMap:
    """Parse a map. Raises: ValueError if it is damaged or a replacement has two spaces in a row."""
    (size,) = struct.unpack_from("<I", data) if len(data) >= 4 else (0,)
    if size == 0 or size % 4 or 4 + size > len(data):
        raise ValueError(f"a character map of {size} bytes in {len(data)}")
    units, replacements = struct.unpack_from(f"<{size // 4}I", data, 4), data[4 + size :]
    labels, root = _labels(units), _offset(units[0])
    nodes: dict[int, dict[str, Branch]] = {}
    waiting, count = [root], 0
    while waiting:
        node = waiting.pop()
        if node not in nodes:
            nodes[node] = dict(_branches(units, labels, node, replacements))
            waiting += [branch.node for branch in nodes[node].values()]
            count += len(nodes[node])
        if count > MAX_BRANCHES:
            raise ValueError("a character map with too many branches")
    return CharsMap(nodes, root)


def _branches(
    units: Sequence[int], labels: Mapping[int, Sequence[int]], start: int, replacements: bytes
) -> Iterator[tuple[str, Branch]]:
    """Yield each character that can follow a node, found by steps of one byte."""
    waiting = [(b"", start)]
    while waiting:
        prefix, node = waiting.pop()
        for label in labels.get(node, ()):
            char, unit = prefix + bytes([label]), units[node ^ label]
            child = node ^ label ^ _offset(unit)
            if len(char) < _width(char[0]):
                waiting.append((char, child))
                continue
            replacement = None
            if unit >> 8 & 1:  # an entry ends here, and its value is the child of label 0
                if child >= len(units):
                    raise ValueError("a character map that is cut short")
                replacement = _string(replacements, units[child] & 0x7FFFFFFF)
            yield char.decode(), Branch(child, replacement)


def _labels(units: Sequence[int]) -> Mapping[int, Sequence[int]]:
    """Return node -> bytes that can follow it; the child for byte `b` is unit `node ^ b`."""
    labels: dict[int, list[int]] = {}
    for index, unit in enumerate(units):
        label = unit & 0x800000FF  # the high bit marks a value, label 0 leads to one
        if 0 < label < 0x100:
            labels.setdefault(index ^ label, []).append(label)
    return labels


def _offset(unit: int) -> int:
    """Return the XOR between a unit's index and the node of its children."""
    return (unit >> 10) << ((unit & 0x200) >> 6)


def _width(byte: int) -> int:
    """Return the number of bytes of a UTF-8 character that begins with `byte`."""
    if byte < 0x80:
        return 1
    return 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4


def _string(block: bytes, start: int) -> str:
    text = block[start : block.index(b"\0", start)].decode()
    if "  " in text:
        raise ValueError("a character map that writes two spaces in a row")
    return text
