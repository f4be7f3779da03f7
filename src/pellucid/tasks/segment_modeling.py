"""Language modeling with a memory that is carried from segment to segment (Dai et al. 2019)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.data.examples import Examples, ValidationData
from pellucid.errors import ConfigError
from pellucid.families.transformer_xl.model import TransformerXL
from pellucid.nn.heads import sum_cross_entropy
from pellucid.tasks.language_modeling import NAME, LanguageModelingTask
from pellucid.tasks.next_token import (
    HEAD,
    TokenBatch,
    collate_windows,
    measure,
    select_scored,
    sum_loss,
)
from pellucid.tasks.protocol import Task, TaskInputs, Term


class CarriedMemory(nn.Module):
    """A Transformer-XL, and the memory of each row of the batches that it is trained on.

    The memory is a persistent buffer (L, R, M, D), so that checkpoints hold it.
    """

    memory: Tensor

    def __init__(self, model: TransformerXL, n_rows: int) -> None:
        super().__init__()
        c = model.config
        self.model = model
        self.register_buffer(
            "memory", torch.zeros(c.n_decoder_layers, n_rows, c.mem_len, c.d_model)
        )

    def forward(self, ids: Tensor, starts: bool) -> Tensor:
        """Read the next segment (B, T) of the first B rows -> states (B, T, D).

        starts: whether the rows begin, so that there is nothing to remember.
        """
        memory = self.memory[:, : len(ids)]
        if starts:
            memory.zero_()
        segment = self.model.segment(ids, memory.clone())
        memory.copy_(segment.memory)
        return segment.state


class SegmentBatch(NamedTuple):
    """The next segment of each row."""

    tokens: TokenBatch
    starts: bool

    def to(self, device: torch.device) -> "SegmentBatch":
        return SegmentBatch(self.tokens.to(device), self.starts)


@dataclass(frozen=True)
class SegmentModelingTask(LanguageModelingTask):
    """The task of one run with a Transformer-XL.

    The rows of a batch are streams of text that continue in the next batch; at the end of an epoch
    the memory is cleared. One process trains all rows.
    """

    order = "stream"
    repeats_codes = False  # the memory holds the beginning of the document

    def check(self) -> None:
        """See `Task.check`."""
        if self._objective.stride:
            raise ConfigError(
                f"objective.stride={self._objective.stride}, but a Transformer-XL is evaluated with"
                " its memory and has no overlapping windows. Leave it out."
            )
        super().check()

    def example(self, examples: Examples, index: int, seed: int) -> Any:
        """Return a block and its number."""
        return index, examples[index][0]

    def build(self, seed: int) -> nn.Module:
        """Build a Transformer-XL with a memory for each row of a batch."""
        model = super().build(seed)
        assert isinstance(model, TransformerXL)
        c, longest = self.inputs.config.training, max(self.inputs.longest, default=self.context)
        return CarriedMemory(model, c.batch_examples or max(1, c.max_tokens // longest))

    def collate(self, examples: Sequence[Any], seed: int) -> Any:
        """Return the next segments. Block 0 is in the first batch of an epoch, and in no other."""
        batch = collate_windows([ids for _, ids in examples], [0] * len(examples))
        return SegmentBatch(batch, starts=examples[0][0] == 0)

    def counts(self, batch: Any) -> dict[str, int]:
        return super().counts(batch.tokens)

    def tokens(self, batch: Any) -> int:
        return super().tokens(batch.tokens)

    def loss(self, module: nn.Module, batch: Any) -> dict[str, Term]:
        """Return the cross-entropy of the next tokens, and update the memory."""
        assert isinstance(module, CarriedMemory)
        state = select_scored(module(batch.tokens.ids, batch.starts), batch.tokens)
        loss = sum_cross_entropy(module.model.heads[HEAD], state, batch.tokens.labels)
        return {NAME: Term(loss)}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return the metrics. The text is read once, in segments, with the memory carried."""
        model = module.model if isinstance(module, CarriedMemory) else module
        assert isinstance(model, TransformerXL)
        stream, memory, total = self._stream(validation), None, 0.0
        with torch.no_grad():
            for begin in range(0, len(stream), self.context):
                ids = stream.window(begin, min(begin + self.context, len(stream)))
                batch = collate_windows([ids], [0]).to(device)
                state, memory = model.segment(batch.ids, memory)
                total += sum_loss(model, state, batch)
        return measure(total, len(stream), validation)

    def export(self, module: nn.Module) -> Mapping[str, Any]:
        """Return the bundle of the model, without the memory."""
        return super().export(module.model if isinstance(module, CarriedMemory) else module)


def build_language_modeling(inputs: TaskInputs) -> Task:
    """Return the task for a model with memory, or without."""
    has_memory = isinstance(inputs.config.model, TransformerXLConfig)
    return (SegmentModelingTask if has_memory else LanguageModelingTask)(inputs)
