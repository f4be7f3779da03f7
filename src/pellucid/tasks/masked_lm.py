"""Masked language modeling: predict hidden tokens from both sides (Devlin et al. 2019)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.tasks.masked_lm import MaskedLMConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, Examples, LeftOutRecord, ValidationData
from pellucid.data.records import Record
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.heads import pool_states, sum_cross_entropy
from pellucid.nn.losses import cross_entropy, perplexity
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
from pellucid.tasks.sentence_pairs import PAIR_HEADS, SentencePair, draw_pair, encode_blocks

NAME = MaskedLMConfig.name
HEAD = "mlm"


@dataclass(frozen=True)
class MaskedLMTask(Task):
    """The task of one run."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        check_encoder(self.inputs, HEAD, ("pad", "mask"))
        if self._pairs:
            get_family_head(self.inputs.config.family, PAIR_HEADS[self._pairs])

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield blocks of documents, at most `data.max_length` tokens with special tokens.

        With pairs: blocks of sentences that pairs are drawn from.
        """
        tokenizer = self.inputs.tokenizers.source
        if self._pairs:
            return encode_blocks(records, tokenizer, self._max_tokens)
        return encode_documents(records, tokenizer, self._max_tokens)

    def example(self, examples: Examples, index: int, seed: int) -> Sequence[np.ndarray] | Any:
        """Return a block; with pairs, a pair drawn from `seed`."""
        if not self._pairs:
            return examples[index]
        rng = np.random.default_rng(seed)
        return draw_pair(examples, index, self._pairs, self._max_tokens, rng)

    def build(self, seed: int) -> nn.Module:
        """Build an encoder with a head that predicts tokens, and one for the labels of pairs."""
        names = (HEAD, PAIR_HEADS[self._pairs]) if self._pairs else (HEAD,)
        known, family = self.inputs.heads, self.inputs.config.family
        heads = {name: known.get(name) or get_family_head(family, name) for name in names}
        return build_encoder(self.inputs, heads, seed)

    def collate(self, examples: Sequence[Any], seed: int) -> MaskedBatch:
        """Return blocks or pairs as a batch. `seed` determines which tokens are hidden, and how."""
        labels = [pair.label for pair in examples if isinstance(pair, SentencePair)]
        texts = [each[:2] if labels else each for each in examples]
        padded = pad_wrapped(texts, self.inputs.tokenizers.source)
        return self._masker.mask(padded, seed, labels)

    def counts(self, batch: MaskedBatch) -> dict[str, int]:
        """Return the number of predicted tokens, and of pairs."""
        counts = {NAME: len(batch.labels)}
        return counts | {self._pairs: len(batch.ids)} if self._pairs else counts

    def tokens(self, batch: MaskedBatch) -> int:
        """Return the number of tokens, with special tokens."""
        return batch.n_tokens

    def loss(self, module: nn.Module, batch: MaskedBatch) -> dict[str, Term]:
        """Return the cross-entropies of the hidden tokens and of the labels of pairs.

        No logits of other tokens are computed.
        """
        assert isinstance(module, Model)
        hidden, pair_logits = self._read(module, batch)
        terms = {NAME: Term(sum_cross_entropy(module.heads[HEAD], hidden, batch.labels))}
        if pair_logits is not None and batch.pair_labels is not None:
            terms[self._pairs] = Term(cross_entropy(pair_logits, batch.pair_labels))
        return terms

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return loss, perplexity and accuracy of the hidden tokens, and the accuracy on pairs.

        Every validation hides the same tokens and draws the same pairs.
        """
        assert isinstance(module, Model)
        loss, right, count = np.zeros(2), np.zeros(2), np.zeros(2)  # of tokens, of pairs
        examples = validation.examples
        with torch.inference_mode():
            for number, indices in enumerate(evaluation_batches(examples.lengths)):
                drawn = [self.example(examples, i, seed=i) for i in indices]
                batch = self.collate(drawn, seed=number).to(device)
                hidden, pair_logits = self._read(module, batch)
                outputs = (
                    (module.heads[HEAD](hidden), batch.labels),
                    (pair_logits, batch.pair_labels),
                )
                for i, (logits, labels) in enumerate(outputs):
                    if logits is not None and labels is not None:
                        loss[i] += float(cross_entropy(logits, labels))
                        right[i] += int((logits.argmax(-1) == labels).sum())
                        count[i] += len(labels)
        means, shares = loss / np.maximum(count, 1), right / np.maximum(count, 1)
        scores = {
            "loss": float(means.sum()),
            "perplexity": perplexity(loss[0], int(count[0])),
            "accuracy": float(shares[0]),
        }
        return scores | {"pair_accuracy": float(shares[1])} if self._pairs else scores

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        assert isinstance(module, Model)
        return {"final": build_encoder_bundle(module, self.inputs)}

    def _read(self, model: Model, batch: MaskedBatch) -> tuple[Tensor, Tensor | None]:
        """Return states (N, D) of the hidden tokens, and logits (B, 2) of the pairs, if any."""
        state = model(batch.ids, batch.keep, segments=batch.segments)  # (B, T, D)
        hidden = state.flatten(0, 1).index_select(0, batch.chosen)
        if not self._pairs:
            return hidden, None
        first = pool_states(state, batch.keep, None, "first")  # (B, D)
        return hidden, model.heads[PAIR_HEADS[self._pairs]](first)

    @property
    def _pairs(self) -> str:
        """The kind of pairs, or an empty string."""
        objective = self.inputs.config.objective
        assert isinstance(objective, MaskedLMConfig)
        return "" if objective.pairs == "none" else objective.pairs

    @cached_property
    def _max_tokens(self) -> int:
        return max_text_tokens(self.inputs, pair=bool(self._pairs))

    @cached_property
    def _masker(self) -> Masker:
        return Masker.of(self.inputs)
