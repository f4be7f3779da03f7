"""Distillation: a smaller masked language model learns from a larger one (Sanh et al. 2019)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.tasks.distillation import DistillationConfig
from pellucid.config.tasks.masked_lm import MaskedLMConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData
from pellucid.data.records import Record
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.losses import cross_entropy, divergence, perplexity
from pellucid.tasks.documents import encode_documents
from pellucid.tasks.encoder import (
    build_encoder,
    build_encoder_bundle,
    check_encoder,
    get_family_head,
    max_text_tokens,
)
from pellucid.tasks.masking import MaskedBatch, Masker
from pellucid.tasks.padding import pad_wrapped
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.teacher import HEAD, check_teacher, copy_teacher, get_teacher


class TokenOutputs(NamedTuple):
    """States and logits of the R real tokens of a batch, by one model."""

    states: Tensor  # (R, D)
    logits: Tensor  # (R, V)


@dataclass(frozen=True)
class DistillationTask(Task):
    """The task of one run. The teacher is part of the task, so checkpoints do not hold it."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        check_encoder(self.inputs, HEAD, ("pad", "mask"))
        check_teacher(self.inputs, self._objective)

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield blocks of documents, at most `data.max_length` tokens with special tokens."""
        return encode_documents(
            records, self.inputs.tokenizers.source, max_text_tokens(self.inputs)
        )

    def build(self, seed: int) -> Model:
        """Build the student, with weights of the teacher or of the model to start from."""
        family = self.inputs.config.family
        head = self.inputs.heads.get(HEAD) or get_family_head(family, HEAD)
        student = build_encoder(self.inputs, {HEAD: head}, seed)
        teachers = self.inputs.teachers
        starts = self.inputs.config.start_from or self._objective.initialize == "random"
        if teachers and not starts:
            copy_teacher(teachers[0].model, student)
        return student

    def collate(self, examples: Sequence[tuple[np.ndarray]], seed: int) -> MaskedBatch:
        """Return blocks as a batch. `seed` determines which tokens are hidden, and how."""
        return self._masker.mask(pad_wrapped(examples, self.inputs.tokenizers.source), seed)

    def counts(self, batch: MaskedBatch) -> dict[str, int]:
        """Return the number of tokens of each loss."""
        each = {"soft_targets": batch.n_tokens, "masked_lm": len(batch.labels)}
        each["cosine"] = batch.n_tokens
        return {name: count for name, count in each.items() if self._weights[name]}

    def tokens(self, batch: MaskedBatch) -> int:
        """Return the number of tokens, with special tokens."""
        return batch.n_tokens

    def loss(self, module: nn.Module, batch: MaskedBatch) -> dict[str, Term]:
        """Return the losses whose weight is not 0."""
        assert isinstance(module, Model)
        student, teacher = self._predict(module, batch)
        return {
            name: Term(self._loss(name, student, teacher, batch), weight)
            for name, weight in self._weights.items()
            if weight
        }

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return the weighted loss, and perplexity and accuracy of the hidden tokens.

        agreement: the share of hidden tokens for which student and teacher predict the same.
        Every validation hides the same tokens.
        """
        assert isinstance(module, Model)
        sums, counts = defaultdict[str, float](float), Counter[str]()
        with torch.inference_mode():
            for number, indices in enumerate(evaluation_batches(validation.examples.lengths)):
                examples = [validation.examples[i] for i in indices]
                batch = self.collate(examples, seed=number).to(device)
                student, teacher = self._predict(module, batch)
                counts.update(self.counts(batch))
                for name in self.counts(batch):
                    sums[name] += float(self._loss(name, student, teacher, batch))
                hidden = find_hidden(batch)
                best, other = (x.logits[hidden].argmax(-1) for x in (student, teacher))
                sums["cross_entropy"] += float(cross_entropy(student.logits[hidden], batch.labels))
                sums["right"] += int((best == batch.labels).sum())
                sums["agreed"] += int((best == other).sum())
                sums["hidden"] += len(batch.labels)
        n_hidden = max(sums["hidden"], 1)
        return {
            "loss": sum(self._weights[name] * sums[name] / n for name, n in counts.items() if n),
            "perplexity": perplexity(sums["cross_entropy"], int(n_hidden)),
            "accuracy": sums["right"] / n_hidden,
            "agreement": sums["agreed"] / n_hidden,
        }

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the student, a masked language model."""
        assert isinstance(module, Model)
        bundle = build_encoder_bundle(module, self.inputs)
        return {"final": replace(bundle, task=MaskedLMConfig.name)}

    def _predict(self, module: Model, batch: MaskedBatch) -> tuple[TokenOutputs, TokenOutputs]:
        """Return what the student and the teacher predict; only the student gets a gradient."""
        teacher = get_teacher(self.inputs).model.to(batch.ids.device).eval()
        with torch.no_grad():
            target = _compute_outputs(teacher, batch)
        return _compute_outputs(module, batch), target

    def _loss(
        self, name: str, student: TokenOutputs, teacher: TokenOutputs, batch: MaskedBatch
    ) -> Tensor:
        """Return the sum of a loss over its tokens."""
        if name == "soft_targets":
            return divergence(student.logits, teacher.logits, self._objective.temperature)
        if name == "masked_lm":
            return cross_entropy(student.logits[find_hidden(batch)], batch.labels)
        similarity = F.cosine_similarity(student.states.float(), teacher.states.float())  # (R,)
        return (1 - similarity).sum()

    @property
    def _weights(self) -> dict[str, float]:
        c = self._objective
        return {
            "soft_targets": c.soft_weight,
            "masked_lm": c.masked_weight,
            "cosine": c.cosine_weight,
        }

    @property
    def _objective(self) -> DistillationConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, DistillationConfig)
        return objective

    @cached_property
    def _masker(self) -> Masker:
        return Masker.of(self.inputs)


def find_hidden(batch: MaskedBatch) -> Tensor:
    """Return the indices (N,) of the hidden tokens among the real ones."""
    if batch.keep is None:
        return batch.chosen
    return (batch.keep.flatten().cumsum(0) - 1)[batch.chosen]


def _compute_outputs(model: Model, batch: MaskedBatch) -> TokenOutputs:
    states = model(batch.ids, batch.keep).flatten(0, 1)  # (B * T, D)
    if batch.keep is not None:
        states = states[batch.keep.flatten()]
    return TokenOutputs(states, model.heads[HEAD](states))
