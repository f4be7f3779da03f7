"""Word vectors: skip-gram with negative sampling (Mikolov et al. 2013)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.skip_gram import SkipGramConfig
from pellucid.config.tasks.word_vectors import WordVectorsConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, Examples, LeftOutRecord, ValidationData
from pellucid.data.records import Record
from pellucid.data.word_pairs import draw_negatives, draw_pairs, subsample
from pellucid.data.word_vectors import WordVectors
from pellucid.errors import ConfigError
from pellucid.nn.skip_gram import SkipGram, skip_gram_loss
from pellucid.tasks.documents import encode_documents
from pellucid.tasks.protocol import Task, TaskInputs, Term

NAME = WordVectorsConfig.name


class SkipGramBatch(NamedTuple):
    """Pairs of words and contexts, and sampled contexts."""

    words: Tensor  # (N,)
    contexts: Tensor  # (N,)
    noise: Tensor  # (N, K)
    n_tokens: Tensor  # scalar, words that were read

    def to(self, device: torch.device) -> "SkipGramBatch":
        return SkipGramBatch(*(x.to(device, non_blocking=True) for x in self))


@dataclass(frozen=True)
class WordVectorsTask(Task):
    """The task of one run."""

    inputs: TaskInputs
    word_counts: np.ndarray | None = None
    """(V,), how often each word is in the training data; None before it is encoded."""

    def check(self) -> None:
        """See `Task.check`."""
        if self.inputs.config.start_from:
            raise ConfigError(
                "word vectors are trained from scratch: a model to start from has none. Leave out"
                " start_from; tokenizer.path takes the tokenizer of a model."
            )

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield blocks of documents without unknown words, of two words at least."""
        tokenizer = self.inputs.tokenizers.source
        unknown = tokenizer.roles.get("unk", -1)
        for each in encode_documents(records, tokenizer, self.inputs.config.data.max_length):
            if isinstance(each, LeftOutRecord):
                yield each
                continue
            (ids,) = each.columns
            ids = ids[ids != unknown]
            if len(ids) < 2:
                yield LeftOutRecord("of one known word at most")
            else:
                yield Encoded((ids,), (len(ids),), each.record)

    def with_statistics(self, train: Examples) -> "WordVectorsTask":
        """Return the task with the counts of words."""
        counts = np.zeros(self._vocab_size, np.int64)
        for i in range(len(train)):
            np.add.at(counts, train[i][0], 1)
        return replace(self, word_counts=counts)

    def build(self, seed: int) -> nn.Module:
        """Build the two vectors of each word."""
        config = self.inputs.model_config
        assert isinstance(config, SkipGramConfig)
        module = SkipGram(config)
        module.initialize(seed)
        return module

    def collate(self, examples: Sequence[tuple[np.ndarray]], seed: int) -> SkipGramBatch:
        """Return the pairs of a batch. `seed` determines subsampling, windows and negatives."""
        assert self.word_counts is not None
        c, rng = self._objective, np.random.default_rng(seed)
        texts = [ids.astype(np.int64) for (ids,) in examples]
        kept = [ids[subsample(ids, self.word_counts, c.subsample, rng)] for ids in texts]
        # A batch of few words may lose all pairs: then its words are kept.
        has_pairs = any(len(ids) > 1 for ids in kept)
        words, contexts = draw_pairs(kept if has_pairs else texts, c.window, rng)
        noise = draw_negatives((len(words), c.negatives), self.word_counts, c.power, rng)
        n_tokens = np.array(sum(map(len, texts)))
        return SkipGramBatch(*map(torch.from_numpy, (words, contexts, noise, n_tokens)))

    def counts(self, batch: SkipGramBatch) -> dict[str, int]:
        """Return the number of pairs."""
        return {NAME: len(batch.words)}

    def tokens(self, batch: SkipGramBatch) -> int:
        """Return the number of words, before subsampling."""
        return int(batch.n_tokens)

    def loss(self, module: nn.Module, batch: SkipGramBatch) -> dict[str, Term]:
        """Return the negative sampling loss of the pairs."""
        return {NAME: Term(_loss(module, batch))}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return the loss per pair. Every validation draws the same pairs and negatives."""
        total, count = 0.0, 0
        with torch.inference_mode():
            for number, indices in enumerate(evaluation_batches(validation.examples.lengths)):
                batch = self.collate([validation.examples[i] for i in indices], number).to(device)
                total += float(_loss(module, batch))
                count += len(batch.words)
        return {"loss": total / max(count, 1)}

    def export(self, module: nn.Module) -> Mapping[str, WordVectors]:
        """Return the vectors of words that were seen, most frequent first.

        Only pieces that can be a whole word have one.
        """
        assert isinstance(module, SkipGram)
        values = module.words.detach().float().numpy()
        rows = list(self.inputs.tokenizers.source.whole_words.items())
        counts = self.word_counts
        if counts is not None:
            rows = [(word, i) for word, i in rows if counts[i]]
            rows.sort(key=lambda row: -counts[row[1]])
        words = tuple(word for word, _ in rows)
        return {"final": WordVectors(words, values[[i for _, i in rows]])}

    @property
    def _objective(self) -> WordVectorsConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, WordVectorsConfig)
        return objective

    @property
    def _vocab_size(self) -> int:
        return self.inputs.model_config.vocab_size


def _loss(module: nn.Module, batch: SkipGramBatch) -> Tensor:
    """Return the loss, summed over pairs. A negative that is the context does not count."""
    scores = module(batch.words, batch.contexts, batch.noise)
    return skip_gram_loss(scores, batch.noise != batch.contexts[:, None])
