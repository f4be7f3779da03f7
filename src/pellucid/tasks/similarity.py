"""Similarity: a number for two texts, read together or separately."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.tasks.similarity import SimilarityConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData, split_into_chunks
from pellucid.data.records import Record
from pellucid.errors import ConfigError
from pellucid.formats.bundle import Bundle
from pellucid.metrics.details import Points
from pellucid.metrics.similarity import rank
from pellucid.nn.base import Model
from pellucid.nn.heads import pool_states
from pellucid.nn.ranking import cosent
from pellucid.tasks.encoder import (
    build_encoder,
    build_encoder_bundle,
    check_encoder,
    check_has_no_decoder,
    get_family_head,
)
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.scored_pairs import list_deviations, measure_similarities
from pellucid.tasks.text_pairs import TextRows, encode_texts, pad_text_rows, score_texts

NAME = SimilarityConfig.name
HEAD = "classifier"
NOTHING = np.zeros(0, np.int32)


class ScoredBatch(NamedTuple):
    """Padded texts, and the score of each pair."""

    rows: TextRows
    scores: Tensor  # (B,)

    def to(self, device: torch.device) -> "ScoredBatch":
        return ScoredBatch(self.rows.to(device), self.scores.to(device, non_blocking=True))


def build_similarity_task(inputs: TaskInputs) -> "SimilarityTask":
    """Return the task that the objective's head names."""
    is_regression = get_objective(inputs).head == "regression"
    return RegressionTask(inputs) if is_regression else BiEncoderTask(inputs)


def get_objective(inputs: TaskInputs) -> SimilarityConfig:
    """Return the task's own settings."""
    objective = inputs.config.objective
    assert isinstance(objective, SimilarityConfig)
    return objective


@dataclass(frozen=True)
class SimilarityTask(Task):
    """What both kinds have in common."""

    inputs: TaskInputs

    @abstractmethod
    def collate(self, examples: Sequence[tuple[np.ndarray, ...]], seed: int) -> ScoredBatch:
        """Return pairs as a batch. Nothing is random."""

    @abstractmethod
    def predict(self, module: nn.Module, batch: ScoredBatch) -> Tensor:
        """Return the predicted similarities (B,), in float32."""

    @abstractmethod
    def sum_loss(self, predicted: Tensor, scores: Tensor) -> Tensor:
        """Return the loss of a batch, summed over its pairs."""

    @abstractmethod
    def deviations(self, points: Points) -> np.ndarray:
        """Return how far each prediction is from the gold score, (N,)."""

    def counts(self, batch: ScoredBatch) -> dict[str, int]:
        """Return the number of pairs."""
        return {NAME: len(batch.scores)}

    def tokens(self, batch: ScoredBatch) -> int:
        """Return the number of tokens of the texts, special ones included."""
        return batch.rows.count_tokens()

    def loss(self, module: nn.Module, batch: ScoredBatch) -> dict[str, Term]:
        """Return the loss of the predicted similarities."""
        return {NAME: Term(self.sum_loss(self.predict(module, batch), batch.scores))}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return the loss per pair, and Pearson's and Spearman's correlations."""
        total = 0.0
        indices: list[int] = []
        predicted: list[np.ndarray] = []
        gold: list[np.ndarray] = []
        with torch.inference_mode():
            for chosen in evaluation_batches(validation.examples.lengths):
                batch = self.collate([validation.examples[i] for i in chosen], 0).to(device)
                similarities = self.predict(module, batch)
                total += float(self.sum_loss(similarities, batch.scores))
                indices += chosen
                predicted.append(similarities.cpu().numpy())
                gold.append(batch.scores.cpu().numpy())
        points = Points(gold=np.concatenate(gold), predicted=np.concatenate(predicted))

        def origins() -> list[str]:
            return list(map(validation.examples.origin, indices))

        wrong = None
        if validation.list_wrong:
            wrong = list_deviations(points, origins(), self.deviations(points))
        return measure_similarities(points, total / len(indices), origins, wrong)


class RegressionTask(SimilarityTask):
    """Both texts in one row, a head of one output, squared error (Devlin et al. 2019)."""

    def check(self) -> None:
        """See `Task.check`."""
        check_encoder(self.inputs, HEAD, ("pad",))

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield the ids of both texts and the score; a pair that is too long is cut."""
        for record, texts in encode_texts(records, self.inputs):
            if isinstance(texts, LeftOutRecord):
                yield texts
            else:
                score = np.array([record.values[2]], np.float32)
                columns = (texts.first, texts.second, score)
                yield Encoded(columns, (texts.length,), record, texts.is_cut)

    def build(self, seed: int) -> nn.Module:
        """Return an encoder with a head of one output."""
        head = replace(
            get_family_head(self.inputs.config.family, HEAD),
            outputs=1,
            labels=(NAME,),
            problem="regression",
        )
        return build_encoder(self.inputs, {HEAD: head}, seed)

    def collate(self, examples: Sequence[tuple[np.ndarray, ...]], seed: int) -> ScoredBatch:
        """Return pairs as a batch. Nothing is random."""
        scores = torch.from_numpy(np.concatenate([score for _, _, score in examples]))
        return ScoredBatch(pad_text_rows(examples, self.inputs), scores)

    def predict(self, module: nn.Module, batch: ScoredBatch) -> Tensor:
        return score_texts(module, batch.rows, HEAD)[:, 0]

    def sum_loss(self, predicted: Tensor, scores: Tensor) -> Tensor:
        return (predicted - scores).square().sum()

    def deviations(self, points: Points) -> np.ndarray:
        return np.abs(points.predicted - points.gold)

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        assert isinstance(module, Model)
        return {"final": build_encoder_bundle(module, self.inputs)}


