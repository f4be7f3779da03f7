"""What tasks on encoder-decoders share: predict the next token of one text from another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.tasks.encoder_decoders import EncoderDecoderConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import ValidationData
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES, PUBLISHED_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.nn.base import Model
from pellucid.nn.losses import cross_entropy, perplexity
from pellucid.nn.masks import keep_from
from pellucid.nn.model import materialize
from pellucid.tasks.encoder import get_family_head, is_encoder_decoder
from pellucid.tasks.padding import pad_texts
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.starting_weights import copy_starting_weights

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
        self._first_token()

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

    def collate(self, examples: Sequence[Ids], seed: int) -> PairBatch:
        """Return examples as a batch, with special tokens."""
        pairs = self.make_pairs(examples, seed)
        source, target = self.inputs.tokenizers.source, self.inputs.tokenizers.target
        source_ids, lengths = pad_texts([ids for ids, _ in pairs], source)
        labels, target_lengths = pad_texts([ids for _, ids in pairs], target)
        target_ids = np.roll(labels, 1, axis=1)
        target_ids[:, 0] = self._first_token()
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
        return {self.inputs.config.task: len(batch.labels)}

    def tokens(self, batch: PairBatch) -> int:
        """Return the number of source and target tokens."""
        source = batch.source.numel() if batch.keep is None else int(batch.keep.sum())
        return source + len(batch.labels)

    def loss(self, module: nn.Module, batch: PairBatch) -> dict[str, Term]:
        """Return the label-smoothed cross-entropy of the target tokens, without padding."""
        objective = self.inputs.config.objective
        assert isinstance(objective, EncoderDecoderConfig)
        total = cross_entropy(
            compute_logits(module, batch), batch.labels, objective.label_smoothing
        )
        return {self.inputs.config.task: Term(total)}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return unsmoothed loss and perplexity per target token.

        What `collate` draws is the same in every validation.
        """
        total, count = 0.0, 0
        with torch.inference_mode():
            for number, indices in enumerate(evaluation_batches(validation.examples.lengths)):
                examples = [validation.examples[i] for i in indices]
                batch = self.collate(examples, number).to(device)
                total += float(cross_entropy(compute_logits(module, batch), batch.labels))
                count += len(batch.labels)
        return {"loss": total / max(count, 1), "perplexity": perplexity(total, count)}

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
    def _roles(self) -> Roles:
        family = ALL_FAMILIES[self.inputs.config.family]
        return getattr(family, "roles", Roles())

    def _first_token(self) -> int:
        """Return the first decoder input: the start token, or the last token of a text."""
        target, role = self.inputs.tokenizers.target, self._roles.start
        return template_ids(target)[1][-1] if role == "last" else target.id(role)


def compute_logits(module: nn.Module, batch: PairBatch) -> Tensor:
    """Return logits (N, V) of the real target positions."""
    assert isinstance(module, Model)
    state = module(batch.source, batch.keep, batch.target)  # (B, T, D)
    return module.heads[HEAD](state.flatten(0, 1).index_select(0, batch.real))


def _choose_heads(inputs: TaskInputs) -> dict[str, HeadConfig] | None:
    """The head of the model to start from, else that of its family; None: the default head."""
    if inputs.heads:
        return {HEAD: inputs.heads[HEAD]}
    family = PUBLISHED_FAMILIES.get(inputs.config.family)
    if family is None:
        return None
    head = get_family_head(family.name, HEAD)
    return {HEAD: family.adapt_head(inputs.model_config, head) if family.adapt_head else head}
