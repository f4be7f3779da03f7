"""Translation: predict the next target token of parallel text (Vaswani et al. 2017, section 5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData, split_into_chunks
from pellucid.data.records import Record
from pellucid.inference.translate import translate
from pellucid.metrics.translation import bleu
from pellucid.tasks.encoder_decoder import EncoderDecoderTask


@dataclass(frozen=True)
class TranslationTask(EncoderDecoderTask):
    """The task of one run."""

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield one example per pair: ids of source and target, without special tokens."""
        tokenizers, most = self.inputs.tokenizers, self.inputs.config.data.max_length
        n_source, n_target = (
            len(tokenizer.add_special_tokens([]).ids)
            for tokenizer in (tokenizers.source, tokenizers.target)
        )
        for chunk in split_into_chunks(records):
            sources = tokenizers.source.encode_batch([record.values[0] for record in chunk])
            targets = tokenizers.target.encode_batch([record.values[1] for record in chunk])
            for record, source, target in zip(chunk, sources, targets, strict=True):
                if not source or not target:
                    yield LeftOutRecord("blank")
                elif max(len(source), len(target)) > most:
                    yield LeftOutRecord("too long")
                else:
                    lengths = (len(source) + n_source, len(target) + n_target)
                    ids = (np.array(source, np.int32), np.array(target, np.int32))
                    yield Encoded(ids, lengths, record)

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return unsmoothed loss and perplexity, and BLEU if it selects the checkpoint."""
        scores = super().validate(module, validation, device)
        if self.inputs.config.best_by == "bleu":
            scores["bleu"] = self._bleu(module, validation)
        return scores

    def _bleu(self, module: nn.Module, validation: ValidationData) -> float:
        bundle = self.export(module)["final"]
        results = translate(bundle, [record.values[0] for record in validation.records])
        hypotheses = [best.text for best, *_ in results]
        references = [record.values[1] for record in validation.records]
        return bleu(hypotheses, references, bundle.languages[1]).value
