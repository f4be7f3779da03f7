"""Training beside plain loops over torch.nn.Transformer and transformers' MarianMTModel.

python -m benchmarks.train [--size tiny base]

Everyone gets the same batches of Multi30k and has the same shape, dropout of 0.1, label smoothing
of 0.1 and fused Adam. Ours is what the trainer does in one update, and keeps freed memory, as our
command line does; the plain loops do what a loop written in an afternoon does.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.contest import Contestant, Run, contest
from benchmarks.peers import PAD, marian
from benchmarks.report import multi30k, ratios, save_results, show
from pellucid.allocator import prepare_for_steps
from pellucid.config.columns import PAIR
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.model import ModelConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.data.batching import Batches
from pellucid.data.records import Record, read_records
from pellucid.data.store import ExampleStore, build_store
from pellucid.families.transformer import PRESETS
from pellucid.nn.kernel_cache import choose_kernels
from pellucid.nn.kernel_choice import KernelChoices
from pellucid.nn.kernels import use_kernels
from pellucid.nn.model import build
from pellucid.nn.positions import sinusoids
from pellucid.tasks.encoder_decoder import PairBatch
from pellucid.tasks.protocol import TaskInputs, combine_terms
from pellucid.tasks.translation import TranslationTask
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizers
from pellucid.training.optimizers import build_optimizer, set_rate

SMOOTHING, RATE = 0.1, 3e-4
AIMS = {
    "tiny": {"pellucid/nn.Transformer": 2.5, "pellucid/transformers": 2.2},
    "base": {"pellucid/nn.Transformer": 3.0, "pellucid/transformers": 3.0},
}
ALL = (
    "pellucid",
    "pellucid-fp32",
    "pellucid-onednn",
    "pellucid-bf16",
    "nn.Transformer",
    "transformers",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", nargs="+", default=["tiny", "base"], choices=list(AIMS))
    parser.add_argument("--seconds", type=float, default=10, help="of a round; at least one step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=list(ALL), choices=ALL)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare_data(multi30k(), Path(folder))
        for size in arguments.size:
            args = (size, folder, arguments.seconds)
            contestants = {n: Contestant(contestant, (n, *args)) for n in arguments.only}
            measured = contest(contestants, arguments.rounds, arguments.threads)
            show(f"{size}, {arguments.threads} threads", "target tokens/s", measured, AIMS[size])
            losses = {name: m.extra["losses"][-1] for name, m in measured.items()}
            print("  last loss:", ", ".join(f"{k} {v:.2f}" for k, v in losses.items()))
            facts = {
                "threads": arguments.threads,
                "contestants": {name: m.row() for name, m in measured.items()},
                "ratios": ratios(measured, AIMS[size]),
                "aims": AIMS[size],
                "losses": {name: m.extra["losses"] for name, m in measured.items()},
            }
            save_results(f"train-{size}", facts)


def prepare_data(source: Path, folder: Path) -> None:
    """A joint BPE of 10,000 pieces and the ids of Multi30k's training pairs."""
    files = tuple(str(source / f"train.lc.norm.tok.{side}.gz") for side in ("en", "de"))
    config = DataConfig(train=files, source_language="en", target_language="de")
    settings = TokenizerConfig(kind="bpe")

    def records() -> Iterator[Record]:
        return read_records(files, PAIR, config)

    tokenizers = train_tokenizers(lambda: (record.values for record in records()), settings)
    (folder / "tokenizer").mkdir()
    tokenizers.save(folder / "tokenizer")
    build_store(records(), task_of(folder, "tiny").encode, folder / "pairs")


def task_of(folder: Path, size: str) -> TranslationTask:
    """Translation with the tokenizer in this folder."""
    config = RunConfig(
        family="transformer", size=size, objective=TranslationConfig(label_smoothing=SMOOTHING)
    )
    tokenizers = Tokenizers.load(folder / "tokenizer")
    return TranslationTask(TaskInputs(config=config, tokenizers=tokenizers))


def contestant(name: str, size: str, folder: str, seconds: float) -> tuple[Run, Any]:
    """A round: updates for so many seconds; gives how many target tokens they held."""
    torch.manual_seed(1)
    batches, task = stream(Path(folder), size)
    c = replace(PRESETS[size], vocab_size=task.inputs.tokenizers.target.vocab_size, dropout=0.1)
    update = UPDATES[name](c, task)
    losses: list[float] = []

    def run() -> float:
        tokens, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            batch = next(batches)
            losses.append(update(batch) / len(batch.labels))
            tokens += len(batch.labels)
        return tokens

    return run, {"losses": losses}


