"""Replaced token detection: find the tokens that a generator has replaced (Clark et al. 2020)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.tasks.masked_lm import MaskedLMConfig
from pellucid.config.tasks.replaced_token import ReplacedTokenConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData
from pellucid.data.records import Record
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.nn.losses import cross_entropy
from pellucid.tasks.documents import encode_documents
from pellucid.tasks.encoder import (
    build_encoder,
    build_encoder_bundle,
    check_encoder,
    get_family_head,
    max_text_tokens,
)
from pellucid.tasks.generator import (
    GeneratorAndDiscriminator,
    generator_config,
    sample_replacements,
)
from pellucid.tasks.masking import MaskedBatch, Masker
from pellucid.tasks.padding import pad_wrapped
from pellucid.tasks.protocol import Task, TaskInputs, Term

GENERATOR, DISCRIMINATOR = "mlm", "replaced"
"""The heads of the two models."""


class ReplacedBatch(NamedTuple):
    """Texts with masked tokens, and what decides the generator's samples."""

    masked: MaskedBatch
    draws: Tensor  # (N,), uniform in [0, 1)

    def to(self, device: torch.device) -> "ReplacedBatch":
        return ReplacedBatch(self.masked.to(device), self.draws.to(device, non_blocking=True))


class ReplacedOutputs(NamedTuple):
    """What both models predict for a batch."""

    generator: Tensor  # (N, V), logits of the masked tokens
    discriminator: Tensor  # (R,), logits of the real tokens: above 0 for replaced ones
    replaced: Tensor  # (R,), 1.0 where the generator's sample is not the original token


