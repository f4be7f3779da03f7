"""Initial weights, and why they are chosen so."""

import torch
from torch import nn

from pellucid.nn.attention import Attention
from pellucid.nn.embedding import Embedding
from pellucid.nn.heads import Head
from pellucid.nn.linear import BlockDiagonalLinear, Linear
from pellucid.nn.norms import LayerNorm, RMSNorm
from pellucid.nn.positions import DistanceBias, LearnedPositions


def initialize(model: nn.Module, seed: int) -> None:
    """Initialise every parameter, as a pure function of the model's shape and the seed.

    Matrices: uniform within sqrt(6 / (in + out)), which keeps the variance of signals and of
    gradients (Glorot and Bengio 2010, eq. 16), as tensor2tensor did for the paper's model.
    Embeddings: normal with deviation D^-0.5, so that after scaling by sqrt(D) a token's vector
    has the size of its position's, and tied logits start near deviation 1 (tensor2tensor).
    Where the output scales the states down instead, embeddings are as much larger, and where scores
    are not divided by sqrt(K), queries are as much smaller (Raffel et al. 2020, released code).
    Learned positions, segments and distances: normal with deviation 0.02 (Devlin et al. 2019,
    released code); with `neighbor_heads`, distances as `DistanceBias.start_at_neighbors`.
    Biases 0, norm gains 1: each layer starts as its residual.
    Recurrent layers, gate by gate: input weights as other matrices; state weights orthogonal, so
    that states neither grow nor vanish (Saxe et al. 2014); biases 0, but an LSTM's forget gate 1,
    so that it remembers at first (Jozefowicz et al. 2015, section 5).
    """
    rng = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, Embedding):
            nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5, generator=rng)
            if module.segments is not None:
                nn.init.normal_(module.segments, std=0.02, generator=rng)
        elif isinstance(module, LearnedPositions | DistanceBias):
            nn.init.normal_(module.weight, std=0.02, generator=rng)
            if isinstance(module, DistanceBias) and module.has_neighbor_heads:
                module.start_at_neighbors()
        elif isinstance(module, BlockDiagonalLinear):
            for block in module.weight.chunk(module.n_heads):
                nn.init.xavier_uniform_(block, generator=rng)
            _zero(module.bias)
        elif isinstance(module, Linear):
            nn.init.xavier_uniform_(module.weight, generator=rng)
            _zero(module.bias)
        elif isinstance(module, LayerNorm | RMSNorm):
            nn.init.ones_(module.weight)
            _zero(getattr(module, "bias", None))
        elif isinstance(module, nn.RNNBase):
            _recurrent(module, rng)
        elif hasattr(module, "initialize"):  # a module of one family
            module.initialize(rng)  # type: ignore[operator]
    for module in model.modules():  # after the loop above, for it sets every Linear
        if isinstance(module, Head) and module.config.kind == "lm" and module.output is not None:
            width = module.output.in_features
            nn.init.normal_(module.output.weight, std=width**-0.5, generator=rng)
            if module.scale != 1.0:
                _scale_embeddings(model, 1 / module.scale)
        elif isinstance(module, Attention):
            module.q.weight.detach().mul_(module.d_head**-0.5 / module.scale)


def _scale_embeddings(model: nn.Module, factor: float) -> None:
    for module in model.modules():
        if isinstance(module, Embedding):
            module.weight.detach().mul_(factor)


def _recurrent(layer: nn.RNNBase, rng: torch.Generator) -> None:
    """Initialise by gates, stacked along the first axis (LSTM: input, forget, cell, output)."""
    for name, parameter in layer.named_parameters():
        for i, gate in enumerate(parameter.split(layer.hidden_size)):
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(gate, generator=rng)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(gate, generator=rng)
            else:  # torch adds two biases: only one of them is set to 1
                forgets = layer.mode == "LSTM" and i == 1 and name.startswith("bias_ih")
                nn.init.constant_(gate, float(forgets))


def _zero(bias: nn.Parameter | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
