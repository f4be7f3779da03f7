"""What turns a model's states into predictions."""

from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.linear import Linear
from pellucid.taps import Tap


class LanguageModelHead(Linear):
    """A score for every token: states times the (usually tied) embedding, without bias."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c.d_model, c.target_vocab_size or c.vocab_size, bias=False)
        self.logits = Tap()

    def forward(self, input: Tensor) -> Tensor:
        """(..., D) -> logits (..., V)"""
        return self.logits(super().forward(input))


class NoHead(nn.Identity):
    """An encoder alone predicts nothing: its states are what a task builds on."""
