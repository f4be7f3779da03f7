"""Classification: one label, or several, for a text or a pair (Devlin et al. 2019, 4.1)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.head import Problem
from pellucid.config.tasks.classification import ClassificationConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.tasks.augmentation import draw_spans, drop_words
from pellucid.tasks.class_weights import (
    binary_loss,
    binary_weights,
    class_weights,
    label_loss,
)
from pellucid.tasks.classification_metrics import Predictions, measure_predictions
from pellucid.tasks.encoder import (
    build_encoder,
    build_encoder_bundle,
    check_encoder,
    get_family_head,
)
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.r_drop import loss_terms, r_drop_count
from pellucid.tasks.soft_targets import check_teachers, mean_probabilities, soft_loss
from pellucid.tasks.text_pairs import TextRows, encode_texts, pad_text_rows, score_texts

NAME = ClassificationConfig.name
HEAD = "classifier"
TEACHERS = "teachers"
"""Name of the loss with the teachers' probabilities as target."""
LIKELY = 0.0
"""With several labels, a label is predicted if its logit is above this (probability 1/2)."""


class LabelledBatch(NamedTuple):
    """Padded texts and their labels, then spans of texts, which have none."""

    rows: TextRows  # N texts and spans
    labels: Tensor  # (B,) ids of the first B; of several labels (B, C), 1.0 = has the label

    def to(self, device: torch.device) -> "LabelledBatch":
        return LabelledBatch(self.rows.to(device), self.labels.to(device, non_blocking=True))


