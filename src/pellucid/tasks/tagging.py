"""Tagging: predict a label for each word at its first token (Devlin et al. 2019, section 5.3)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.tasks.tagging import TaggingConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import (
    Encoded,
    Examples,
    LeftOutRecord,
    ValidationData,
    split_into_chunks,
)
from pellucid.data.records import Record
from pellucid.errors import DataError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.nn.base import Model
from pellucid.nn.crf import CRF
from pellucid.nn.linear_chain import ChainScores
from pellucid.nn.masks import keep_from
from pellucid.nn.padding import pad_rows
from pellucid.tasks.class_weights import class_weights, label_loss
from pellucid.tasks.encoder import (
    build_encoder,
    build_encoder_bundle,
    check_encoder,
    check_has_no_decoder,
    get_family_head,
    max_text_tokens,
)
from pellucid.tasks.label_transitions import score_transitions
from pellucid.tasks.padding import pad_texts
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.tagging_metrics import PredictedTags, TagScores
from pellucid.tasks.word_windows import split_into_windows, token_span
from pellucid.text.words import encode_words

NAME = TaggingConfig.name
HEAD = "tagger"
NO_LABEL = 0
"""Label of padding, which is never read."""


class TaggedBatch(NamedTuple):
    """Padded sentences, and their words."""

    ids: Tensor  # (B, T)
    keep: Tensor | None  # (B, T), True = real; None if no row is padded
    first: Tensor  # (B, W), index in T of each word's first token
    is_word: Tensor  # (B, W), True = a word
    labels: Tensor  # (B, W)

    def to(self, device: torch.device) -> "TaggedBatch":
        return TaggedBatch(
            *(None if x is None else x.to(device, non_blocking=True) for x in self)  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class TaggingTask(Task):
    """The task of one run."""

    inputs: TaskInputs
    transitions: ChainScores | None = None
    """First scores of a CRF, from the training data; None means 0."""

    def check(self) -> None:
        """See `Task.check`."""
        check_encoder(self.inputs, HEAD, ("pad",))
        check_has_no_decoder(self.inputs)

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield ids, first tokens and labels. Sentences that are too long are split."""
        tokenizer, max_tokens = self.inputs.tokenizers.source, max_text_tokens(self.inputs)
        n_special = len(tokenizer.add_special_tokens([]).ids)
        ids_of = {label: i for i, label in enumerate(self.labels)}
        for chunk in split_into_chunks(records):
            sentences = encode_words(tokenizer, [record.values[0] for record in chunk])
            for record, pieces in zip(chunk, sentences, strict=True):
                labels = np.array(_label_ids(record, ids_of), np.int32)
                if not len(labels):
                    yield LeftOutRecord("blank")
                for words in split_into_windows(pieces, max_tokens):
                    begin, end = token_span(pieces, words)
                    ids = np.array(pieces.ids[begin:end], np.int32)
                    first = np.array(pieces.first[words], np.int32) - begin
                    columns = (ids[:max_tokens], first, labels[words])
                    length = len(columns[0]) + n_special
                    yield Encoded(columns, (length,), record, len(ids) > max_tokens)

    def with_statistics(self, train: Examples) -> "TaggingTask":
        """Return the task with the first scores of its CRF."""
        return replace(self, transitions=score_transitions(train, len(self.labels), column=2))

    def build(self, seed: int) -> nn.Module:
        """Build an encoder with a head that scores labels."""
        c = self.inputs.config
        head = get_family_head(c.family, HEAD)
        head = replace(
            head,
            outputs=len(self.labels),
            labels=self.labels,
            crf=head.crf or self._objective.head == "crf",
            dropout=self._objective.dropout,
        )
        model = build_encoder(self.inputs, {HEAD: head}, seed)
        start = self.inputs.heads.get(HEAD)
        is_new = start is None or not start.crf or start.labels != self.labels
        if head.crf and is_new and self.transitions is not None:
            crf = model.get_submodule(f"heads.{HEAD}.crf")
            if isinstance(crf, CRF):  # an HMM has tables of probabilities instead
                crf.set_scores(self.transitions)
        return model

    def collate(self, examples: Sequence[tuple[np.ndarray, ...]], seed: int) -> TaggedBatch:
        """Return sentences as a batch. `seed` is not used."""
        tokenizer = self.inputs.tokenizers.source
        texts, firsts, labels = zip(*examples, strict=True)
        ids, lengths = pad_texts(texts, tokenizer)
        first = pad_rows(firsts, 0)  # (B, W)
        n_words = np.array([len(row) for row in firsts])
        is_word = np.arange(first.shape[1]) < n_words[:, None]  # (B, W)
        n_before = len(template_ids(tokenizer)[0])
        return TaggedBatch(
            ids=torch.from_numpy(ids),
            keep=keep_from(torch.from_numpy(lengths), ids.shape[1]),
            first=torch.from_numpy(first + n_before * is_word),
            is_word=torch.from_numpy(is_word),
            labels=torch.from_numpy(pad_rows(labels, NO_LABEL)),
        )

    def counts(self, batch: TaggedBatch) -> dict[str, int]:
        """Return the number of words."""
        return {NAME: int(batch.is_word.sum())}

    def tokens(self, batch: TaggedBatch) -> int:
        """Return the number of tokens, with special tokens."""
        return batch.ids.numel() if batch.keep is None else int(batch.keep.sum())

    def loss(self, module: nn.Module, batch: TaggedBatch) -> dict[str, Term]:
        """Return the negative log-likelihood of the labels, or of their sequence with a CRF."""
        return {NAME: Term(_loss(module, _scores(module, batch), batch, self._weights))}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return loss per word, accuracy, and precision, recall and F1 of entities.

        If tags do not mark entities (B-X, I-X, O), every word counts as an entity.
        """
        total, tags = 0.0, TagScores(self.labels, validation.examples)
        with torch.inference_mode():
            for indices in evaluation_batches(validation.examples.lengths):
                batch = self.collate([validation.examples[i] for i in indices], 0).to(device)
                scores = _scores(module, batch)
                total += float(_loss(module, scores, batch))
                best, listed = _best_labels(module, scores, batch), validation.list_wrong
                chances = _probabilities(module, scores, batch, best) if listed else None
                predicted = PredictedTags(best, batch.labels, batch.is_word, chances)
                tags.add(indices, predicted)
        return tags.metrics(total, validation.list_wrong)

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        assert isinstance(module, Model)
        return {"final": build_encoder_bundle(module, self.inputs)}

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags, in the order of their ids."""
        return self.inputs.labels["tags"]

    @property
    def _objective(self) -> TaggingConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, TaggingConfig)
        return objective

    @cached_property
    def _weights(self) -> Tensor | None:
        """The weight of each label in training, (C,)."""
        counts = self.inputs.label_counts.get("tags", {})
        return class_weights(self._objective.class_weights, self.labels, counts)


