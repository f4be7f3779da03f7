"""The interface between the trainer and a task.

A task is a frozen dataclass built from `TaskInputs`. It does not read or write files, form batches,
loop or print: the pipeline reads records, stores the examples that `encode` yields, forms batches,
and trains. The protocol supports:

- **Several models in one run** (ELECTRA, distillation): `build` returns one module that holds them
  all, `loss` returns one `Term` for each objective with its weight, `export` returns one bundle for
  each model. A teacher that is not trained belongs to the task, not to the module, so that
  checkpoints do not hold it.
- **State from one batch to the next** (the memory of Transformer-XL): persistent buffers of the
  module that `build` returns. Checkpoints save and restore them, so that a resumed run is exact.
  `order = "stream"` forms batches along contiguous streams of examples: row r of each micro-batch
  continues row r of the previous one. One process trains such a task.
- **One record, many examples** (the windows of question answering): `encode` may yield any number
  of examples for a record. Validation groups them by `Examples.origin`.
- **Packed documents**: `encode` sees the records of one part of the store in order, and may cut
  their concatenation into blocks of equal length.
- **Pairs drawn per epoch** (NSP, SOP): `example` reads an example from the store. Its seed depends
  on (seed, epoch, index) alone, so a second segment drawn there is new in every epoch and the same
  after a resume. The example must not be longer than `lengths` says.
- **Other shares of the data** (languages of mBART): `sample` returns a view of the training
  examples that has some of them several times, or one in place of several, and `example` draws.
- **Noise** (masks, corrupted spans, negatives): `collate` draws from its seed, which depends on the
  number of the micro-batch alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from pellucid.config.head import HeadConfig
from pellucid.config.run import RunConfig
from pellucid.data.examples import Encoded, Examples, LeftOutRecord, ValidationData
from pellucid.data.records import Record
from pellucid.data.vectors import Vectors
from pellucid.formats.bundle import Bundle
from pellucid.text.pair import Tokenizers


@dataclass(frozen=True, kw_only=True)
class TaskInputs:
    """The inputs of a task."""

    config: RunConfig
    """`config.objective` holds the task's own settings."""
    tokenizers: Tokenizers
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The labels of each column that has some, in the order of their ids."""
    label_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How often each label occurs in the training records, by column."""
    n_records: int = 0
    """Number of training records."""
    longest: tuple[int, ...] = ()
    """Length in tokens of the longest training example on each side; empty before encoding."""
    start: Bundle | None = None
    """The model that training starts from, unless a checkpoint will be restored."""
    heads: Mapping[str, HeadConfig] = field(default_factory=dict)
    """The heads of the model that training started from, also if `start` is None."""
    token_ids: Mapping[str, int] = field(default_factory=dict)
    """The token ids in that model's configs."""
    teachers: tuple[Bundle, ...] = ()
    """The models whose predictions are learned, while training."""
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    """Word vectors to initialize rows of embeddings with, by stack (encoder, decoder)."""

    @property
    def model_config(self) -> Any:
        """The model's settings. Vocabulary sizes of 0 are replaced by those of the tokenizers."""
        c, tokenizers = self.config.model, self.tokenizers
        if c.vocab_size:
            return c
        target = {} if tokenizers.joint else {"target_vocab_size": tokenizers.target.vocab_size}
        return replace(c, vocab_size=tokenizers.source.vocab_size, **target)


class Term(NamedTuple):
    """One term of a loss: its sum over a micro-batch, and its weight in the total."""

    sum: Tensor  # scalar, differentiable
    weight: float = 1.0


class Batch(Protocol):
    """Tensors of one micro-batch; only `collate` and `loss` of the task access them."""

    def to(self, device: torch.device) -> "Batch": ...


class Task(Protocol):
    """One kind of training. Methods have no side effects, except on the module they receive."""

    order: Literal["length", "stream"] = "length"
    """How batches are formed: of examples of similar length, or along contiguous streams."""

    def check(self) -> None:
        """Check that model and tokenizers have what the task needs, before data is encoded.

        Raises: ConfigError, UsageError naming what is missing.
        """

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield examples from records; see the module docstring."""
        ...

    def example(self, examples: Examples, index: int, seed: int) -> Any:
        """Return one example for `collate`. `seed` differs from epoch to epoch."""
        return examples[index]

    def sample(self, train: Examples) -> Examples:
        """Return the examples of an epoch, if it does not have each training example once."""
        return train

    def with_statistics(self, train: Examples) -> "Task":
        """Return the task with what it needs to know of all training examples, such as counts."""
        return self

    def build(self, seed: int) -> nn.Module:
        """Return the module to train, initialized from `seed` or from `inputs.start`."""
        ...

    def collate(self, examples: Sequence[Any], seed: int) -> Batch:
        """Return examples as tensors. All random choices use `seed`."""
        ...

    def counts(self, batch: Any) -> dict[str, int]:
        """Return the divisor of each loss term. It does not depend on the forward pass."""
        ...

    def tokens(self, batch: Any) -> int:
        """Return the number of tokens of a batch, without padding, for throughput."""
        ...

    def loss(self, module: nn.Module, batch: Any) -> dict[str, Term]:
        """Return the loss terms as sums. Each is divided by its count over the whole update."""
        ...

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return the metrics of the task's config on validation data. `loss` is always one."""
        ...

    def export(self, module: nn.Module) -> Mapping[str, Any]:
        """Return the finished bundles by name. The main one is `final`."""
        ...


def combine_terms(terms: Mapping[str, Term], counts: Mapping[str, int]) -> Tensor:
    """Return the weighted sum of terms, each divided by its count over the whole update."""
    counted = [(term, counts[name]) for name, term in terms.items() if counts[name]]
    return torch.stack([term.sum * (term.weight / count) for term, count in counted]).sum()
