"""Add sentences translated back to a parallel corpus (Sennrich et al. 2016, arXiv:1511.06709).

usage: python recipes/back_translate.py MODEL SENTENCES REAL OUT

MODEL translates from the language of SENTENCES (one a line: the target of the corpus to be made)
into its source. OUT receives the pairs of the TSV file REAL, `--copies` times, then each sentence
behind its translation. Those sources begin with a mark, so that the model can tell what a machine
wrote from what people write (Caswell et al. 2019, arXiv:1906.06442); translation never shows it.
Three in ten Chinese sources are written in traditional characters.

Needs `pip install opencc-python-reimplemented` (a tool of this recipe only).
"""

import argparse
import random
import sys
from pathlib import Path

from opencc import OpenCC

import pellucid

MARK = "※"
BLOCK = 4096


def main() -> None:
    """Translate block by block and write as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("model", "sentences", "real", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--beam", type=int, default=4)
    args = parser.parse_args()
    model = pellucid.load(args.model)
    sentences = args.sentences.read_text(encoding="utf-8").rstrip("\n").split("\n")
    real = args.real.read_text(encoding="utf-8")
    to_traditional, rng = OpenCC("s2t").convert, random.Random(2026)
    with args.out.open("w", encoding="utf-8") as file:
        file.write(real * args.copies)
        for at in range(0, len(sentences), BLOCK):
            block = sentences[at : at + BLOCK]
            found = model.translate(block, alignment=False, beam=args.beam, batch_size=64)
            for sentence, source in zip(block, (t.text for t in found), strict=True):
                if not source.strip() or "\t" in source:
                    continue
                if rng.random() < 0.3:
                    source = to_traditional(source)
                file.write(f"{MARK}{source}\t{sentence}\n")
            print(f"{at + len(block)} of {len(sentences)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
