"""Settings of which weights are trained, and at which rates."""

from dataclasses import dataclass
from typing import Any

from pellucid.config.checks import check_at_least
from pellucid.errors import ConfigError

LORA_LINEARS = ("q", "k", "v", "o", "up", "down", "gate")
"""Linear layers of a Transformer layer that LoRA can change: of attention, and feed-forward."""


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """Settings of which weights are trained, and at which rates; for fine-tuning."""

    layer_decay: float = 1.0
    """Factor between the learning rates of a layer and of the layer above it. Heads have the full
    rate, embeddings the lowest (Howard and Ruder 2018, section 3.2)."""
    freeze_layers: int = 0
    """Number of lower layers (of the encoder, and of the decoder) that are not trained."""
    freeze_embeddings: bool = False
    """Do not train the embeddings."""
    lora_rank: int = 0
    """Rank of the matrices that LoRA trains instead of the weights (Hu et al. 2022); 0 means no
    LoRA. Heads are trained too. The saved model has ordinary weights."""
    lora_alpha: float = 16.0
    """Scale of LoRA: the product of its matrices is multiplied by lora_alpha / lora_rank."""
    lora_linears: tuple[str, ...] = ("q", "v")
    """Linear layers that LoRA changes: q, k, v, o of attention, and up, down, gate."""

    def __post_init__(self) -> None:
        check_at_least(0, self, "freeze_layers", "lora_rank")
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f"layer_decay={self.layer_decay} must be above 0 and at most 1.")
        if not self.lora_alpha > 0:
            raise ConfigError(f"lora_alpha={self.lora_alpha} must be above 0.")
        unknown = [name for name in self.lora_linears if name not in LORA_LINEARS]
        if unknown or not self.lora_linears:
            raise ConfigError(
                f"lora_linears={', '.join(self.lora_linears) or 'none'}: use some of"
                f" {', '.join(LORA_LINEARS)}."
            )
        if self.lora_rank and (self.freeze_layers or self.freeze_embeddings):
            raise ConfigError(
                "lora_rank already freezes all weights outside the heads. Leave freeze_layers and"
                " freeze_embeddings out."
            )

    def check_model(self, model: Any) -> None:
        """Raises: ConfigError if a model of these settings does not have what is tuned."""
        n_layers = max(model.n_encoder_layers, model.n_decoder_layers)
        if self.freeze_layers > n_layers:
            raise ConfigError(
                f"tuning.freeze_layers={self.freeze_layers}, but the model has {n_layers} layers."
            )
        if getattr(model, "layer_groups", 0) and (self.freeze_layers or self.layer_decay < 1):
            raise ConfigError(
                "the layers of this model share their weights, so tuning.freeze_layers and"
                " tuning.layer_decay have no meaning. Leave them out."
            )
