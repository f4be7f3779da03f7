"""Small real runs, each in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pellucid import garden

SCRIPT = Path(__file__).parent / "run_small.py"
CHARACTERS = "中文语言模型在北京和上海的人工智能"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory):
    """300 pairs of the garden as a TSV."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.en-de.tsv"
    lines = (f"{source}\t{target}\n" for source, target in garden.pairs(300, "en", "de"))
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def start(pairs_file):
    """start(run_dir, settings, launcher=(), cwd=None, **environment) -> a running training."""

    def begin(run_dir, over=None, launcher=(), cwd=None, **environment):
        command = [sys.executable, *launcher, SCRIPT, run_dir, pairs_file, json.dumps(over or {})]
        return subprocess.Popen(
            list(map(str, command)),
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"} | environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture(scope="session")
def chinese_bert(tmp_path_factory):
    """The layout of bert-base-chinese, smaller: `vocab.txt` only, and more rows than pieces."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("bert") / "chinese"
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=12,
    )
    transformers.BertForMaskedLM(config).save_pretrained(path)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    (path / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (path / "generation_config.json").unlink(missing_ok=True)
    return path


@pytest.fixture(scope="session")
def chinese_conll(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "zh.conll"
    rows = [
        "\n".join(f"{c} {'B-LOC' if c in '北上' else 'O'}" for c in CHARACTERS[i:] + CHARACTERS[:i])
        for i in range(30)
    ]
    path.write_text("\n\n".join(rows), encoding="utf-8")
    return path


def finished(process, expected=0):
    """What a process said on stderr; it must end with this code."""
    _, message = process.communicate(timeout=250)
    assert process.returncode == expected, message
    return message


def figures(run_dir):
    """The run's metrics but for times."""
    lines = (Path(run_dir) / "metrics.jsonl").read_text().split("\n")
    records = [json.loads(line) for line in lines if line]
    return [
        {k: v for k, v in r.items() if k not in ("seconds", "tokens_per_second")} for r in records
    ]
