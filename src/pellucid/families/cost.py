"""Parameters of a model and its floating-point operations per token, counted on the model itself.

A model on torch's meta device has shapes and no memory, so the largest are counted in milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.errors import ConfigError
from pellucid.families.family import Family, UnpublishedFamily
from pellucid.families.transformer_xl.adaptive import AdaptiveEmbedding, AdaptiveSoftmax
from pellucid.families.transformer_xl.relative import RelativeAttention
from pellucid.nn.base import Model
from pellucid.nn.heads import Head
from pellucid.nn.linear import Linear
from pellucid.nn.weights import tie


@dataclass(frozen=True)
class Cost:
    """The size of a model and the operations of its forward pass."""

    parameters: int
    """Number of parameters; a shared parameter counts once."""
    token_weights: int
    """As `count_token_weights` returns."""
    d_keys: int
    """Width of a layer's keys, all heads together."""
    windows: tuple[int, ...]
    """Largest number of keys of each attention; 0 means all."""
    products: int
    """Vectors of that width that are multiplied for each key."""

    def flops(self, context: int) -> int:
        """Return the operations of a forward pass for one token that sees `context` keys.

        Of an encoder-decoder: for one token on each side. Training takes three times as many.
        Norms, activations and biases are not counted. On average, a token of a causal text sees
        half of it.
        """
        keys = sum(min(context, window or context) for window in self.windows)
        return 2 * (self.token_weights + self.products * self.d_keys * keys)


def build_on_meta(
    family: Family | UnpublishedFamily,
    c: ModelConfig,
    heads: Mapping[str, HeadConfig] | None = None,
) -> Model:
    """Build a model on the meta device. Raises: ConfigError if the vocabulary size is 0."""
    if not c.vocab_size:
        raise ConfigError("vocab_size is 0: it comes from the tokenizer. Set it before counting.")
    with torch.device("meta"):
        model = family.module(c, heads)
    tie(model)
    return model


def compute_cost(model: Model) -> Cost:
    """Count a Transformer or a Transformer-XL."""
    c = model.config
    stacks = [stack for stack in (model.encoder, model.decoder) if stack is not None]
    if isinstance(c, TransformerXLConfig):
        # Each key has a third product, with its distance.
        windows, products = (c.n_keys,) * c.n_decoder_layers, 3
    else:
        cross = c.n_decoder_layers if len(stacks) == 2 else 0
        windows, products = (*(w for stack in stacks for w in stack.windows), *[0] * cross), 2
    return Cost(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        token_weights=count_token_weights(model),
        d_keys=c.n_heads * c.head_width,
        windows=windows,
        products=products,
    )


def count_token_weights(module: nn.Module) -> int:
    """Count the weights that one token is multiplied by: shared layers and tied outputs each time.

    Tables from which a row is looked up do not count, nor heads that read one state of a text.
    """
    if isinstance(module, Head) and module.config.kind == "sequence":
        return 0
    if isinstance(module, Linear):
        return module.weight.numel()
    if isinstance(module, nn.RNNBase | AdaptiveSoftmax):
        return sum(p.numel() for p in module.parameters() if p.dim() == 2)
    if isinstance(module, AdaptiveEmbedding):
        # A vector is multiplied by the projection of its table; the first one is the largest.
        return module.projections[0].numel() if len(module.projections) else 0
    # Keys of distances are computed once for all tokens.
    once = module.r if isinstance(module, RelativeAttention) else None
    return sum(count_token_weights(child) for child in module.children() if child is not once)
