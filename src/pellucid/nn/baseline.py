"""Models of one simple encoder with heads, with which Transformers are compared."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pellucid.config.baselines import BagOfWordsConfig, BiLSTMConfig
from pellucid.config.head import HeadConfig
from pellucid.errors import UsageError
from pellucid.nn.base import Model
from pellucid.nn.embedding import Embedding
from pellucid.nn.heads import Head
from pellucid.nn.masks import Mask
from pellucid.nn.rnn_stack import RecurrentEncoder, shared_config


class Baseline(Model):
    """`heads[name](encoder(ids))`."""

    def __init__(self, c: Any, encoder: nn.Module, heads: Mapping[str, HeadConfig] | None) -> None:
        super().__init__()
        self.config = c
        self.encoder: nn.Module = encoder
        self.decoder: None = None
        self.head_configs = dict(heads or {})
        shared = shared_config(c, c.d_model)
        self.heads = nn.ModuleDict({n: Head(shared, h) for n, h in self.head_configs.items()})

    def forward(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Return the states (B, T, D); a head maps them to predictions.

        ids: (B, T), padded on the right. keep: (B, T), True = real token, None = all.
        """
        if target_ids is not None or segments is not None:
            raise UsageError("this model has neither a decoder nor segments. Pass ids and keep.")
        return self.encoder(ids, Mask(keep=keep))


class BagOfWords(Baseline):
    """States are the token vectors, which the head's pooling averages."""

    def __init__(self, c: BagOfWordsConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        super().__init__(c, ContextFreeEncoder(c), heads)


class BiLSTM(Baseline):
    """States are the outputs of both directions at each token."""

    def __init__(self, c: BiLSTMConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        super().__init__(c, RecurrentEncoder(c), heads)


class ContextFreeEncoder(nn.Module):
    """Embeddings of tokens, each for itself."""

    def __init__(self, c: BagOfWordsConfig) -> None:
        super().__init__()
        self.embedding = Embedding(shared_config(c, c.d_model), c.vocab_size)

    def forward(self, ids: Tensor, mask: Mask) -> Tensor:
        """ids (B, T) -> (B, T, D)"""
        return self.embedding(ids)
