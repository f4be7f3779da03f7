"""Word alignments: how well they agree with a gold standard, and their text format."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from pellucid.errors import DataError

Links = Collection[tuple[int, int]]
"""Pairs of a source word and a target word, counted from 0."""

LONGEST_NUMBER = 9


class AlignmentScore(NamedTuple):
    """Agreement of predicted with gold links, over all sentences together; each from 0 to 1."""

    error_rate: float
    precision: float
    recall: float


def alignment_error_rate(predicted: Sequence[Links], gold: Sequence[Links]) -> AlignmentScore:
    """Return AER, precision and recall; every gold link is sure, so AER is 1 - F1.

    Raises: DataError if there are not as many sentences on both sides, or no link at all.
    Source: Och and Ney 2003, section 5.
    """
    if len(predicted) != len(gold):
        raise DataError(
            f"{len(predicted)} predicted alignments but {len(gold)} gold ones: each sentence needs"
            " both. Check that no line was lost."
        )
    pairs = [(set(p), set(g)) for p, g in zip(predicted, gold, strict=True)]
    n_predicted = sum(len(p) for p, _ in pairs)
    n_gold = sum(len(g) for _, g in pairs)
    correct = sum(len(p & g) for p, g in pairs)
    if n_gold == 0:
        raise DataError("no gold link to compare with: the error rate is undefined. Give some.")
    return AlignmentScore(
        error_rate=1 - 2 * correct / (n_predicted + n_gold),
        precision=correct / n_predicted if n_predicted else 0.0,
        recall=correct / n_gold,
    )


def format_pharaoh(links: Links) -> str:
    """Return links as one line of text, sorted: `0-0 1-2`."""
    return " ".join(f"{source}-{target}" for source, target in sorted(set(links)))


def parse_pharaoh(line: str, where: str = "line") -> list[tuple[int, int]]:
    """Return the links of one line, in its order; an empty line has none.

    Raises: DataError naming `where` if a link is not two whole numbers joined by a hyphen.
    """
    links = []
    for word in line.split():
        source, _, target = word.partition("-")
        if not (_is_number(source) and _is_number(target)):
            raise DataError(
                f"{where}: {word[:40]!a} is no alignment link. Write source-target word numbers"
                " from 0, such as 0-0 1-2."
            )
        links.append((int(source), int(target)))
    return links


def read_pharaoh(lines: Iterable[str], name: str = "alignment") -> list[list[tuple[int, int]]]:
    """Return the links of every line of a file; errors name the file and line."""
    return [parse_pharaoh(line, f"{name}:{number}") for number, line in enumerate(lines, 1)]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER
