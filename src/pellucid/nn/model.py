"""The Transformer in its three shapes: encoder-decoder, encoder alone, decoder alone."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar, overload

import torch
from torch import Tensor, nn

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.nn.attention import Memory
from pellucid.nn.base import NO_DECODER, Model
from pellucid.nn.cache import Cache, KeyValueCache, Step
from pellucid.nn.heads import Head
from pellucid.nn.init import initialize
from pellucid.nn.masks import Mask
from pellucid.nn.positions import positions_of
from pellucid.nn.rnn import RecurrentTranslator
from pellucid.nn.stack import Decoder, Encoder
from pellucid.nn.weights import tie

Built = TypeVar("Built", bound=nn.Module)


class Transformer(Model):
    """`heads[name](decoder(target, encoder(source)))`, without a stack whose layer count is 0."""

    compiled_step: Callable[[Tensor, KeyValueCache], Step | None] | None = None
    """Of a copy for inference: `step` for the calls that it returns a result of."""

    def __init__(self, c: ModelConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        """heads: by name; None means a language model's head, "lm", if there is a decoder."""
        super().__init__()
        self.config: ModelConfig = c
        self.encoder: Encoder | None = Encoder(c) if c.n_encoder_layers else None
        self.decoder: Decoder | None = Decoder(c) if c.n_decoder_layers else None
        if heads is None:
            heads = {"lm": LANGUAGE_MODEL} if c.n_decoder_layers else {}
        self.head_configs = dict(heads)
        self.heads = nn.ModuleDict({name: Head(c, h) for name, h in heads.items()})

    def forward(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Return the states (B, T, D) of the last stack; a head maps them to logits.

        ids: (B, S), input of the first stack. keep: (B, S), True = real token, None = all.
        target_ids: (B, T), input of an encoder-decoder's decoder, padded on the right.
        segments: (B, S), the segment of each token.
        """
        if self.encoder is None:
            positions = None if keep is None else positions_of(keep)
            return self._decoder(ids, Mask(keep=keep, causal=True), positions=positions)
        memory_mask = Mask(keep=keep)
        memory = self.encoder(ids, memory_mask, segments)
        if self.decoder is None:
            return memory
        if target_ids is None:
            raise UsageError("an encoder-decoder needs target_ids (B, T) with the source ids.")
        source = Memory(memory, self.decoder.mask_tensors(memory_mask))
        return self.decoder(target_ids, Mask(causal=True), source)

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """Return a cache for `rows` texts that holds source ids (rows, S).

        keep: (rows, S), True = real token. With an encoder, the source is its input, padded on the
        right; without, it is a prompt, padded on the left, or None for an empty one.
        """
        decoder = self._decoder
        if self.encoder is None:
            cache = KeyValueCache(self.config, rows, keep=keep)
            if source is not None and source.shape[1]:
                self._extend(source, cache)
            return cache
        if source is None:
            raise UsageError("an encoder-decoder needs source ids (B, S) to prefill its cache.")
        mask = Mask(keep=keep)
        memory = self.encoder(source, mask)  # (B, S, D)
        cross = [layer.cross.inner.read(memory) for layer in decoder.layers]  # type: ignore[union-attr]
        return KeyValueCache(self.config, rows, cross, mask)

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache and return next-token logits (R, T, V) and states."""
        assert isinstance(cache, KeyValueCache)
        step = None if self.compiled_step is None else self.compiled_step(ids, cache)
        if step is not None:
            return step
        state = self._extend(ids, cache)
        return Step(self.heads["lm"](state).float(), state)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Return pairs (name, alias) of parameters that are one tensor."""
        pairs = [*self._shared_layers("encoder"), *self._shared_layers("decoder")]
        tied = self.config.tie_embeddings
        if tied == "none":
            return tuple(pairs)
        both = self.encoder is not None and self.decoder is not None
        if both and tied in ("all", "inputs"):
            pairs.append(("encoder.embedding.weight", "decoder.embedding.weight"))
        if tied == "inputs":
            return tuple(pairs)
        first = self.decoder is None or (both and tied == "all")
        kept = f"{'encoder' if first else 'decoder'}.embedding.weight"
        for name, head in self.head_configs.items():
            if head.kind == "lm":
                pairs.append((kept, f"heads.{name}.output.weight"))
        return tuple(pairs)

    @property
    def source_weights(self) -> tuple[str, ...]:
        if self.encoder is None or self.decoder is None:
            return ()
        layers = range(len(self.decoder.layers))
        return tuple(f"decoder.layers.{i}.cross.inner.weights" for i in layers)

    def _shared_layers(self, side: str) -> Iterator[tuple[str, str]]:
        """Yield the ties of layers to the first of their group."""
        stack, groups = getattr(self, side), self.config.layer_groups
        if stack is None or not groups:
            return
        size = len(stack.layers) // groups
        for i in range(len(stack.layers)):
            first = i // size * size
            for name, _ in stack.layers[first].named_parameters() if i != first else ():
                yield f"{side}.layers.{first}.{name}", f"{side}.layers.{i}.{name}"

    def _extend(self, ids: Tensor, cache: KeyValueCache) -> Tensor:
        """Append ids (R, T) to the cache and return their states (R, T, D)."""
        n = ids.shape[1]
        mask = Mask(causal=True, offset=cache.length, keep=cache.keep(n))
        slots, positions = cache.slots(n), cache.positions(n)
        state = self._decoder(ids, mask, cache.cross, slots, positions)
        cache.length += n
        return state

    @property
    def _decoder(self) -> Decoder:
        if self.decoder is None:
            raise UsageError(NO_DECODER)
        return self.decoder


MODELS: Mapping[type, Callable[..., Model]] = {
    ModelConfig: Transformer,
    RNNConfig: RecurrentTranslator,
}
"""The class of a model by the class of its config."""


@overload
def build(
    c: ModelConfig, seed: int | None = None, heads: Mapping[str, HeadConfig] | None = None
) -> Transformer: ...
@overload
def build(
    c: RNNConfig, seed: int | None = None, heads: Mapping[str, HeadConfig] | None = None
) -> RecurrentTranslator: ...
def build(
    c: ModelConfig | RNNConfig,
    seed: int | None = None,
    heads: Mapping[str, HeadConfig] | None = None,
) -> Model:
    """Build a model of this shape, initialised from `seed`; None leaves it for loading.

    Raises: ConfigError if the vocabulary size is not set.
    """
    if not c.vocab_size:
        raise ConfigError("vocab_size is 0: it comes from the tokenizer. Set it before building.")
    with torch.device("meta"):
        model = MODELS[type(c)](c, heads)
    return materialize(model, seed)


def materialize(model: Built, seed: int | None) -> Built:
    """Move a model from `meta` to memory and initialise it; None leaves it for loading."""
    model.to_empty(device="cpu")
    if seed is not None:
        initialize(model, seed)
    tie(model)
    return model