class BiEncoderTask(SimilarityTask):
    """Each text separately; the cosine of the embeddings (Reimers and Gurevych 2019)."""

    def check(self) -> None:
        """See `Task.check`."""
        check_encoder(self.inputs, None, ("pad",))
        check_has_no_decoder(self.inputs)
        start = self.inputs.start
        if start and (start.dense or start.embedding.prompt or start.embedding.lowercase):
            raise ConfigError(
                "the model to start from adds a prompt, a dense layer or lower-casing to its"
                " embeddings, which training does not support. Use objective.head: regression, or"
                " start from another model."
            )

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield the ids of each text and the score; each text that is too long is cut."""
        for chunk in split_into_chunks(records):
            sides = [
                encode_texts([_with_text(record, i) for record in chunk], self.inputs)
                for i in (0, 1)
            ]
            for record, (_, first), (_, second) in zip(chunk, *sides, strict=True):
                if isinstance(first, LeftOutRecord) or isinstance(second, LeftOutRecord):
                    yield LeftOutRecord("blank")
                else:
                    score = np.array([record.values[2]], np.float32)
                    columns = (first.first, second.first, score)
                    lengths = (first.length, second.length)
                    yield Encoded(columns, lengths, record, first.is_cut or second.is_cut)

    def build(self, seed: int) -> nn.Module:
        """Return an encoder without heads."""
        return build_encoder(self.inputs, {}, seed)

    def collate(self, examples: Sequence[tuple[np.ndarray, ...]], seed: int) -> ScoredBatch:
        """Return texts as a batch: all first texts, then all second ones. Nothing is random."""
        scores = torch.from_numpy(np.concatenate([score for _, _, score in examples]))
        texts = [(example[side], NOTHING) for side in (0, 1) for example in examples]
        return ScoredBatch(pad_text_rows(texts, self.inputs), scores)

    def predict(self, module: nn.Module, batch: ScoredBatch) -> Tensor:
        state = module(batch.rows.ids, batch.rows.keep)  # (2 B, T, D)
        pooling = get_objective(self.inputs).pooling
        pooled = pool_states(state, batch.rows.keep, None, pooling).float()  # (2 B, D)
        first, second = pooled.chunk(2)
        return torch.cosine_similarity(first, second, eps=1e-12)

    def sum_loss(self, predicted: Tensor, scores: Tensor) -> Tensor:
        """Return the loss of all pairs of a batch together; it grows with the batch."""
        return cosent(predicted, scores) * len(scores)

    def deviations(self, points: Points) -> np.ndarray:
        """Return differences of ranks, as shares of all ranks: only the order is learned."""
        return np.abs(rank(points.predicted) - rank(points.gold)) / len(points.gold)

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task, with the settings of its embeddings."""
        assert isinstance(module, Model)
        embedding = EmbeddingConfig(
            pooling=get_objective(self.inputs).pooling,
            normalize=True,
            longest=self.inputs.config.data.max_length,
        )
        return {"final": replace(build_encoder_bundle(module, self.inputs), embedding=embedding)}


def _with_text(record: Record, column: int) -> Record:
    """Return the record with one text, and no second one."""
    return record._replace(values=(record.values[column], None))
