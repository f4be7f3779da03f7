"""Prepare the complete Tang poems: a table of each poem and its form, which is its control code.

    python recipes/prepare_chinese_poetry.py tang_shi.train.txt.gz train.tsv

Each line of the input is a poem with its punctuation. The form follows from its lines:

    五絕 七絕   four lines of five or seven characters (quatrains)
    五律 七律   eight lines of five or seven characters (regulated verse)
    五言 七言   any other number of lines of five or seven characters
    雜言        lines of several lengths
"""

import gzip
import re
import sys
from pathlib import Path

NUMERALS = {5: "五", 7: "七"}
KINDS = {4: "絕", 8: "律"}


def find_form(poem: str) -> str:
    """Return the form of a poem."""
    lengths = [len(line) for line in re.split(r"[^\w]+", poem) if line]
    if len(set(lengths)) != 1 or lengths[0] not in NUMERALS:
        return "雜言"
    return NUMERALS[lengths[0]] + KINDS.get(len(lengths), "言")


def main() -> None:
    """Write the table."""
    source, target = map(Path, sys.argv[1:])
    data = source.read_bytes()
    text = (gzip.decompress(data) if source.suffix == ".gz" else data).decode()
    poems = [line for line in text.split("\n") if line.strip()]
    rows = [f"{find_form(poem)}\t{poem}\n" for poem in poems]
    target.write_text("code\ttext\n" + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
