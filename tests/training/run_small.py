"""One small training by the real pipeline, for tests that need processes of their own.

usage: run_small.py RUN_DIR DATA.tsv [SETTINGS as JSON, merged into those below]
"""

import json
import sys

import torch

from pellucid.config.read import merge
from pellucid.training.pipeline import train
from pellucid.training.reporter import Reporter

SETTINGS = {
    "size": "tiny",
    "device": "cpu",
    "tokenizer": {"vocab_size": 400},
    "model": {
        "d_model": 32,
        "d_ff": 64,
        "n_heads": 4,
        "n_encoder_layers": 2,
        "n_decoder_layers": 2,
        "dropout": 0.2,
    },
    "training": {
        "max_updates": 12,
        "max_tokens": 400,
        "accumulate": 2,
        "rate": 0.003,
        "warmup": 4,
        "log_every": 1,
        "validate_every": 6,
        "checkpoint_every": 3,
        "average": 2,
        "precision": "fp32",
        "threads": 1,
    },
}


def run(run_dir: str, data: str, over: dict) -> int:
    torch.set_num_threads(1)
    inputs = merge(SETTINGS, {"run_dir": run_dir, "data": {"train": [data]}})
    trained = train(merge(inputs, over), reporter=Reporter())
    return 0 if trained.signal is None else 128 + trained.signal


if __name__ == "__main__":
    over = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    sys.exit(run(sys.argv[1], sys.argv[2], over))
