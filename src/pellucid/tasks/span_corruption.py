"""Span corruption: predict the spans that sentinels replace in a text (Raffel et al. 2020)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.config.tasks.span_corruption import SpanCorruptionConfig
from pellucid.data.examples import Encoded, LeftOutRecord
from pellucid.data.records import Record
from pellucid.data.span_corruption import (
    SpanSettings,
    corrupt_spans,
    corrupted_lengths,
    count_spans,
    raw_length,
)
from pellucid.errors import ConfigError
from pellucid.tasks.documents import encode_documents
from pellucid.tasks.encoder import max_row_tokens
from pellucid.tasks.encoder_decoder import EncoderDecoderTask, Ids

SENTINEL = "<extra_id_{}>"


@dataclass(frozen=True)
class SpanCorruptionTask(EncoderDecoderTask):
    """The task of one run."""

    def check(self) -> None:
        """See `Task.check`."""
        super().check()
        n_spans = count_spans(self._max_tokens, self._spans)[1]
        if n_spans >= len(self._sentinels):
            raise ConfigError(
                f"a text of data.max_length={self.inputs.config.data.max_length} tokens needs"
                f" {n_spans + 1} sentinels ({SENTINEL.format(0)} ...), but the tokenizer has"
                f" {len(self._sentinels)}. Lower data.max_length, or use a T5's tokenizer."
            )

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield documents, cut into blocks of `data.max_length` tokens after corruption."""
        tokenizer = self.inputs.tokenizers.source
        n_special = len(tokenizer.add_special_tokens([]).ids)
        for each in encode_documents(records, tokenizer, self._max_tokens):
            if isinstance(each, LeftOutRecord):
                yield each
            elif len(each.columns[0]) < 2:
                yield LeftOutRecord("of one token")
            else:
                lengths = corrupted_lengths(len(each.columns[0]), self._spans)
                yield each._replace(lengths=tuple(n + n_special for n in lengths))

    def make_pairs(self, examples: Sequence[Ids], seed: int) -> Sequence[Ids]:
        """Return corrupted texts, and their spans."""
        rng = np.random.default_rng(seed)
        return [corrupt_spans(ids, self._spans, self._sentinels, rng) for (ids,) in examples]

    @property
    def _spans(self) -> SpanSettings:
        objective = self.inputs.config.objective
        assert isinstance(objective, SpanCorruptionConfig)
        return SpanSettings(objective.corrupted, objective.mean_span_length)

    @cached_property
    def _max_tokens(self) -> int:
        """Most tokens of a block before it is corrupted."""
        c = self.inputs.config
        n_special = len(self.inputs.tokenizers.source.add_special_tokens([]).ids)
        bound = max_row_tokens(c)
        if bound < n_special + 2:
            raise ConfigError(
                f"data.max_length={c.data.max_length} leaves no room for a token and a sentinel"
                f" before the {n_special} special tokens. Use more."
            )
        return raw_length(bound - n_special, self._spans)

    @cached_property
    def _sentinels(self) -> np.ndarray:
        """The ids of the sentinels, from number 0 on."""
        special, ids = self.inputs.tokenizers.source.extra, list[int]()
        while (token := SENTINEL.format(len(ids))) in special:
            ids.append(special[token])
        return np.array(ids, np.int64)
