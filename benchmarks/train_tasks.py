"""Training of three tasks beside plain loops.

python -m benchmarks.train_tasks classification --minilm DIR
python -m benchmarks.train_tasks masked_lm
python -m benchmarks.train_tasks language_modeling --nanogpt DIR

classification: MiniLM (all-MiniLM-L6-v2) fine-tuned on the sentences of SST-2, in batches of 32,
beside transformers with DataCollatorWithPadding. masked_lm: a 4-layer BERT on War and Peace in
blocks of 128 tokens, beside BertForMaskedLM with DataCollatorForLanguageModeling.
language_modeling: nanoGPT's shape for CPUs (4 layers, 4 heads, 128 wide, context 64, batches of
12) on the characters of tiny_shakespeare, beside nanoGPT in DIR, a checkout of it.

pellucid's update is the trainer's own, on batches from its own stream. Ratios of CPU time, round by
round, are printed too: other work on the machine hardly counts there. The
plain loops tokenize before they are timed; their optimizer is AdamW with the same settings, fused.
"""

import argparse
import gzip
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.contest import Contestant, Run, contest
from benchmarks.report import ratios, save_results, shared_data, show
from pellucid.allocator import prepare_for_steps
from pellucid.nn.kernel_cache import choose_kernels
from pellucid.nn.kernels import use_kernels
from pellucid.training.distribution import World
from pellucid.training.prepare import PreparedRun, locate_run, prepare_run
from pellucid.training.reporter import Quiet
from pellucid.training.run_directory import RunDirectory
from pellucid.training.stream import Stream
from pellucid.training.trainer import Trainer

RATE, DECAY, CLIP = 5e-4, 0.01, 1.0
UNITS = {
    "classification": "sentences/s",
    "masked_lm": "tokens/s",
    "language_modeling": "characters/s",
}
AIMS = {
    "classification": {"pellucid/transformers": 1.5},
    "masked_lm": {"pellucid/transformers": 2.0},
    "language_modeling": {"pellucid/nanoGPT": 1.5},
}
Update = Callable[[], float]
"""Makes one update and returns the amount of its data, in the unit of the task."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=list(UNITS))
    parser.add_argument("--minilm", type=Path, help="directory of all-MiniLM-L6-v2")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--seconds", type=float, default=10, help="of a round; at least one step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--name", default="", help="suffix of the file of results")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings, peer, peer_args = PREPARE[a.task](a, Path(folder))
        settings["training"]["precision"] = a.precision
        settings["run_dir"] = f"{folder}/run"
        choose_kernels(torch.device("cpu"))  # measured before the timed processes start
        prepare(settings)  # tokenizer and data are then read by the contestants
        name = next(iter(AIMS[a.task])).split("/")[1]
        contestants = {
            "pellucid": Contestant(run_pellucid, (settings, UNITS[a.task], a.seconds)),
            name: Contestant(peer, (settings, *peer_args, a.seconds)),
        }
        measured = contest(contestants, a.rounds, a.threads)
    show(f"{a.task}, {a.threads} threads", UNITS[a.task], measured, AIMS[a.task])
    per_cpu_second = {name: statistics.median(m.cpu_rates) for name, m in measured.items()}
    rounds = zip(*(m.cpu_rates for m in measured.values()), strict=True)
    in_cpu_time = statistics.median(own / peers for own, peers in rounds)
    print(f"  in CPU time, median of the ratios of rounds: {in_cpu_time:.2f}x")
    facts = {
        "threads": a.threads,
        "precision": a.precision,
        "unit": UNITS[a.task],
        "contestants": {name: m.row() for name, m in measured.items()},
        "ratios": ratios(measured, AIMS[a.task]),
        "aims": AIMS[a.task],
        "per second of CPU time": per_cpu_second,
        "ratio in CPU time": in_cpu_time,
    }
    precision = "" if a.precision == "auto" else a.precision
    save_results("-".join(filter(None, ("train", a.task, precision, a.name))), facts)


def sst2(a: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], Callable, tuple]:
    """Settings, the peer, and the peer's arguments for classification."""
    if a.minilm is None:
        sys.exit("classification needs --minilm DIR, the directory of all-MiniLM-L6-v2")
    data = shared_data("sst2") / "sentences"
    files = {"train": [str(data / "train.tsv")], "valid": [str(data / "dev.tsv")]}
    settings = {
        "task": "classification",
        "start_from": str(a.minilm),
        "data": files,
        "training": {"batch_examples": 32, "rate": RATE, "weight_decay": DECAY},
    }
    return settings, fine_tune, ()


def war_and_peace(a: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], Callable, tuple]:
    """Settings, the peer, and the peer's arguments for masked_lm."""
    settings = {
        "task": "masked_lm",
        "size": "bert-mini",
        "data": {
            "train": [str(shared_data("war_and_peace") / "warandpeace.txt.gz")],
            "documents": "blank_line",
            "max_length": 128,
        },
        "training": {"batch_examples": 16, "rate": RATE, "weight_decay": DECAY},
    }
    return settings, pretrain, ()


def shakespeare(a: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], Callable, tuple]:
    """Settings, the peer, and the peer's arguments for language_modeling."""
    if a.nanogpt is None:
        sys.exit("language_modeling needs --nanogpt DIR, a checkout of nanoGPT")
    with gzip.open(shared_data("tiny_shakespeare") / "input.txt.gz", "rt") as opened:
        text = opened.read()
    cut = len(text) * 9 // 10
    for name, part in (("train", text[:cut]), ("valid", text[cut:])):
        (folder / f"{name}.txt").write_text(part, encoding="utf-8")
    settings = {
        "task": "language_modeling",
        "size": "gpt2-nanogpt",
        "data": {
            "train": [str(folder / "train.txt")],
            "valid": [str(folder / "valid.txt")],
            "documents": "file",
        },
        "tokenizer": {"kind": "char", "normalize": "none", "min_frequency": 1},
        "model": {"activation": "gelu", "bias": "none"},  # as in nanoGPT
        "training": {"batch_examples": 12, "rate": RATE, "weight_decay": DECAY},
    }
    return settings, nanogpt, (str(a.nanogpt),)


