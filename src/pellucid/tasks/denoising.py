"""Denoising: restore a document from a noised copy (Lewis et al. 2020)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.config.tasks.denoising import DenoisingConfig
from pellucid.data.denoising import SENTENCE_ENDS, DenoisingTokens, noise_document
from pellucid.data.examples import Encoded, LeftOutRecord
from pellucid.data.records import Record
from pellucid.tasks.documents import encode_documents
from pellucid.tasks.encoder import max_text_tokens
from pellucid.tasks.encoder_decoder import EncoderDecoderTask, Ids


@dataclass(frozen=True)
class DenoisingTask(EncoderDecoderTask):
    """The task of one run."""

    def check(self) -> None:
        """See `Task.check`."""
        super().check()
        max_text_tokens(self.inputs)
        self.inputs.tokenizers.source.id("mask")

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield documents, cut into blocks of `data.max_length` tokens, with special tokens."""
        return encode_documents(
            records, self.inputs.tokenizers.source, max_text_tokens(self.inputs)
        )

    def make_pairs(self, examples: Sequence[Ids], seed: int) -> Sequence[Ids]:
        """Return noised documents, and the documents."""
        c, rng = self.inputs.config.objective, np.random.default_rng(seed)
        assert isinstance(c, DenoisingConfig)
        return [(noise_document(ids, c, self._tokens, rng), ids) for (ids,) in examples]

    @cached_property
    def _tokens(self) -> DenoisingTokens:
        tokenizer = self.inputs.tokenizers.source
        ends = np.zeros(tokenizer.vocab_size, bool)
        known = list(tokenizer.pieces_by_id)
        for i, text in zip(known, tokenizer.display(known), strict=True):
            ends[i] = text.strip().endswith(SENTENCE_ENDS)
        return DenoisingTokens(tokenizer.id("mask"), ends)
