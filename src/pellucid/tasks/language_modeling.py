"""Language modeling: predict the next token of packed documents (Radford et al. 2018)."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from pellucid.config.model import ModelConfig
from pellucid.config.tasks.language_modeling import CODE, LanguageModelingConfig
from pellucid.data.batching import EVALUATION_TOKENS
from pellucid.data.examples import Encoded, Examples, LeftOutRecord, ValidationData
from pellucid.data.packing import Stream, pack, slide_windows
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError, UsageError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.heads import sum_cross_entropy
from pellucid.nn.model import materialize
from pellucid.tasks.documents import tokenize_documents
from pellucid.tasks.encoder import get_family_head
from pellucid.tasks.initialization import copy_starting_weights
from pellucid.tasks.next_token import (
    HEAD,
    TokenBatch,
    collate_windows,
    measure,
    select_scored,
    sum_loss,
)
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.text.control_codes import find_code_id
from pellucid.text.tokenizer import Tokenizer

NAME = LanguageModelingConfig.name
FAMILIES = tuple(dict.fromkeys(SIZES[size].family for size in LanguageModelingConfig.sizes))


@dataclass(frozen=True)
class LanguageModelingTask(Task):
    """The task of one run."""

    inputs: TaskInputs
    repeats_codes: ClassVar[bool] = True
    """Whether a window that begins inside a document begins with its control code."""

    def check(self) -> None:
        """See `Task.check`."""
        c, context = self.inputs.config, self.context
        if c.family not in FAMILIES:
            raise ConfigError(
                f"a model of family {c.family} cannot be trained by {NAME}, which needs a decoder"
                f" without encoder: a model of family {', '.join(FAMILIES)}."
            )
        if self._objective.stride > context:
            raise ConfigError(
                f"objective.stride={self._objective.stride} is more than a window of {context}"
                " tokens, so that some would not be scored. Use less."
            )
        for code in self.inputs.labels.get(CODE, ()):
            find_code_id(self._tokenizer, code)

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield the joined documents in blocks: the previous token, and those to predict."""
        blank: list[LeftOutRecord] = []
        for block in pack(self._documents(records, blank), self.context, self._end):
            ids = np.array([self._token_before(block.previous, block.ids[0], block.record)])
            ids = np.concatenate([ids, block.ids]).astype(np.int32)
            yield Encoded((ids,), (len(block.ids),), block.record)
        yield from blank

    def example(self, examples: Examples, index: int, seed: int) -> np.ndarray:
        """Return a window that begins anywhere in block `index`: windows differ between epochs."""
        (block,) = examples[index]
        if index + 1 == len(examples):
            return block
        (following,) = examples[index + 1]
        n = min(len(block), len(following)) - 1
        begin = seed % n  # seeds are uniform
        ids = np.concatenate([block, following[1 : begin + 1]])
        return Stream(ids, self._codes, self._end).window(begin, len(ids) - 1)

    def build(self, seed: int) -> nn.Module:
        """Build a decoder with a head that predicts the next token."""
        head = self.inputs.heads.get(HEAD) or get_family_head(self.inputs.config.family, HEAD)
        family = PUBLISHED_FAMILIES[self.inputs.config.family]
        with torch.device("meta"):
            module = family.module(self.inputs.model_config, {HEAD: head})
        model = materialize(module, seed)
        copy_starting_weights(model, self.inputs)
        return model

    def collate(self, examples: Sequence[np.ndarray], seed: int) -> TokenBatch:
        """Return windows as a batch."""
        return collate_windows(examples, [0] * len(examples))

    def counts(self, batch: TokenBatch) -> dict[str, int]:
        """Return the number of predicted tokens."""
        return {NAME: len(batch.labels)}

    def tokens(self, batch: TokenBatch) -> int:
        """Return the number of tokens, without padding."""
        return len(batch.labels)

    def loss(self, module: nn.Module, batch: TokenBatch) -> dict[str, Term]:
        """Return the cross-entropy of the next tokens."""
        assert isinstance(module, Model)
        state = select_scored(module(batch.ids), batch)  # (N, D)
        return {NAME: Term(sum_cross_entropy(module.heads[HEAD], state, batch.labels))}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return loss and perplexity per token, and bits per byte and character of the documents.

        Each token is scored once, by sliding windows. End tokens and control codes count as tokens,
        but not as text.
        """
        assert isinstance(module, Model)
        stream = self._stream(validation)
        stride = self._objective.stride or math.ceil(self.context / 2)
        windows = slide_windows(len(stream), self.context, stride)
        total, n_rows = 0.0, max(1, EVALUATION_TOKENS // self.context)
        with torch.no_grad():
            while part := list(islice(windows, n_rows)):
                rows = [stream.window(w.begin, w.end) for w in part]
                batch = collate_windows(rows, [w.scored_from - w.begin for w in part]).to(device)
                total += sum_loss(module, module(batch.ids), batch)
        return measure(total, len(stream), validation)

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the bundle of the model."""
        assert isinstance(module, Model)
        c, roles = self.inputs.config, self._tokenizer.roles
        ids = {"bos_token_id": "eos", "eos_token_id": "eos", "pad_token_id": "pad"}
        bundle = Bundle(
            model=module,
            model_config=module.config,
            tokenizers=self.inputs.tokenizers,
            task=c.task,
            roles=PUBLISHED_FAMILIES[c.family].roles,
            decoding=c.decoding,
            languages=(c.data.source_language, c.data.target_language),
            longest_source=self.context,
            card="",
            family=c.family,
            token_ids=self.inputs.token_ids
            or {name: roles[role] for name, role in ids.items() if role in roles},
            banned=tuple(roles[role] for role in ("pad", "unk") if role in roles),
        )
        return {"final": bundle}

    @property
    def context(self) -> int:
        """Number of tokens that the model reads at once, in training and in evaluation."""
        return min(self.inputs.config.data.max_length, self._model_config.max_length)

    def _documents(
        self, records: Iterable[Record], blank: list[LeftOutRecord]
    ) -> Iterator[tuple[np.ndarray, Record]]:
        """Yield each document's control code, if it has one, its tokens, and the end token."""
        end = np.array([] if self._end is None else [self._end], np.int32)
        latest: Record | None = None
        for ids, record in tokenize_documents(records, self._tokenizer):
            if not len(ids):
                blank.append(LeftOutRecord("blank"))
                continue
            if latest is not None and not record.continues:
                yield end, latest
            if latest is None or not record.continues:
                code = self._code_of(record)
                yield np.array([] if code is None else [code], np.int32), record
            yield ids, record
            latest = record
        if latest is not None:
            yield end, latest

    def _token_before(self, previous: int, first: int, record: Record) -> int:
        """Return the token that precedes a block: inside a document with a code, the code."""
        code = self._code_of(record) if self.repeats_codes else None
        return previous if code is None or code == first else code

    def _code_of(self, record: Record) -> int | None:
        """Return the token of a record's control code. Raises: DataError if the model lacks it."""
        code = record.values[1]
        if code is None:
            return None
        if code not in self._code_ids:
            try:
                self._code_ids[code] = find_code_id(self._tokenizer, code)
            except UsageError as error:
                raise DataError(f"{record.origin}: {error}") from error
        return self._code_ids[code]

    def _stream(self, validation: ValidationData) -> Stream:
        examples = validation.examples
        blocks = [examples[i][0] for i in range(len(examples))]
        ids = np.concatenate([blocks[0][:1], *(block[1:] for block in blocks)])
        records = validation.records if self.repeats_codes else ()
        codes = (self._code_of(record) for record in records)
        return Stream(ids, frozenset(code for code in codes if code is not None), self._end)

    @property
    def _objective(self) -> LanguageModelingConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, LanguageModelingConfig)
        return objective

    @property
    def _model_config(self) -> ModelConfig:
        config = self.inputs.config.model
        assert isinstance(config, ModelConfig)
        return config

    @property
    def _tokenizer(self) -> Tokenizer:
        return self.inputs.tokenizers.source

    @property
    def _end(self) -> int | None:
        """The token after each document; None if the model to start from has none."""
        return self._tokenizer.roles.get("eos", self.inputs.token_ids.get("eos_token_id"))

    @cached_property
    def _code_ids(self) -> dict[str, int]:
        return {
            code: find_code_id(self._tokenizer, code) for code in self.inputs.labels.get(CODE, ())
        }

    @cached_property
    def _codes(self) -> frozenset[int]:
        return frozenset(self._code_ids.values())