def stream(folder: Path, size: str) -> tuple[Iterator[PairBatch], TranslationTask]:
    """Batches of at most 4,096 tokens a side, the same for all, without end."""
    examples, task = ExampleStore(folder / "pairs"), task_of(folder, size)
    max_tokens = task.inputs.config.training.max_tokens
    batches = Batches(examples.lengths, max_tokens, seed=1).iterate_from(0)
    collated = (task.collate([examples[int(i)] for i in rows], 0) for _, rows in batches)
    return collated, task


def run_pellucid(
    c: ModelConfig, task: TranslationTask, choices: KernelChoices
) -> Callable[[PairBatch], float]:
    """What the trainer does in one update."""
    prepare_for_steps()  # as our command line does
    module = build(c, seed=1).train()
    optimizer = build_optimizer(module, task.inputs.config.training)

    def update(batch: PairBatch) -> float:
        with use_kernels(choices):
            with torch.autocast("cpu", torch.bfloat16, enabled=choices.bf16):
                terms = task.loss(module, batch)
            combine_terms(terms, task.counts(batch)).backward()
        norm = torch.nn.utils.get_total_norm(
            [p.grad for p in module.parameters() if p.grad is not None]
        )
        assert norm.isfinite()
        set_rate(optimizer, RATE)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return sum(float(term.sum) for term in terms.values())

    return update


def measured() -> KernelChoices:
    """What `precision: auto` trains with here."""
    return choose_kernels(torch.device("cpu")).choices


class Plain(nn.Module):
    """torch.nn.Transformer as its documentation shows it."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.scale = math.sqrt(c.d_model)
        self.embedding = nn.Embedding(c.vocab_size, c.d_model, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, 0, c.d_model**-0.5)
        self.register_buffer("positions", sinusoids(256, c.d_model))
        self.dropout = nn.Dropout(c.dropout)
        layers = (c.n_encoder_layers, c.n_decoder_layers)
        self.transformer = nn.Transformer(
            c.d_model, c.n_heads, *layers, c.d_ff, c.dropout, batch_first=True
        )

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        padding = source == PAD
        state = self.transformer(
            self.embed(source),
            self.embed(target),
            tgt_mask=torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return F.linear(state, self.embedding.weight)

    def embed(self, ids: Tensor) -> Tensor:
        positions = self.positions[: ids.shape[1]]  # type: ignore[index]
        return self.dropout(self.embedding(ids) * self.scale + positions)


def plain_loop(
    module: nn.Module, logits_of: Callable[[PairBatch], Tensor]
) -> Callable[[PairBatch], float]:
    """Loss over all positions, padding ignored; backward; Adam."""
    module.train()
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE, betas=(0.9, 0.98), fused=True)

    def update(batch: PairBatch) -> float:
        labels = torch.full((batch.target.numel(),), PAD)
        labels[batch.real] = batch.labels
        loss = F.cross_entropy(
            logits_of(batch).flatten(0, 1), labels, ignore_index=PAD, label_smoothing=SMOOTHING
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item() * len(batch.labels)

    return update


def nn_transformer(c: ModelConfig, task: TranslationTask) -> Callable[[PairBatch], float]:
    module = Plain(c)
    return plain_loop(module, lambda batch: module(batch.source, batch.target))


def transformers(c: ModelConfig, task: TranslationTask) -> Callable[[PairBatch], float]:
    module = marian(c, c.dropout)
    nn.init.normal_(module.model.shared.weight, 0, c.d_model**-0.5)

    def logits(batch: PairBatch) -> Tensor:
        mask = (batch.source != PAD).long()
        return module(
            input_ids=batch.source, attention_mask=mask, decoder_input_ids=batch.target
        ).logits

    return plain_loop(module, logits)


UPDATES: dict[str, Callable[[ModelConfig, TranslationTask], Callable[[PairBatch], float]]] = {
    "pellucid": lambda c, task: run_pellucid(c, task, measured()),
    "pellucid-fp32": lambda c, task: run_pellucid(c, task, KernelChoices()),
    "pellucid-onednn": lambda c, task: run_pellucid(c, task, KernelChoices(onednn=True)),
    "pellucid-bf16": lambda c, task: run_pellucid(c, task, KernelChoices(bf16=True)),
    "nn.Transformer": nn_transformer,
    "transformers": transformers,
}

if __name__ == "__main__":
    main()
