"""Denoising: restore a document from a noised copy (Lewis et al. 2020)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from pellucid.config.tasks.denoising import DenoisingConfig
from pellucid.data.denoising import SENTENCE_ENDS, DenoisingTokens, noise_document
from pellucid.data.examples import Encoded, Examples, LeftOutRecord
from pellucid.data.language_sampling import SampledExamples, sampling_factors
from pellucid.data.languages import text_language
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError
from pellucid.formats.bundle import Bundle
from pellucid.tasks.documents import encode_documents
from pellucid.tasks.encoder import max_text_tokens
from pellucid.tasks.encoder_decoder import EncoderDecoderTask, Ids
from pellucid.tasks.language_codes import find_code_ids
from pellucid.text.published.language import template_language
from pellucid.text.whole_words import find_word_boundaries


@dataclass(frozen=True)
class DenoisingTask(EncoderDecoderTask):
    """The task of one run."""

    def check(self) -> None:
        """See `Task.check`."""
        super().check()
        max_text_tokens(self.inputs)
        self.inputs.tokenizers.source.id("mask")
        tokenizer = self.inputs.tokenizers.source
        if self.groups and not template_language(tokenizer):
            raise ConfigError(
                "data.languages: the tokenizer of this model has no codes of languages. Use a size"
                " such as mbart-tiny, or leave the languages out."
            )
        find_code_ids(tokenizer, self.groups)

    @property
    def groups(self) -> tuple[str, ...]:
        """The languages."""
        return self.inputs.config.data.languages

    @cached_property
    def codes(self) -> np.ndarray | None:
        """(G, 2), the code of each language, twice. Raises: UsageError if one has none."""
        if not self.groups:
            return None
        codes = find_code_ids(self.inputs.tokenizers.source, self.groups)
        return np.array(codes)[:, None].repeat(2, axis=1)

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield documents, cut into blocks of `data.max_length` tokens, with special tokens.

        With several languages, the last column is the number of the document's.
        """
        limit = max_text_tokens(self.inputs)
        for each in encode_documents(records, self.inputs.tokenizers.source, limit):
            if isinstance(each, LeftOutRecord) or not self.groups:
                yield each
            elif (language := self._find_language(each.record)) in self.groups:
                number = np.array([self.groups.index(language)], np.int32)
                yield each._replace(columns=(*each.columns, number))
            else:
                yield LeftOutRecord("in other languages")

    def sample(self, train: Examples) -> Examples:
        """Return languages in other shares; see `DenoisingConfig.language_exponent`."""
        exponent = self._objective.language_exponent
        if len(self.groups) < 2 or exponent == 1:
            return train
        groups = np.array([int(train[i][-1][0]) for i in range(len(train))])
        sizes = np.bincount(groups, train.lengths[:, 0], len(self.groups))
        return SampledExamples(train, groups, sampling_factors(sizes, exponent).tolist())

    def example(self, examples: Examples, index: int, seed: int) -> Any:
        """Return a document, which may be one drawn from several."""
        is_sampled = isinstance(examples, SampledExamples)
        return examples.draw(index, seed) if is_sampled else examples[index]

    def make_pairs(self, examples: Sequence[Ids], seed: int) -> Sequence[Ids]:
        """Return noised documents, and the documents."""
        rng = np.random.default_rng(seed)
        noised = [noise_document(ids, self._objective, self._tokens, rng) for ids, *_ in examples]
        return [(each, ids) for each, (ids, *_) in zip(noised, examples, strict=True)]

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        bundle = super().export(module)["final"]
        return {"final": replace(bundle, languages=("", "")) if self.groups else bundle}

    @property
    def _objective(self) -> DenoisingConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, DenoisingConfig)
        return objective

    def _find_language(self, record: Record) -> str:
        """Return the language in the record's column, else that in its file's name.

        Raises: DataError if neither names one.
        """
        (column,) = record.values[1:] or ("",)
        language = column or text_language(record.file, self.inputs.config.data)
        if not language:
            raise DataError(
                f"{record.origin}: the language of this text is not known. Name it in a"
                " column `language`, or name one of data.languages in the file's name, as in"
                f" news.{self.groups[0]}."
            )
        return language

    @cached_property
    def _tokens(self) -> DenoisingTokens:
        tokenizer = self.inputs.tokenizers.source
        ends = np.zeros(tokenizer.vocab_size, bool)
        known = list(tokenizer.pieces_by_id)
        for i, text in zip(known, tokenizer.display(known), strict=True):
            ends[i] = text.strip().endswith(SENTENCE_ENDS)
        words = find_word_boundaries(tokenizer) if self._objective.whole_words else None
        return DenoisingTokens(tokenizer.id("mask"), ends, words)
