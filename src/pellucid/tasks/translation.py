"""Translation: predict the next target token of parallel text (Vaswani et al. 2017, section 5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from pellucid.data.examples import (
    Encoded,
    LeftOutRecord,
    ValidationData,
    split_into_chunks,
)
from pellucid.data.languages import file_languages
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import find_role_ids
from pellucid.inference.languages import choose_languages
from pellucid.inference.options import NO_OPTIONS, CallOptions
from pellucid.inference.translate import translate
from pellucid.metrics.translation import bleu
from pellucid.tasks.encoder_decoder import EncoderDecoderTask, Ids
from pellucid.tasks.language_codes import find_code_ids
from pellucid.text.language_tags import find_tag, language_tags
from pellucid.text.pair import Tokenizers
from pellucid.text.published.language import template_language


class Pair(NamedTuple):
    """A record in one direction."""

    record: Record
    source: str
    target: str
    direction: int
    """Index in `data.directions`; -1 if there are none."""


@dataclass(frozen=True)
class TranslationTask(EncoderDecoderTask):
    """The task of one run."""

    def check(self) -> None:
        """See `Task.check`."""
        super().check()
        directions, tokenizers = self.inputs.config.data.directions, self.inputs.tokenizers
        if directions and not tokenizers.joint:
            raise ConfigError(
                "data.directions: each language is read and written, but the tokenizer has one"
                " vocabulary for each side. Set tokenizer.joint=true."
            )
        if self.codes is None:
            self._check_tags()

    @property
    def groups(self) -> tuple[str, ...]:
        """The directions."""
        return self.inputs.config.data.directions

    @cached_property
    def codes(self) -> np.ndarray | None:
        """(G, 2), the language codes of source and target in each direction, as those of mBART.

        None if the tokenizer's template has none. Raises: ConfigError, UsageError if a language is
        unknown.
        """
        tokenizers, data = self.inputs.tokenizers, self.inputs.config.data
        if not template_language(tokenizers.source):
            return None
        pairs = [each.split("-") for each in data.directions]
        pairs = pairs or [[data.source_language, data.target_language]]
        if not all(map(all, pairs)):
            raise ConfigError(
                "this model marks texts with their language, but the languages of source and target"
                " are not known. Set data.source_language and data.target_language."
            )
        sources, targets = zip(*pairs, strict=True)
        sides = (tokenizers.source, sources), (tokenizers.target, targets)
        return np.array([find_code_ids(*side) for side in sides]).T

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield one example per pair: ids of source and target, without special tokens.

        With several directions, one per direction in which the record can be read, its source
        marked with the target language, and the number of the direction.
        """
        tokenizers, data = self.inputs.tokenizers, self.inputs.config.data
        n_source, n_target = (
            len(tokenizer.add_special_tokens([]).ids)
            for tokenizer in (tokenizers.source, tokenizers.target)
        )
        for chunk in split_into_chunks(records):
            by_record = [list(self._pairs(record)) for record in chunk]
            yield from (LeftOutRecord("in other languages") for each in by_record if not each)
            pairs = [pair for each in by_record for pair in each]
            sources = tokenizers.source.encode_batch([pair.source for pair in pairs])
            targets = tokenizers.target.encode_batch([pair.target for pair in pairs])
            for pair, source, target in zip(pairs, sources, targets, strict=True):
                if not source or not target:
                    yield LeftOutRecord("blank")
                elif max(len(source), len(target)) > data.max_length:
                    yield LeftOutRecord("too long")
                else:
                    tag = find_tag(tokenizers.source, self._get_languages(pair.direction)[1])
                    lengths = (len(tag) + len(source) + n_source, len(target) + n_target)
                    ids = [[*tag, *source], target]
                    if pair.direction >= 0:
                        ids.append([pair.direction])
                    yield Encoded(tuple(np.array(c, np.int32) for c in ids), lengths, pair.record)

    def make_pairs(self, examples: Sequence[Ids], seed: int) -> Sequence[Ids]:
        """Return source and target, without the number of the direction."""
        return [each[:2] for each in examples]

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return unsmoothed loss and perplexity, and BLEU if it selects the checkpoint.

        With several directions, also the loss and the BLEU of each that has examples; BLEU is then
        their mean.
        """
        scores = super().validate(module, validation, device)
        if self.inputs.config.best_by == "bleu":
            scores |= self._bleu(module, validation)
        return scores

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task. By default it translates in the first direction."""
        bundle, tokenizers = super().export(module)["final"], self.inputs.tokenizers
        if self.codes is not None:
            source, target = self._get_languages(0 if self.groups else -1)
            ids = {**find_role_ids(tokenizers.target), **bundle.token_ids}
            bundle = choose_languages(replace(bundle, token_ids=ids), target, source)
            if tokenizers.joint:  # one file, for `transformers` too
                tokenizer = bundle.tokenizers.source
                bundle = replace(bundle, tokenizers=Tokenizers(tokenizer, tokenizer))
        return {"final": replace(bundle, languages=("", "")) if self.groups else bundle}

    def _check_tags(self) -> None:
        """Raises: ConfigError if the tokenizer has no token for the target of a direction."""
        known = language_tags(self.inputs.tokenizers.source)
        missing = {each.split("-")[1] for each in self.groups} - known.keys()
        if missing:
            raise ConfigError(
                f"data.directions: the tokenizer has no token for {', '.join(sorted(missing))}, but"
                f" for {', '.join(known) or 'no language'}. Train a new one: leave out"
                " tokenizer.path and start_from."
            )

    def _pairs(self, record: Record) -> Iterator[Pair]:
        """Yield a record in each direction in which it can be read."""
        source, target = record.values[:2]
        directions = self.inputs.config.data.directions
        if not directions:
            yield Pair(record, source, target, -1)
            return
        first, second = self._find_languages(record)
        for number, direction in enumerate(directions):
            if direction == f"{first}-{second}":
                yield Pair(record, source, target, number)
            elif direction == f"{second}-{first}":
                yield Pair(record, target, source, number)

    def _find_languages(self, record: Record) -> tuple[str, str]:
        """Return the languages in the record's columns, else those in the name of its file.

        Raises: DataError if one of them is unknown.
        """
        named = file_languages(record.file, self.inputs.config.data)
        columns = record.values[2:] or ("", "")
        first, second = (a or b for a, b in zip(columns, named, strict=True))
        if not (first and second):
            raise DataError(
                f"{record.origin}: the languages of this pair are not known. Name them"
                " in columns source_language and target_language, or in the file's name, as in"
                " train.en-de.tsv."
            )
        return first, second

    def _get_languages(self, direction: int) -> tuple[str, str]:
        """Return the source and target language of a direction."""
        data = self.inputs.config.data
        if direction < 0:
            return data.source_language, data.target_language
        source, target = data.directions[direction].split("-")
        return source, target

    def _bleu(self, module: nn.Module, validation: ValidationData) -> dict[str, float]:
        bundle = self.export(module)["final"]
        pairs = [pair for record in validation.records for pair in self._pairs(record)]
        directions, scores = self.inputs.config.data.directions, dict[str, float]()
        for number in sorted({pair.direction for pair in pairs}):
            chosen = [pair for pair in pairs if pair.direction == number]
            source, language = self._get_languages(number)
            call = CallOptions(to=language, source_language=source) if directions else NO_OPTIONS
            results = translate(bundle, [pair.source for pair in chosen], call=call)
            texts, references = [best.text for best, *_ in results], [p.target for p in chosen]
            name = f"bleu_{directions[number]}" if directions else "bleu"
            scores[name] = bleu(texts, references, language).value
        return {"bleu": sum(scores.values()) / len(scores), **scores}
