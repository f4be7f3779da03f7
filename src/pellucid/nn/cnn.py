"""Convolutions over the tokens of a text. Source: Kim 2014, section 2."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.baselines import TextCNNConfig
from pellucid.config.head import HeadConfig
from pellucid.nn.baseline import Baseline
from pellucid.nn.embedding import Embedding
from pellucid.nn.linear import Linear
from pellucid.nn.masks import Mask
from pellucid.nn.rnn_stack import shared_config
from pellucid.taps import Tap


class TextCNN(Baseline):
    """States are the features at each token; the head's pooling takes their maximum over time."""

    def __init__(self, c: TextCNNConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        super().__init__(c, ConvolutionEncoder(c), heads)


class ConvolutionEncoder(nn.Module):
    """An embedding, and convolutions of several widths side by side."""

    def __init__(self, c: TextCNNConfig) -> None:
        super().__init__()
        self.embedding = Embedding(shared_config(c, c.d_embedding), c.vocab_size)
        self.convolutions = nn.ModuleList(
            [Convolution(width, c.d_embedding, c.n_filters) for width in c.widths]
        )
        self.output = Tap()

    def forward(self, ids: Tensor, mask: Mask) -> Tensor:
        """ids (B, T) -> (B, T, D)"""
        x = self.embedding(ids)  # (B, T, E)
        if mask.keep is not None:
            x = x * mask.keep[..., None]  # padding is as the zeros around a text
        return self.output(torch.cat([convolve(x) for convolve in self.convolutions], -1))


class Convolution(nn.Module):
    """Convolutions over `width` neighboring tokens, followed by relu.

    There is an output at every token: a text has zeros around it, so that windows may begin before
    it and end after it. A window of even width reads one token more after its own than before.
    """

    def __init__(self, width: int, d_input: int, n_filters: int) -> None:
        super().__init__()
        self.width = width
        self.filters = Linear(width * d_input, n_filters)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_input) -> (B, T, n_filters)"""
        before = (self.width - 1) // 2
        padded = F.pad(x, (0, 0, before, self.width - 1 - before))  # (B, T + width - 1, d_input)
        windows = padded.unfold(1, self.width, 1).mT.flatten(2)  # (B, T, width * d_input)
        return self.filters(windows).relu()
