"""Translation: predict the next target token of parallel text (Vaswani et al. 2017, section 5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import Roles
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData, split_into_chunks
from pellucid.data.records import Record
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.inference.translate import translate
from pellucid.metrics.translation import bleu
from pellucid.nn.base import Model
from pellucid.nn.losses import cross_entropy, perplexity
from pellucid.nn.masks import keep_from
from pellucid.nn.model import materialize
from pellucid.tasks.padding import pad_texts
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.starting_weights import copy_starting_weights

NAME = TranslationConfig.name
HEAD = "lm"


class PairBatch(NamedTuple):
    """Padded pairs. `labels` holds the next token of `target` at each real position."""

    source: Tensor  # (B, S), with the special tokens of the tokenizer
    keep: Tensor | None  # (B, S), True = real; None if no row is padded
    target: Tensor  # (B, T), decoder input: labels shifted right
    real: Tensor  # (N,), indices into (B * T) of real labels
    labels: Tensor  # (N,), with the special tokens of the tokenizer

    def to(self, device: torch.device) -> "PairBatch":
        return PairBatch(
            *(None if x is None else x.to(device, non_blocking=True) for x in self)  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class TranslationTask(Task):
    """The task of one run."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        inputs, c = self.inputs, self.inputs.config
        if not (c.model.n_encoder_layers and c.model.n_decoder_layers):
            raise ConfigError(
                f"translation needs an encoder and a decoder, but this model of family {c.family}"
                f" has {c.model.n_encoder_layers} and {c.model.n_decoder_layers} layers. Use"
                " another model or task."
            )
        if inputs.heads and HEAD not in inputs.heads:
            raise ConfigError(
                f"the model to start from predicts no tokens: its heads are"
                f" {', '.join(inputs.heads)}. Start from a translator or another text generator."
            )
        inputs.tokenizers.source.id("pad")
        inputs.tokenizers.target.id("pad")
        self._first_token()

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield one example per pair: ids of source and target, without special tokens."""
        tokenizers, most = self.inputs.tokenizers, self.inputs.config.data.max_length
        n_source, n_target = (
            len(tokenizer.add_special_tokens([]).ids)
            for tokenizer in (tokenizers.source, tokenizers.target)
        )
        for chunk in split_into_chunks(records):
            sources = tokenizers.source.encode_batch([record.values[0] for record in chunk])
            targets = tokenizers.target.encode_batch([record.values[1] for record in chunk])
            for record, source, target in zip(chunk, sources, targets, strict=True):
                if not source or not target:
                    yield LeftOutRecord("blank")
                elif max(len(source), len(target)) > most:
                    yield LeftOutRecord("too long")
                else:
                    lengths = (len(source) + n_source, len(target) + n_target)
                    ids = (np.array(source, np.int32), np.array(target, np.int32))
                    yield Encoded(ids, lengths, record)

    def build(self, seed: int) -> nn.Module:
        """Build the model of the run's config."""
        inputs = self.inputs
        heads = inputs.heads or None
        with torch.device("meta"):
            module = ALL_FAMILIES[inputs.config.family].module(inputs.model_config, heads)
        model = materialize(module, seed)
        copy_starting_weights(model, inputs)
        return model

    def collate(self, examples: Sequence[tuple[np.ndarray, np.ndarray]], seed: int) -> PairBatch:
        """Return pairs as a batch. `seed` is not used."""
        source, target = self.inputs.tokenizers.source, self.inputs.tokenizers.target
        source_ids, lengths = pad_texts([ids for ids, _ in examples], source)
        labels, target_lengths = pad_texts([ids for _, ids in examples], target)
        target_ids = np.roll(labels, 1, axis=1)
        target_ids[:, 0] = self._first_token()
        real = np.arange(labels.shape[1]) < target_lengths[:, None]  # (B, T)
        target_ids[~real] = target.id("pad")
        return PairBatch(
            source=torch.from_numpy(source_ids),
            keep=keep_from(torch.from_numpy(lengths), source_ids.shape[1]),
            target=torch.from_numpy(target_ids),
            real=torch.from_numpy(np.flatnonzero(real)),
            labels=torch.from_numpy(labels[real]),
        )

    def counts(self, batch: PairBatch) -> dict[str, int]:
        """Return the number of target tokens, with special tokens."""
        return {NAME: len(batch.labels)}

    def tokens(self, batch: PairBatch) -> int:
        """Return the number of source and target tokens."""
        source = batch.source.numel() if batch.keep is None else int(batch.keep.sum())
        return source + len(batch.labels)

    def loss(self, module: nn.Module, batch: PairBatch) -> dict[str, Term]:
        """Return the label-smoothed cross-entropy of the target tokens, without padding."""
        logits = _logits(module, batch)
        return {NAME: Term(cross_entropy(logits, batch.labels, self._objective.label_smoothing))}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return unsmoothed loss and perplexity, and BLEU if it selects the checkpoint."""
        total, count = 0.0, 0
        with torch.inference_mode():
            for indices in evaluation_batches(validation.examples.lengths):
                batch = self.collate([validation.examples[i] for i in indices], 0).to(device)
                total += float(cross_entropy(_logits(module, batch), batch.labels))
                count += len(batch.labels)
        scores = {"loss": total / max(count, 1), "perplexity": perplexity(total, count)}
        if self.inputs.config.best_by == "bleu":
            scores["bleu"] = self._bleu(module, validation)
        return scores

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        assert isinstance(module, Model)
        c = self.inputs.config
        bundle = Bundle(
            model=module,
            model_config=module.config,
            tokenizers=self.inputs.tokenizers,
            task=NAME,
            roles=self._roles,
            decoding=c.decoding,
            languages=(c.data.source_language, c.data.target_language),
            longest_source=self.inputs.longest[0],
            card="",
            family=c.family,
            token_ids=self.inputs.token_ids,
        )
        return {"final": bundle}

    @property
    def _objective(self) -> TranslationConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, TranslationConfig)
        return objective

    @property
    def _roles(self) -> Roles:
        family = ALL_FAMILIES[self.inputs.config.family]
        return getattr(family, "roles", Roles())

    def _first_token(self) -> int:
        """Return the first decoder input: the start token, or the last token of a text."""
        target, role = self.inputs.tokenizers.target, self._roles.start
        return template_ids(target)[1][-1] if role == "last" else target.id(role)

    def _bleu(self, module: nn.Module, validation: ValidationData) -> float:
        bundle = self.export(module)["final"]
        results = translate(bundle, [record.values[0] for record in validation.records])
        hypotheses = [best.text for best, *_ in results]
        references = [record.values[1] for record in validation.records]
        return bleu(hypotheses, references, bundle.languages[1]).value


def _logits(module: nn.Module, batch: PairBatch) -> Tensor:
    """Return logits (N, V) of the real target positions."""
    assert isinstance(module, Model)
    state = module(batch.source, batch.keep, batch.target)  # (B, T, D)
    return module.heads[HEAD](state.flatten(0, 1).index_select(0, batch.real))
