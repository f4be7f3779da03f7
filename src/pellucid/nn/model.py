"""The Transformer in its three shapes: encoder-decoder, encoder alone, decoder alone."""

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.nn.cache import Cache, KeyValueCache, Step
from pellucid.nn.heads import LanguageModelHead, NoHead
from pellucid.nn.init import initialize
from pellucid.nn.masks import Mask
from pellucid.nn.stack import Decoder, Encoder
from pellucid.nn.weights import tie


class Transformer(nn.Module):
    """`head(decoder(target, encoder(source)))`, or what of it the config's layer counts leave."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.config = c
        self.encoder = Encoder(c) if c.n_encoder_layers else None
        self.decoder = Decoder(c) if c.n_decoder_layers else None
        self.head = LanguageModelHead(c) if c.n_decoder_layers else NoHead()

    def forward(
        self, ids: Tensor, keep: Tensor | None = None, target_ids: Tensor | None = None
    ) -> Tensor:
        """States (B, T, D) of the last stack; `head` turns them into logits.

        ids: (B, S), what the first stack reads. keep: (B, S), True = real token, None = all.
        target_ids: (B, T), what the decoder of an encoder-decoder reads, padded on the right.
        """
        if self.encoder is None:
            return self._decoder(ids, Mask(keep=keep, causal=True))
        memory_mask = Mask(keep=keep)
        memory = self.encoder(ids, memory_mask)
        if self.decoder is None:
            return memory
        if target_ids is None:
            raise UsageError("an encoder-decoder needs target_ids (B, T) beside the source ids.")
        return self.decoder(target_ids, Mask(causal=True), memory, memory_mask)

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """A cache for `rows` texts; with an encoder, source ids (rows, S) are read into it."""
        decoder = self._decoder
        if self.encoder is None:
            return KeyValueCache(self.config, rows)
        if source is None:
            raise UsageError("an encoder-decoder needs source ids (B, S) to prefill its cache.")
        mask = Mask(keep=keep)
        memory = self.encoder(source, mask)  # (B, S, D)
        cross = [layer.cross.inner.read(memory) for layer in decoder.layers]  # type: ignore[union-attr]
        return KeyValueCache(self.config, rows, cross, mask)

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache: logits (R, T, V) of what follows, and states."""
        assert isinstance(cache, KeyValueCache)
        mask = Mask(causal=True, offset=cache.length)
        state = self._decoder(ids, mask, cache.cross, cache.cross_mask, cache.slots(ids.shape[1]))
        cache.length += ids.shape[1]
        return Step(self.head(state).float(), state)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Pairs (kept name, alias) of parameters that are one."""
        tied = self.config.tie_embeddings
        if self.decoder is None or tied == "none":
            return ()
        if self.encoder is None or tied == "decoder":
            return (("decoder.embedding.weight", "head.weight"),)
        kept = "encoder.embedding.weight"
        return ((kept, "decoder.embedding.weight"), (kept, "head.weight"))

    @property
    def _decoder(self) -> Decoder:
        if self.decoder is None:
            raise UsageError("this model is an encoder alone: it has no decoder to generate with.")
        return self.decoder


def build(c: ModelConfig, seed: int | None = None) -> Transformer:
    """A model of this shape, initialised from `seed`, or left to be loaded if that is None.

    Raises: ConfigError if the vocabulary's size is not yet known.
    """
    if not c.vocab_size:
        raise ConfigError("vocab_size is 0: it comes from the tokenizer. Set it before building.")
    with torch.device("meta"):
        model = Transformer(c)
    model.to_empty(device="cpu")
    if seed is not None:
        initialize(model, seed)
    tie(model)
    return model