@dataclass(frozen=True)
class ReplacedTokenTask(Task):
    """The task of one run."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        for head in (DISCRIMINATOR, GENERATOR):
            check_encoder(self.inputs, head, ("pad", "mask"))

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """Yield blocks of documents, at most `data.max_length` tokens with special tokens."""
        return encode_documents(
            records, self.inputs.tokenizers.source, max_text_tokens(self.inputs)
        )

    def build(self, seed: int) -> GeneratorAndDiscriminator:
        """Build both models. A model to start from is the discriminator's."""
        heads, family = self.inputs.heads, self.inputs.config.family
        head = heads.get(DISCRIMINATOR) or get_family_head(family, DISCRIMINATOR)
        discriminator = build_encoder(self.inputs, {DISCRIMINATOR: head}, seed)
        size = self._objective.generator_size
        model = generator_config(self.inputs.model_config, size)
        config = replace(self.inputs.config, model=model)
        inputs = replace(self.inputs, config=config, start=None, vectors={})
        head = get_family_head(family, GENERATOR)
        return GeneratorAndDiscriminator(
            discriminator, build_encoder(inputs, {GENERATOR: head}, seed + 1)
        )

    def collate(self, examples: Sequence[tuple[np.ndarray]], seed: int) -> ReplacedBatch:
        """Return blocks as a batch. `seed` determines masks and the generator's samples."""
        padded = pad_wrapped(examples, self.inputs.tokenizers.source)
        masked = self._masker.mask(padded, seed)
        draws = np.random.default_rng((seed, 1)).random(len(masked.labels), np.float32)
        return ReplacedBatch(masked, torch.from_numpy(draws))

    def counts(self, batch: ReplacedBatch) -> dict[str, int]:
        """Return the numbers of masked tokens and of all tokens."""
        return {"generator": len(batch.masked.labels), "discriminator": batch.masked.n_tokens}

    def tokens(self, batch: ReplacedBatch) -> int:
        """Return the number of tokens, with special tokens; both models read them."""
        return batch.masked.n_tokens

    def loss(self, module: nn.Module, batch: ReplacedBatch) -> dict[str, Term]:
        """Return the generator's loss on masked tokens, and the discriminator's on all tokens."""
        outputs, weight = predict(module, batch), self._objective.discriminator_weight
        return {
            "generator": Term(cross_entropy(outputs.generator, batch.masked.labels)),
            "discriminator": Term(_discriminator_loss(outputs), weight),
        }

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Return losses, the generator's accuracy, and how well replaced tokens are found.

        Every validation masks the same tokens. loss: the weighted total, as in training.
        Raises: UsageError if the module is a discriminator alone.
        """
        if not isinstance(module, GeneratorAndDiscriminator):
            raise UsageError(
                "a discriminator is measured on what its generator writes, and the generator is"
                " another model. The scores of both are in the run's metrics.jsonl; evaluate the"
                " run's folder `generator`, or fine-tune this model and evaluate the result."
            )
        sums = Counter[str]()
        with torch.inference_mode():
            for number, indices in enumerate(evaluation_batches(validation.examples.lengths)):
                examples = [validation.examples[i] for i in indices]
                batch = self.collate(examples, seed=number).to(device)
                sums.update(_count(predict(module, batch), batch))
        generator = sums["generator_loss"] / max(sums["masked"], 1)
        discriminator = sums["discriminator_loss"] / max(sums["tokens"], 1)
        return {
            "loss": generator + self._objective.discriminator_weight * discriminator,
            "generator_loss": generator,
            "generator_accuracy": sums["filled"] / max(sums["masked"], 1),
            "discriminator_loss": discriminator,
            "accuracy": sums["right"] / max(sums["tokens"], 1),
            "precision": sums["detected"] / max(sums["marked"], 1),
            "recall": sums["detected"] / max(sums["replaced"], 1),
        }

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """Return the discriminator as the main model, and the generator as a masked LM."""
        assert isinstance(module, GeneratorAndDiscriminator)
        generator = build_encoder_bundle(module.generator, self.inputs)
        return {
            "final": build_encoder_bundle(module.discriminator, self.inputs),
            "generator": replace(generator, task=MaskedLMConfig.name),
        }

    @property
    def _objective(self) -> ReplacedTokenConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, ReplacedTokenConfig)
        return objective

    @cached_property
    def _masker(self) -> Masker:
        return Masker.of(self.inputs)


def predict(module: nn.Module, batch: ReplacedBatch) -> ReplacedOutputs:
    """Fill masked tokens with samples of the generator, and classify all tokens."""
    assert isinstance(module, GeneratorAndDiscriminator)
    masked = batch.masked
    state = module.generator(masked.ids, masked.keep).flatten(0, 1)  # (B * T, D)
    logits = module.generator.heads[GENERATOR](state.index_select(0, masked.chosen))  # (N, V)
    filled = masked.ids.flatten()  # (B * T,)
    # No gradient crosses here: samples are ids.
    samples = sample_replacements(logits.detach(), batch.draws)
    filled = filled.scatter(0, masked.chosen, samples)
    replaced = torch.zeros_like(filled, dtype=torch.float32)
    replaced[masked.chosen] = (samples != masked.labels).float()
    state = module.discriminator(filled.view_as(masked.ids), masked.keep)  # (B, T, D)
    scores = module.discriminator.heads[DISCRIMINATOR](state).flatten()  # (B * T,)
    if masked.keep is None:
        return ReplacedOutputs(logits, scores, replaced)
    real = masked.keep.flatten()
    return ReplacedOutputs(logits, scores[real], replaced[real])


def _discriminator_loss(outputs: ReplacedOutputs) -> Tensor:
    scores = outputs.discriminator.float()
    return F.binary_cross_entropy_with_logits(scores, outputs.replaced, reduction="sum")


def _count(outputs: ReplacedOutputs, batch: ReplacedBatch) -> dict[str, float]:
    """Return the sums from which metrics are computed."""
    labels, marked, replaced = batch.masked.labels, outputs.discriminator > 0, outputs.replaced > 0
    return {
        "generator_loss": float(cross_entropy(outputs.generator, labels)),
        "discriminator_loss": float(_discriminator_loss(outputs)),
        "masked": len(labels),
        "tokens": len(replaced),
        "filled": int((outputs.generator.argmax(-1) == labels).sum()),
        "right": int((marked == replaced).sum()),
        "detected": int((marked & replaced).sum()),
        "marked": int(marked.sum()),
        "replaced": int(replaced.sum()),
    }
