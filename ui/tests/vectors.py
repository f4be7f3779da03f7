"""Writes vectors.json, against which the page's arithmetic is tested: python ui/tests/vectors.py"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "swish": F.silu,
    "tanh": torch.tanh,
}
SETTINGS = (
    *((1.0, 1.0, 0), (0.5, 0.8, 0), (1.5, 1.0, 3), (0.7, 0.6, 5)),
    *((3.0, 0.5, 2), (3.0, 0.6, 4)),  # top-p of what top-k leaves is not that of all
)
generator = torch.Generator().manual_seed(1)
q, k, v = (torch.randn(4, 8, generator=generator) for _ in range(3))
mask = torch.ones(4, 4, dtype=torch.bool).tril()
scores = q @ k.T / 8**0.5
scores = scores.masked_fill(~mask, float("-inf"))
weights = scores.softmax(-1)
logits = torch.randn(1, 12, generator=generator) * 2
cuts = []
for temperature, top_p, top_k in SETTINGS:
    changed = TemperatureLogitsWarper(temperature)(None, logits)
    changed = TopKLogitsWarper(top_k)(None, changed) if top_k else changed
    changed = TopPLogitsWarper(top_p)(None, changed) if top_p < 1 else changed
    kept = changed.softmax(-1)[0].tolist()
    cuts.append({"temperature": temperature, "topP": top_p, "topK": top_k, "kept": kept})
inputs = torch.linspace(-6, 6, 49)
halves = np.array([0, 1, -2.5, 65504, 6e-8, 1e-5, 0.1], dtype=np.float16)
vectors = {
    "queries": q.flatten().tolist(),
    "keys": k.flatten().tolist(),
    "values": v.flatten().tolist(),
    "raw": (q @ k.T).flatten().tolist(),
    "weights": weights.flatten().tolist(),
    "context": (weights @ v).flatten().tolist(),
    "entropies": torch.special.entr(weights).sum(-1).tolist(),
    "logits": logits[0].tolist(),
    "cuts": cuts,
    "bits": halves.view(np.uint16).tolist(),
    "inputs": inputs.tolist(),
    "activations": {name: f(inputs).tolist() for name, f in ACTIVATIONS.items()},
    "halves": halves.astype(float).tolist(),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(vectors), encoding="utf-8")