@dataclass(frozen=True)
class ClassificationTask(Task):
    """The task of one run."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        needed = ("pad", "unk") if self._objective.word_dropout else ("pad",)
        check_encoder(self.inputs, HEAD, needed)
        if len(self.labels) < 2 and not self._is_multi_label:
            raise ConfigError(
                f"all texts have the label {', '.join(self.labels)!r}, so nothing can be learned."
                " Check which column holds the labels: data.columns."
            )
        check_teachers(self.inputs, self._objective.teachers, HEAD, self.labels, self._problem)

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield the ids of the text or pair, and of its labels; a text that is too long is cut."""
        ids_of = {label: i for i, label in enumerate(self.labels)}
        for record, texts in encode_texts(records, self.inputs):
            if isinstance(texts, LeftOutRecord):
                yield texts
                continue
            labels = np.array(_label_ids(record, ids_of), np.int32)
            columns = (texts.first, texts.second, labels)
            yield Encoded(columns, (texts.length,), record, texts.is_cut)

    def build(self, seed: int) -> nn.Module:
        """Build an encoder with a head that scores labels."""
        head = get_family_head(self.inputs.config.family, HEAD)
        pool = self._objective.pool
        head = replace(
            head,
            outputs=len(self.labels),
            labels=self.labels,
            problem=self._problem,
            pool=head.pool if pool == "auto" else pool,
        )
        return build_encoder(self.inputs, {HEAD: head}, seed)

    def collate(self, examples: Sequence[tuple[np.ndarray, ...]], seed: int) -> LabelledBatch:
        """Return texts as a batch, then their spans. `seed` determines spans and unknown pieces."""
        c, rng = self._objective, np.random.default_rng(seed)
        texts = [(first, second) for first, second, _ in examples]
        texts += draw_spans(texts, c.spans, rng)
        if c.word_dropout:
            texts = drop_words(texts, c.word_dropout, self.inputs.tokenizers.source.id("unk"), rng)
        return self._pad(texts, examples)

    def counts(self, batch: LabelledBatch) -> dict[str, int]:
        """Return the number of texts; with several labels, of all decisions (text, label).

        With teachers also that of texts and spans together, or of all their decisions.
        """
        n = batch.labels.numel()
        counts = {NAME: n, **r_drop_count(self._objective.r_drop, n)}
        if self.inputs.teachers:
            counts[TEACHERS] = len(batch.rows.ids) * (n // len(batch.labels))
        return counts

    def tokens(self, batch: LabelledBatch) -> int:
        """Return the number of tokens of the texts, special ones included."""
        return batch.rows.count_tokens()

    def loss(self, module: nn.Module, batch: LabelledBatch) -> dict[str, Term]:
        """Return the cross-entropy of the label; with several labels, of each decision.

        With teachers, also the cross-entropy with their probabilities.
        """

        def loss(logits: Tensor) -> Tensor:
            return self._loss(logits, batch.labels, self._weights)

        def score() -> Tensor:
            return score_texts(module, batch.rows, HEAD)

        c, is_multi = self._objective, self._is_multi_label
        if self.inputs.teachers:
            teachers = [bundle.model for bundle in self.inputs.teachers]
            targets = mean_probabilities(teachers, batch.rows, HEAD, c.temperature, is_multi)
            logits = score()  # (N, C)
            soft = soft_loss(logits, targets, c.temperature, is_multi)
            hard = loss(logits[: len(batch.labels)])
            return {NAME: Term(hard, 1 - c.teacher_share), TEACHERS: Term(soft, c.teacher_share)}
        return loss_terms(NAME, score, loss, c.r_drop, is_multi)

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return loss per decision, accuracy, macro and micro F1, and Matthews' correlation."""
        total, count = 0.0, 0
        parts: list[Predictions] = []
        with torch.inference_mode():
            for indices in evaluation_batches(validation.examples.lengths):
                examples = [validation.examples[i] for i in indices]
                batch = self._pad(examples, examples).to(device)
                logits = score_texts(module, batch.rows, HEAD)
                total += float(self._loss(logits, batch.labels))
                count += batch.labels.numel()
                parts.append(self._predict(indices, logits, batch.labels))
        predictions = Predictions(*map(np.concatenate, zip(*parts, strict=True)))
        return measure_predictions(
            predictions,
            self.labels,
            total / count,
            validation.examples,
            list_wrong=validation.list_wrong,
        )

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        assert isinstance(module, Model)
        return {"final": build_encoder_bundle(module, self.inputs)}

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of their ids."""
        return self.inputs.labels["labels" if self._is_multi_label else "label"]

    @property
    def _is_multi_label(self) -> bool:
        return self._objective.multi_label

    @property
    def _problem(self) -> Problem:
        return "multi_label" if self._is_multi_label else "single_label"

    @property
    def _objective(self) -> ClassificationConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, ClassificationConfig)
        return objective

    @cached_property
    def _weights(self) -> Tensor | None:
        """The weight of each label in training, (C,), or of each decision, (2, C)."""
        inputs, objective = self.inputs, self._objective
        name = "labels" if self._is_multi_label else "label"
        counts = inputs.label_counts.get(name, {})
        if self._is_multi_label:
            return binary_weights(objective.class_weights, self.labels, counts, inputs.n_records)
        return class_weights(objective.class_weights, self.labels, counts)

    def _pad(
        self, texts: Sequence[Sequence[np.ndarray]], examples: Sequence[Sequence[np.ndarray]]
    ) -> LabelledBatch:
        """Return texts as a batch, with the labels of the examples."""
        rows, labels = pad_text_rows(texts, self.inputs), [each[-1] for each in examples]
        if not self._is_multi_label:
            return LabelledBatch(rows, torch.from_numpy(np.concatenate(labels)).long())
        has = torch.zeros(len(labels), len(self.labels))
        for row, each in zip(has, labels, strict=True):
            row[torch.from_numpy(np.asarray(each, np.int64))] = 1.0
        return LabelledBatch(rows, has)

    def _predict(self, indices: Sequence[int], logits: Tensor, labels: Tensor) -> Predictions:
        """Return the predictions for a batch: labels from logits (B, C) with probabilities."""
        if self._is_multi_label:
            best, each = logits > LIKELY, logits.double().sigmoid()
            probability = torch.maximum(each, 1 - each).prod(-1)  # (B,)
        else:
            probability, best = logits.double().softmax(-1).max(-1)  # (B,), (B,)
        columns = (best, labels.to(best.dtype), probability)
        return Predictions(np.asarray(indices), *(x.cpu().numpy() for x in columns))

    def _loss(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the summed loss of logits (B, C)."""
        loss = binary_loss if self._is_multi_label else label_loss
        return loss(logits, labels, weights)


def _label_ids(record: Record, ids_of: Mapping[str, int]) -> list[int]:
    """Return the ids of a record's labels. Raises: DataError at one that the model lacks."""
    value: Any = record.values[2]
    labels = (value,) if isinstance(value, str) else value
    unknown = [label for label in labels if label not in ids_of]
    if unknown:
        raise DataError(
            f"{record.origin}: label {unknown[0][:60]!r} is not among the model's"
            f" {len(ids_of)} labels: {', '.join(ids_of)[:200]}."
        )
    return [ids_of[label] for label in labels]
