"""Summarization: predict the next token of a document's summary."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from pellucid.config.tasks.summarization import SummarizationConfig
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData, split_into_chunks
from pellucid.data.records import Record
from pellucid.formats.bundle import Bundle
from pellucid.inference.summarize import join_lines, summarize
from pellucid.metrics.intervals import ByExample, Metrics
from pellucid.metrics.summarization import NAMES, check_rouge, is_english, rouge_by_text
from pellucid.tasks.encoder import max_text_tokens
from pellucid.tasks.encoder_decoder import EncoderDecoderTask


@dataclass(frozen=True)
class SummarizationTask(EncoderDecoderTask):
    """The task of one run."""

    def check(self) -> None:
        """See `Task.check`."""
        super().check()
        max_text_tokens(self.inputs)
        check_rouge()

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield one example per document, cut to `data.max_length` tokens, and its summary."""
        source, target = self.inputs.tokenizers.source, self.inputs.tokenizers.target
        n_source, n_target = (len(side.add_special_tokens([]).ids) for side in (source, target))
        c, most = self._objective, max_text_tokens(self.inputs)
        for chunk in split_into_chunks(records):
            texts = [c.source_prefix + join_lines(record.values[0]) for record in chunk]
            documents = source.encode_batch(texts)
            summaries = target.encode_batch([record.values[1] for record in chunk])
            for record, document, summary in zip(chunk, documents, summaries, strict=True):
                if not document or not summary:
                    yield LeftOutRecord("blank")
                elif len(summary) + n_target > c.max_summary_length:
                    yield LeftOutRecord("with too long a summary")
                else:
                    ids = (np.array(document[:most], np.int32), np.array(summary, np.int32))
                    lengths = (len(ids[0]) + n_source, len(ids[1]) + n_target)
                    yield Encoded(ids, lengths, record, is_cut=len(document) > most)

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return unsmoothed loss and perplexity, and the ROUGE of summaries by the run's search."""
        scores = super().validate(module, validation, device)
        bundle = self.export(module)["final"]
        language = bundle.languages[0]
        english = is_english((record.values[1] for record in validation.records), language)
        parts = list[np.ndarray]()
        for chunk in split_into_chunks(validation.records):
            documents, references = zip(*(record.values for record in chunk), strict=True)
            summaries = [best.text for best, *_ in summarize(bundle, documents)]
            parts.append(rouge_by_text(summaries, references, english))
        rouges = np.concatenate(parts)  # (N, 4)

        def means(texts: np.ndarray) -> dict[str, float]:
            return dict(zip(NAMES, rouges[texts].mean(axis=0).tolist(), strict=True))

        by_example = ByExample(len(rouges), means, lambda: [r.origin for r in validation.records])
        return Metrics({**scores, **means(np.arange(len(rouges)))}, by_example)

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        bundle = super().export(module)["final"]
        return {"final": replace(bundle, source_prefix=self._objective.source_prefix)}

    @property
    def _objective(self) -> SummarizationConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, SummarizationConfig)
        return objective
