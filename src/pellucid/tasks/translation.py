"""Translation: parallel text in, the next target token out (Vaswani et al. 2017, section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import Roles
from pellucid.config.run import RunConfig
from pellucid.data.batching import plan
from pellucid.data.store import PairStore
from pellucid.data.vectors import Vectors
from pellucid.families.catalog import OWN_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.inference.translate import translate
from pellucid.metrics.translation import bleu
from pellucid.nn.base import Model
from pellucid.nn.embedding import Embedding, set_rows
from pellucid.nn.losses import cross_entropy, perplexity
from pellucid.nn.masks import keep_from
from pellucid.nn.model import build
from pellucid.tasks.protocol import Term
from pellucid.text.pair import Tokenizers

Around = tuple[list[int], list[int]]
NAME = "translation"
VALID_TOKENS = 4096


class PairBatch(NamedTuple):
    """Padded pairs: the decoder reads `target` and must say `labels`, one step ahead."""

    source: Tensor  # (B, S), each ends with the end token
    keep: Tensor | None  # (B, S), True = real; None if no row is padded
    target: Tensor  # (B, T), each begins with the start token, or with its own last
    real: Tensor  # (N,), where in (B * T) a label is real
    labels: Tensor  # (N,), each row's ends with the end token, or as its template does

    def to(self, device: torch.device) -> "PairBatch":
        return PairBatch(
            *(None if x is None else x.to(device, non_blocking=True) for x in self)  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class TranslationTask:
    """The task of one run."""

    config: RunConfig
    tokenizers: Tokenizers
    valid: PairStore
    valid_text: Sequence[tuple[str, str]]
    longest_source: int
    """Tokens of the longest source in training."""
    roles: Roles = Roles()  # noqa: RUF009 (frozen)
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    """What rows of a stack's embedding begin as, where that was learned elsewhere."""

    def build(self, seed: int) -> nn.Module:
        """The model of the run's config, its vocabulary sizes from the tokenizers."""
        model = build(sized(self.config, self.tokenizers).model, seed)
        for stack, (rows, values) in self.vectors.items():
            embedding = model.get_submodule(f"{stack}.embedding")
            assert isinstance(embedding, Embedding)
            set_rows(embedding, torch.from_numpy(rows), torch.from_numpy(values))
        return model

    def collate(self, examples: Sequence[tuple[np.ndarray, np.ndarray]], seed: int) -> PairBatch:
        """Pairs of ids to a batch; nothing here is random."""
        pad = self.tokenizers.target.id("pad")
        sources = [source for source, _ in examples]
        targets = [target for _, target in examples]
        around = template_ids(self.tokenizers.source)
        source, lengths = _padded(sources, self.tokenizers.source.id("pad"), around)
        around = template_ids(self.tokenizers.target)
        labels, target_lengths = _padded(targets, pad, around)
        target = np.roll(labels, 1, axis=1)
        if self.roles.start == "last":
            target[:, 0] = around[1][-1]
        else:
            target[:, 0] = self.tokenizers.target.id(self.roles.start)
        real = np.arange(labels.shape[1]) < target_lengths[:, None]  # (B, T)
        target[~real] = pad
        return PairBatch(
            source=torch.from_numpy(source),
            keep=keep_from(torch.from_numpy(lengths), source.shape[1]),
            target=torch.from_numpy(target),
            real=torch.from_numpy(np.flatnonzero(real)),
            labels=torch.from_numpy(labels[real]),
        )

    def counts(self, batch: PairBatch) -> dict[str, int]:
        """Target tokens, end tokens counted."""
        return {NAME: len(batch.labels)}

    def loss(self, module: nn.Module, batch: PairBatch) -> dict[str, Term]:
        """Smoothed cross-entropy of every real target token; padding costs no logits."""
        logits = _logits(module, batch)
        return {
            NAME: Term(cross_entropy(logits, batch.labels, self.config.training.label_smoothing))
        }

    def validate(self, module: nn.Module, device: torch.device) -> dict[str, float]:
        """Loss and perplexity a token, unsmoothed; BLEU where the run is judged by it."""
        total, count = 0.0, 0
        with torch.inference_mode():
            for indices in plan(self.valid.lengths, VALID_TOKENS, seed=0, epoch=0):
                batch = self.collate([self.valid[int(i)] for i in indices], 0).to(device)
                total += float(cross_entropy(_logits(module, batch), batch.labels))
                count += len(batch.labels)
        scores = {"loss": total / max(count, 1), "perplexity": perplexity(total, count)}
        if self.config.training.best_by == "bleu":
            scores["bleu"] = self._bleu(module)
        return scores

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """The one model of this task."""
        assert isinstance(module, Model)
        c = sized(self.config, self.tokenizers)
        languages = (c.data.source_language, c.data.target_language)
        return {
            "final": Bundle(
                model=module,
                model_config=c.model,
                tokenizers=self.tokenizers,
                task=NAME,
                roles=self.roles,
                decoding=c.decoding,
                languages=languages,
                longest_source=self.longest_source,
                card="",
                family=next(n for n, f in OWN_FAMILIES.items() if f.config is type(c.model)),
            )
        }

    def _bleu(self, module: nn.Module) -> float:
        directory = self.export(module)["final"]
        texts = [source for source, _ in self.valid_text]
        results = translate(directory, texts, self.config.decoding)
        references = [target for _, target in self.valid_text]
        hypotheses = [best.text for best, *_ in results]
        return bleu(hypotheses, references, directory.languages[1]).value


def sized(config: RunConfig, tokenizers: Tokenizers) -> RunConfig:
    """The config with the vocabulary sizes that these tokenizers have."""
    sizes = {"vocab_size": tokenizers.source.vocab_size}
    if not tokenizers.joint:
        sizes["target_vocab_size"] = tokenizers.target.vocab_size
    return replace(config, model=replace(config.model, **sizes))


def _logits(module: nn.Module, batch: PairBatch) -> Tensor:
    """Logits (N, V) of the real places alone."""
    assert isinstance(module, Model)
    state = module(batch.source, batch.keep, batch.target)  # (B, T, D)
    return module.heads["lm"](state.flatten(0, 1).index_select(0, batch.real))


def _padded(rows: Sequence[np.ndarray], pad: int, around: Around) -> tuple[np.ndarray, np.ndarray]:
    """Rows among their special tokens, padded on the right to (B, longest); and lengths (B,)."""
    before, after = around
    lengths = np.array([len(before) + len(row) + len(after) for row in rows], dtype=np.int64)
    padded = np.full((len(rows), int(lengths.max())), pad, dtype=np.int64)
    for filled, row, length in zip(padded, rows, lengths, strict=True):
        filled[: len(before)] = before
        filled[len(before) : length - len(after)] = row
        filled[length - len(after) : length] = after
    return padded, lengths
