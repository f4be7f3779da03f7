"""Cut the Tatoeba pairs into training, validation and test parts that share no sentence.

usage: python recipes/prepare_tatoeba.py SHARED OUT

SHARED holds `data/tatoeba/eng-cmn.tsv.gz` and `eng-deu.tsv.gz`. OUT receives, for each direction,
`zh-en/{train,valid,test}.tsv` and `en-de/{train,valid,test}.tsv` (source TAB target), and
`english.txt`: English sentences of the other lists for back-translation, none of them in a
validation or test part. Sentences are compared without case, spaces and punctuation, Chinese ones
in simplified characters, so that near copies cannot stand on both sides of the cut.

Needs `pip install opencc-python-reimplemented` (Chinese variants; a tool of this recipe only).
"""

import argparse
import gzip
import random
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from opencc import OpenCC

Pair = tuple[str, str]
TEST_PAIRS, VALID_PAIRS = 2000, 1000


def main() -> None:
    """Read the two lists, write the parts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    lists = args.shared / "data" / "tatoeba"
    simplify = OpenCC("t2s").convert
    chinese = {}  # one conversion a sentence: the converter is slow

    def chinese_key(text: str) -> str:
        if text not in chinese:
            chinese[text] = key(simplify(text))
        return chinese[text]

    zh_en = [(zh, en) for en, zh in read(lists / "eng-cmn.tsv.gz")]
    en_de = read(lists / "eng-deu.tsv.gz")
    parts = cut(zh_en, chinese_key, key)
    write(args.out / "zh-en", {**parts, "train": with_variants(parts["train"])})
    seen = {key(en) for name in ("valid", "test") for _, en in parts[name]}
    parts = cut(en_de, key, key)
    write(args.out / "en-de", parts)
    known = {en for _, en in zh_en}
    english = {en for en, _ in [*en_de, *read(lists / "eng-fra.tsv.gz")]} - known
    fresh = sorted(en for en in english if key(en) not in seen)
    (args.out / "english.txt").write_text("\n".join(fresh) + "\n", encoding="utf-8")
    print(f"{len(fresh)} English sentences to translate back")


def read(path: Path) -> list[Pair]:
    """The pairs of a gzipped two-column file, each once."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        rows = dict.fromkeys(tuple(line.rstrip("\n").split("\t")) for line in file)
    return [(a, b) for a, b in rows]


def key(text: str) -> str:
    """What two sentences share if they are the same to a reader."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in text if unicodedata.category(c)[0] in "LN")


def cut(
    pairs: list[Pair], source_key: Callable[[str], str], target_key: Callable[[str], str]
) -> dict[str, list[Pair]]:
    """Random validation and test parts; what shares either side with one of them goes nowhere."""
    shuffled = pairs[:]
    random.Random(2026).shuffle(shuffled)
    parts, sources, targets = {}, set(), set()
    at = 0
    for name, size in (("test", TEST_PAIRS), ("valid", VALID_PAIRS)):
        part: list[Pair] = []
        taken_sources, taken_targets = set(sources), set(targets)
        while len(part) < size:
            source, target = shuffled[at]
            at += 1
            if source_key(source) not in taken_sources and target_key(target) not in taken_targets:
                part.append((source, target))
        parts[name] = part
        sources |= {source_key(source) for source, _ in part}
        targets |= {target_key(target) for _, target in part}
    parts["train"] = [
        (source, target)
        for source, target in pairs
        if source_key(source) not in sources and target_key(target) not in targets
    ]
    return parts


def with_variants(pairs: Iterable[Pair]) -> list[Pair]:
    """Each pair, and once more in the other kind of Chinese characters where that differs."""
    convert = [OpenCC("t2s").convert, OpenCC("s2t").convert]
    found: dict[Pair, None] = {}
    for zh, en in pairs:
        for text in (zh, *(to(zh) for to in convert)):
            found[text, en] = None
    return list(found)


def write(directory: Path, parts: dict[str, list[Pair]]) -> None:
    """One TSV a part."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, pairs in parts.items():
        lines = (f"{source}\t{target}\n" for source, target in pairs)
        (directory / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
        print(f"{directory.name} {name}: {len(pairs)} pairs")


if __name__ == "__main__":
    main()
