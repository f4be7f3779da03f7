"""Masked language modeling: predict hidden tokens from both sides (Devlin et al. 2019)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.tasks.masked_lm import MaskedLMConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData, split_into_chunks
from pellucid.data.noising import MaskingShares, MaskingTokens, mask_tokens
from pellucid.data.records import Record
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.nn.base import Model
from pellucid.nn.losses import cross_entropy, perplexity
from pellucid.nn.masks import keep_from
from pellucid.tasks.encoder import (
    build_encoder,
    build_encoder_bundle,
    check_encoder,
    get_published_head,
    max_text_tokens,
)
from pellucid.tasks.padding import pad_texts
from pellucid.tasks.protocol import Task, TaskInputs, Term

NAME = MaskedLMConfig.name
HEAD = "mlm"
SEGMENT_LENGTH = 10_000
"""Approximate number of characters that are tokenized at once."""


class MaskedBatch(NamedTuple):
    """Padded blocks of text with hidden tokens."""

    ids: Tensor  # (B, T), noised
    keep: Tensor | None  # (B, T), True = real; None if no row is padded
    chosen: Tensor  # (N,), indices into (B * T) of the tokens to predict
    labels: Tensor  # (N,), original ids of these tokens

    def to(self, device: torch.device) -> "MaskedBatch":
        return MaskedBatch(
            *(None if x is None else x.to(device, non_blocking=True) for x in self)  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class MaskedLMTask(Task):
    """The task of one run."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        check_encoder(self.inputs, HEAD, ("pad", "mask"))

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield blocks of documents, at most `data.max_length` tokens with special tokens."""
        tokenizer, max_tokens = self.inputs.tokenizers.source, max_text_tokens(self.inputs)
        n_special = len(tokenizer.add_special_tokens([]).ids)
        for chunk in split_into_chunks(records):
            segments = [split_into_segments(record.values[0]) for record in chunk]
            encoded = iter(tokenizer.encode_batch([s for each in segments for s in each]))
            for record, each in zip(chunk, segments, strict=True):
                ids = np.array([i for _ in each for i in next(encoded)], np.int32)
                if not len(ids):
                    yield LeftOutRecord("blank")
                for begin in range(0, len(ids), max_tokens):
                    block = ids[begin : begin + max_tokens]
                    yield Encoded((block,), (len(block) + n_special,), record)

    def build(self, seed: int) -> nn.Module:
        """Build an encoder with a head that predicts tokens."""
        head = self.inputs.heads.get(HEAD) or get_published_head(self.inputs.config.family, HEAD)
        return build_encoder(self.inputs, {HEAD: head}, seed)

    def collate(self, examples: Sequence[tuple[np.ndarray]], seed: int) -> MaskedBatch:
        """Return blocks as a batch. `seed` determines which tokens are hidden, and how."""
        tokenizer, c = self.inputs.tokenizers.source, self._objective
        before, after = template_ids(tokenizer)
        ids, lengths = pad_texts([text for (text,) in examples], tokenizer)
        position = np.arange(ids.shape[1])
        is_text = (position >= len(before)) & (position < lengths[:, None] - len(after))  # (B, T)
        noised, chosen = mask_tokens(
            ids,
            is_text,
            MaskingShares(c.chosen, c.masked, c.random),
            self._tokens,
            np.random.default_rng(seed),
        )
        return MaskedBatch(
            ids=torch.from_numpy(noised),
            keep=keep_from(torch.from_numpy(lengths), ids.shape[1]),
            chosen=torch.from_numpy(np.flatnonzero(chosen)),
            labels=torch.from_numpy(ids[chosen]),
        )

    def counts(self, batch: MaskedBatch) -> dict[str, int]:
        """Return the number of predicted tokens."""
        return {NAME: len(batch.labels)}

    def tokens(self, batch: MaskedBatch) -> int:
        """Return the number of tokens, with special tokens."""
        return batch.ids.numel() if batch.keep is None else int(batch.keep.sum())

    def loss(self, module: nn.Module, batch: MaskedBatch) -> dict[str, Term]:
        """Return the cross-entropy of the hidden tokens. No logits of others are computed."""
        return {NAME: Term(cross_entropy(_logits(module, batch), batch.labels))}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return loss, perplexity and accuracy of the hidden tokens.

        Every validation hides the same tokens.
        """
        total, right, count = 0.0, 0, 0
        with torch.inference_mode():
            for number, indices in enumerate(evaluation_batches(validation.examples.lengths)):
                examples = [validation.examples[i] for i in indices]
                batch = self.collate(examples, seed=number).to(device)
                logits = _logits(module, batch)
                total += float(cross_entropy(logits, batch.labels))
                right += int((logits.argmax(-1) == batch.labels).sum())
                count += len(batch.labels)
        mean = total / max(count, 1)
        accuracy = right / max(count, 1)
        return {"loss": mean, "perplexity": perplexity(total, count), "accuracy": accuracy}

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        assert isinstance(module, Model)
        return {"final": build_encoder_bundle(module, self.inputs)}

    @property
    def _objective(self) -> MaskedLMConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, MaskedLMConfig)
        return objective

    @cached_property
    def _tokens(self) -> MaskingTokens:
        tokenizer = self.inputs.tokenizers.source
        special = set(tokenizer.roles.values())
        # Published models may have more tokens than embeddings, or the reverse.
        n_ids = min(tokenizer.vocab_size, self.inputs.model_config.vocab_size)
        regular = [i for i in range(n_ids) if i not in special]
        return MaskingTokens(tokenizer.id("mask"), np.array(regular))


def split_into_segments(text: str) -> list[str]:
    """Split a document at line ends into segments of about `SEGMENT_LENGTH` characters.

    The concatenated segments are the document.
    """
    segments, begin = [], 0
    while begin < len(text):
        end = begin + SEGMENT_LENGTH
        if end < len(text):
            end = text.find("\n", end) + 1 or len(text)
        segments.append(text[begin:end])
        begin = end
    return segments


def _logits(module: nn.Module, batch: MaskedBatch) -> Tensor:
    """Return logits (N, V) of the hidden tokens."""
    assert isinstance(module, Model)
    state = module(batch.ids, batch.keep)  # (B, T, D)
    return module.heads[HEAD](state.flatten(0, 1).index_select(0, batch.chosen))
