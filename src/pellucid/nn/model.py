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
from pellucid.nn.base import Model
from pellucid.nn.cache import Cache, KeyValueCache, Step
from pellucid.nn.heads import Head
from pellucid.nn.init import initialize
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.positions import places_of
from pellucid.nn.rnn import RecurrentTranslator
from pellucid.nn.stack import Decoder, Encoder
from pellucid.nn.weights import tie

Built = TypeVar("Built", bound=nn.Module)


class Transformer(Model):
    """`heads[name](decoder(target, encoder(source)))`, or what the layer counts leave of it."""

    def __init__(self, c: ModelConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        """heads: by name; None gives what has a decoder the language model's head, "lm"."""
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
        """States (B, T, D) of the last stack; a head turns them into logits.

        ids: (B, S), what the first stack reads. keep: (B, S), True = real token, None = all.
        target_ids: (B, T), what the decoder of an encoder-decoder reads, padded on the right.
        segments: (B, S), which of two texts each token is of.
        """
        if self.encoder is None:
            places = None if keep is None else places_of(keep)
            return self._decoder(ids, Mask(keep=keep, causal=True), places=places)
        memory_mask = Mask(keep=keep)
        memory = self.encoder(ids, memory_mask, segments)
        if self.decoder is None:
            return memory
        if target_ids is None:
            raise UsageError("an encoder-decoder needs target_ids (B, T) beside the source ids.")
        return self.decoder(target_ids, Mask(causal=True), Memory(memory, MaskTensors(memory_mask)))

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """A cache for `rows` texts that has read source ids (rows, S), keep (rows, S) True = real.

        With an encoder the source is its text, padded on the right; without, the beginning of the
        text itself, padded on the left, and None for an empty one.
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
        """Append ids (R, T) to the cache: logits (R, T, V) of what follows, and states."""
        assert isinstance(cache, KeyValueCache)
        state = self._extend(ids, cache)
        return Step(self.heads["lm"](state).float(), state)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Pairs (kept name, alias) of parameters that are one."""
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
        """All layers of a group have the weights of its first."""
        stack, groups = getattr(self, side), self.config.layer_groups
        if stack is None or not groups:
            return
        size = len(stack.layers) // groups
        for i in range(len(stack.layers)):
            first = i // size * size
            for name, _ in stack.layers[first].named_parameters() if i != first else ():
                yield f"{side}.layers.{first}.{name}", f"{side}.layers.{i}.{name}"

    def _extend(self, ids: Tensor, cache: KeyValueCache) -> Tensor:
        """States (R, T, D) of ids (R, T), which the cache remembers."""
        n = ids.shape[1]
        mask = Mask(causal=True, offset=cache.length, keep=cache.keep(n))
        slots, places = cache.slots(n), cache.places(n)
        state = self._decoder(ids, mask, cache.cross, slots, places)
        cache.length += n
        return state

    @property
    def _decoder(self) -> Decoder:
        if self.decoder is None:
            raise UsageError("this model is an encoder alone: it has no decoder to generate with.")
        return self.decoder


MODELS: Mapping[type, Callable[..., Model]] = {
    ModelConfig: Transformer,
    RNNConfig: RecurrentTranslator,
}
"""What is built of which config."""


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
    """A model of this shape, initialised from `seed`, or left to be loaded if that is None.

    Raises: ConfigError if the vocabulary's size is not yet known.
    """
    if not c.vocab_size:
        raise ConfigError("vocab_size is 0: it comes from the tokenizer. Set it before building.")
    with torch.device("meta"):
        model = MODELS[type(c)](c, heads)
    return filled(model, seed)


def filled(model: Built, seed: int | None) -> Built:
    """A model that stands on `meta`, in memory: initialised, or left to be loaded if None."""
    model.to_empty(device="cpu")
    if seed is not None:
        initialize(model, seed)
    tie(model)
    return model
