"""A tiny shape and the logits of encoder-decoder classes."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from parity.classes import logits_of
from parity.peer import IDS, KEEP
from pellucid.formats.huggingface import PublishedModel

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "d_model": 8,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 40,
}


@dataclass(frozen=True)
class Pair:
    """The texts of both stacks: `IDS` and this target."""

    target: Tensor

    def outputs(self, reference: Any) -> dict[str, Tensor]:
        """Return the logits of a class of transformers, by head."""
        actual = reference(IDS, attention_mask=KEEP.long(), decoder_input_ids=self.target)
        return logits_of(reference, actual, KEEP)

    def compute_logits(self, published: PublishedModel, head: str) -> Tensor:
        """Return the logits of a head of ours."""
        return published.model.heads[head](published.model(IDS, KEEP, self.target))