PREPARE = {
    "classification": sst2,
    "masked_lm": war_and_peace,
    "language_modeling": shakespeare,
}


def prepare(settings: Mapping[str, Any]) -> tuple[PreparedRun, RunDirectory]:
    """Prepare the run of the settings. The tokenizer and the data are made once."""
    settings, run = locate_run(settings, "benchmark")
    return prepare_run(settings, run, World(), "benchmark", Quiet()), run


def repeat(update: Update, seconds: float) -> Run:
    """Return a round: updates for so many seconds."""

    def run() -> float:
        work, end = 0.0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            work += update()
        return work

    return run


def run_pellucid(settings: Mapping[str, Any], unit: str, seconds: float) -> tuple[Run, Any]:
    """Return the trainer's update, on batches of its stream."""
    prepare_for_steps()  # as our command line does
    prepared, run = prepare(settings)
    config, task, data = prepared.config, prepared.task, prepared.data
    stream = Stream(task, data.train, config.training).iterate_from(0)
    choices = choose_kernels(torch.device("cpu")).choices
    with use_kernels(choices):  # the trainer reads there whether to compute in bf16
        trainer = Trainer(task, data, config, run)

    def update() -> float:
        micro_batches = list(islice(stream, 1))
        with use_kernels(choices):
            trainer._update(micro_batches, RATE)
        if unit == "sentences/s":
            return len(micro_batches[0].indices)
        return task.tokens(micro_batches[0].batch)

    return repeat(update, seconds), None


def plain_update(module: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Backward, clip, step."""
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def adamw(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=DECAY, fused=True)


def endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def fine_tune(settings: Mapping[str, Any], seconds: float) -> tuple[Run, Any]:
    """Return the update of a loop over BertForSequenceClassification."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
    )

    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(settings["start_from"])
    module = AutoModelForSequenceClassification.from_pretrained(
        settings["start_from"], num_labels=2
    ).train()
    lines = Path(settings["data"]["train"][0]).read_text(encoding="utf-8").rstrip("\n").split("\n")
    rows = [line.split("\t") for line in lines]
    encoded = tokenizer([text for text, _ in rows], truncation=True, max_length=128)["input_ids"]
    data = [{"input_ids": i, "label": int(y)} for i, (_, y) in zip(encoded, rows, strict=True)]
    loader = torch.utils.data.DataLoader(
        data,  # type: ignore[arg-type]
        batch_size=32,
        shuffle=True,
        collate_fn=DataCollatorWithPadding(tokenizer),
    )
    batches, optimizer = endless(loader), adamw(module)

    def update() -> float:
        batch = next(batches)
        plain_update(module, optimizer, module(**batch).loss)
        return len(batch["labels"])

    return repeat(update, seconds), None


def pretrain(settings: Mapping[str, Any], seconds: float) -> tuple[Run, Any]:
    """Return the update of a loop over BertForMaskedLM, on the blocks that pellucid made."""
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        DataCollatorForLanguageModeling,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(1)
    prepared, directory = prepare(settings)
    tokenizer, data = prepared.task.inputs.tokenizers.source, prepared.data.train
    their = PreTrainedTokenizerFast(
        tokenizer_file=str(next(directory.tokenizers.rglob("tokenizer.json"))),
        mask_token="[MASK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
    )
    model = prepared.config.model
    module = BertForMaskedLM(
        BertConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=model.d_model,
            num_hidden_layers=model.n_encoder_layers,
            num_attention_heads=model.n_heads,
            intermediate_size=model.d_ff,
        )
    ).train()
    texts = (data[i][0].tolist() for i in range(len(data)))
    rows = [tokenizer.add_special_tokens(ids).ids for ids in texts]
    loader = torch.utils.data.DataLoader(
        [{"input_ids": np.array(row)} for row in rows],  # type: ignore[arg-type]
        batch_size=16,
        shuffle=True,
        collate_fn=DataCollatorForLanguageModeling(their, mlm_probability=0.15),
    )
    batches, optimizer = endless(loader), adamw(module)

    def update() -> float:
        batch = next(batches)
        plain_update(module, optimizer, module(**batch).loss)
        return float(batch["attention_mask"].sum())

    return repeat(update, seconds), None


def nanogpt(settings: Mapping[str, Any], checkout: str, seconds: float) -> tuple[Run, Any]:
    """Return the update of nanoGPT's train.py with its settings for a CPU."""
    sys.path.insert(0, checkout)
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    torch.manual_seed(1)
    text = Path(settings["data"]["train"][0]).read_text(encoding="utf-8")
    ids_of = {character: i for i, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([ids_of[character] for character in text])
    module = GPT(
        GPTConfig(
            block_size=64,
            vocab_size=len(ids_of),
            n_layer=4,
            n_head=4,
            n_embd=128,
            dropout=0.0,
            bias=False,
        )
    ).train()
    optimizer = module.configure_optimizers(DECAY, RATE, (0.9, 0.95), "cpu")

    def update() -> float:
        starts = torch.randint(len(ids) - 64, (12,))
        x = torch.stack([ids[i : i + 64] for i in starts])
        y = torch.stack([ids[i + 1 : i + 65] for i in starts])
        plain_update(module, optimizer, module(x, y)[1])
        return x.numel()

    return repeat(update, seconds), None


if __name__ == "__main__":
    main()