def _label_ids(record: Record, ids_of: Mapping[str, int]) -> list[int]:
    """Return the label ids of a record. Raises: DataError if a tag is unknown."""
    unknown = [tag for tag in record.values[1] if tag not in ids_of]
    if unknown:
        raise DataError(
            f"{record.origin}: tag {unknown[0][:60]!r} is not among the model's"
            f" {len(ids_of)} tags: {', '.join(ids_of)[:200]}."
        )
    return [ids_of[tag] for tag in record.values[1]]


def _scores(module: nn.Module, batch: TaggedBatch) -> Tensor:
    """Return scores (B, W, C) of each label for each word."""
    assert isinstance(module, Model)
    state = module(batch.ids, batch.keep)  # (B, T, D)
    index = batch.first[..., None].expand(-1, -1, state.shape[-1])
    return module.heads[HEAD](state.gather(1, index))


def _loss(
    module: nn.Module, scores: Tensor, batch: TaggedBatch, weights: Tensor | None = None
) -> Tensor:
    crf = module.get_submodule("heads")[HEAD].crf  # type: ignore[index]
    if crf is not None:
        return crf(scores, batch.labels, batch.is_word)
    return label_loss(scores[batch.is_word], batch.labels[batch.is_word], weights)


def _best_labels(module: nn.Module, scores: Tensor, batch: TaggedBatch) -> Tensor:
    """Return the best labels (B, W)."""
    crf = module.get_submodule("heads")[HEAD].crf  # type: ignore[index]
    return scores.argmax(-1) if crf is None else crf.decode(scores, batch.is_word)


def _probabilities(module: nn.Module, scores: Tensor, batch: TaggedBatch, best: Tensor) -> Tensor:
    """Return the probabilities (B, W) of the labels `best`; with a CRF, the marginal ones."""
    crf = module.get_submodule("heads")[HEAD].crf  # type: ignore[index]
    each = scores.float().softmax(-1) if crf is None else crf.marginals(scores, batch.is_word)
    return each.gather(2, best[..., None])[..., 0]
