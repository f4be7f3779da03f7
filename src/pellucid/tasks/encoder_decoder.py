"""What tasks on encoder-decoders share: predict the next token of one text from another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.tasks.encoder_decoders import EncoderDecoderConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Examples, ExamplesSubset, ValidationData
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES, PUBLISHED_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.heads import sum_cross_entropy
from pellucid.nn.losses import cross_entropy, perplexity
from pellucid.nn.masks import keep_from
from pellucid.nn.model import materialize
from pellucid.tasks.encoder import find_first_token, get_family_head, is_encoder_decoder
from pellucid.tasks.initialization import copy_starting_weights
from pellucid.tasks.language_codes import set_language
from pellucid.tasks.padding import pad_texts
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.r_drop import loss_terms, r_drop_count

HEAD = "lm"
Ids = tuple[np.ndarray, ...]
"""The columns of an example."""


class PairBatch(NamedTuple):
    """Padded pairs. `labels` holds the next token of `target` at each real position."""

    source: Tensor  # (B, S), with the special tokens of the tokenizer
    keep: Tensor | None  # (B, S), True = real; None if no row is padded
    target: Tensor  # (B, T), decoder input: labels shifted right
    real: Tensor  # (N,), indices into (B * T) of real labels
    labels: Tensor  # (N,), with the special tokens of the tokenizer

    def to(self, device: torch.device) -> "PairBatch":
        return PairBatch(
            *(None if x is None else x.to(device, non_blocking=True) for x in self)  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class EncoderDecoderTask(Task):
    """A task that trains an encoder-decoder; a subclass says what source and target are."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        inputs, c = self.inputs, self.inputs.config
        if not is_encoder_decoder(inputs):
            raise ConfigError(
                f"{c.task} needs an encoder and a decoder, but this model of family {c.family}"
                f" has {c.model.n_encoder_layers} and {c.model.n_decoder_layers} layers. Use"
                " another model or task."
            )
        if inputs.heads and HEAD not in inputs.heads:
            raise ConfigError(
                f"the model to start from predicts no tokens: its heads are"
                f" {', '.join(inputs.heads)}. Start from a translator or another text generator."
            )
        inputs.tokenizers.source.id("pad")
        inputs.tokenizers.target.id("pad")
        find_first_token(inputs)

    def build(self, seed: int) -> nn.Module:
        """Build the model of the run's config."""
        inputs = self.inputs
        with torch.device("meta"):
            family = ALL_FAMILIES[inputs.config.family]
            module = family.module(inputs.model_config, _choose_heads(inputs))
        model = materialize(module, seed)
        copy_starting_weights(model, inputs)
        return model

    def make_pairs(self, examples: Sequence[Ids], seed: int) -> Sequence[Ids]:
        """Return the ids of source and target of each example. All random choices use `seed`."""
        return examples

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of groups of examples, such as directions, whose losses are also reported.

        If there are groups, the last column of an example is the number of its group.
        """
        return ()

    @cached_property
    def codes(self) -> np.ndarray | None:
        """(G, 2), the ids of the language codes of source and target, by group.

        One row without groups; None if the tokenizer's template has no language code.
        """
        return None

    def collate(self, examples: Sequence[Ids], seed: int) -> PairBatch:
        """Return examples as a batch, with special tokens."""
        pairs = self.make_pairs(examples, seed)
        source, target = self.inputs.tokenizers.source, self.inputs.tokenizers.target
        source_ids, lengths = pad_texts([ids for ids, _ in pairs], source)
        labels, target_lengths = pad_texts([ids for _, ids in pairs], target)
        if self.codes is not None:
            codes = self.codes[[self._find_group(each) for each in examples]]  # (B, 2)
            source_ids = set_language(source_ids, source, codes[:, 0])
            labels = set_language(labels, target, codes[:, 1])
        first = find_first_token(self.inputs)
        target_ids = np.roll(labels, 1, axis=1)
        last = labels[np.arange(len(labels)), target_lengths - 1]
        target_ids[:, 0] = last if first is None else first
        real = np.arange(labels.shape[1]) < target_lengths[:, None]  # (B, T)
        target_ids[~real] = target.id("pad")
        return PairBatch(
            source=torch.from_numpy(source_ids),
            keep=keep_from(torch.from_numpy(lengths), source_ids.shape[1]),
            target=torch.from_numpy(target_ids),
            real=torch.from_numpy(np.flatnonzero(real)),
            labels=torch.from_numpy(labels[real]),
        )

    def counts(self, batch: PairBatch) -> dict[str, int]:
        """Return the number of target tokens, with special tokens."""
        n = len(batch.labels)
        return {self.inputs.config.task: n, **r_drop_count(self._objective.r_drop, n)}

    def tokens(self, batch: PairBatch) -> int:
        """Return the number of source and target tokens."""
        source = batch.source.numel() if batch.keep is None else int(batch.keep.sum())
        return source + len(batch.labels)

    def loss(self, module: nn.Module, batch: PairBatch) -> dict[str, Term]:
        """Return the label-smoothed cross-entropy of the target tokens, without padding."""
        assert isinstance(module, Model)
        c, name = self._objective, self.inputs.config.task
        if not c.r_drop:
            state = compute_states(module, batch)
            loss = sum_cross_entropy(module.heads[HEAD], state, batch.labels, c.label_smoothing)
            return {name: Term(loss)}
        return loss_terms(
            name,
            lambda: compute_logits(module, batch),
            lambda logits: cross_entropy(logits, batch.labels, c.label_smoothing),
            c.r_drop,
        )

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return unsmoothed loss and perplexity per target token, and the loss of each group.

        What `collate` draws is the same in every validation.
        """
        examples = validation.examples
        total, count = self._sum_loss(module, examples, device)
        scores = {"loss": total / max(count, 1), "perplexity": perplexity(total, count)}
        numbers = [self._find_group(examples[i]) for i in range(len(examples)) if self.groups]
        for number in np.unique(np.array(numbers, np.int64)):
            part = ExamplesSubset(examples, np.flatnonzero(np.array(numbers) == number))
            total, count = self._sum_loss(module, part, device)
            scores[f"loss_{self.groups[number]}"] = total / count
        return scores

    def _sum_loss(
        self, module: nn.Module, examples: Examples, device: torch.device
    ) -> tuple[float, int]:
        """Return the summed loss of the target tokens, and their number."""
        total, count = 0.0, 0
        with torch.inference_mode():
            for number, indices in enumerate(evaluation_batches(examples.lengths)):
                batch = self.collate([examples[i] for i in indices], number).to(device)
                total += float(cross_entropy(compute_logits(module, batch), batch.labels))
                count += len(batch.labels)
        return total, count

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the only model of this task."""
        assert isinstance(module, Model)
        c = self.inputs.config
        bundle = Bundle(
            model=module,
            model_config=module.config,
            tokenizers=self.inputs.tokenizers,
            task=c.task,
            roles=self._roles,
            decoding=c.decoding,
            languages=(c.data.source_language, c.data.target_language),
            longest_source=self.inputs.longest[0],
            card="",
            family=c.family,
            token_ids=self.inputs.token_ids,
        )
        return {"final": bundle}

    @property
    def _objective(self) -> EncoderDecoderConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, EncoderDecoderConfig)
        return objective

    @property
    def _roles(self) -> Roles:
        family = ALL_FAMILIES[self.inputs.config.family]
        return getattr(family, "roles", Roles())

    def _find_group(self, example: Ids) -> int:
        """Return the number of an example's group; 0 without groups."""
        return int(example[-1][0]) if self.groups else 0


def compute_logits(module: nn.Module, batch: PairBatch) -> Tensor:
    """Return logits (N, V) of the real target positions."""
    assert isinstance(module, Model)
    return module.heads[HEAD](compute_states(module, batch))


def compute_states(model: Model, batch: PairBatch) -> Tensor:
    """Return states (N, D) of the real target positions."""
    state = model(batch.source, batch.keep, batch.target)  # (B, T, D)
    return state.flatten(0, 1).index_select(0, batch.real)


def _choose_heads(inputs: TaskInputs) -> dict[str, HeadConfig] | None:
    """The head of the model to start from, else that of its family; None: the default head."""
    if inputs.heads:
        return {HEAD: inputs.heads[HEAD]}
    family = PUBLISHED_FAMILIES.get(inputs.config.family)
    if family is None:
        return None
    head = get_family_head(family.name, HEAD)
    return {HEAD: family.adapt_head(inputs.model_config, head) if family.adapt_head else head}
