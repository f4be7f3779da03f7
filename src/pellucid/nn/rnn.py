"""The recurrent encoder-decoder that the Transformer was compared with."""

from collections.abc import Mapping

from torch import Tensor, nn

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.rnn import RNNConfig
from pellucid.errors import UsageError
from pellucid.nn.base import Model
from pellucid.nn.cache import Cache, Step
from pellucid.nn.heads import Head
from pellucid.nn.masks import Mask
from pellucid.nn.rnn_cache import RecurrentCache
from pellucid.nn.rnn_stack import RecurrentDecoder, RecurrentEncoder, shared_config


class RecurrentTranslator(Model):
    """`heads["lm"](decoder(target, encoder(source)))` (Sutskever et al. 2014)."""

    def __init__(self, c: RNNConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        """heads: by name; None means a language model's head, "lm"."""
        super().__init__()
        self.config: RNNConfig = c
        self.encoder: RecurrentEncoder = RecurrentEncoder(c)
        self.decoder: RecurrentDecoder = RecurrentDecoder(c)
        heads = {"lm": LANGUAGE_MODEL} if heads is None else heads
        self.head_configs = dict(heads)
        self.heads = nn.ModuleDict(
            {n: Head(shared_config(c, c.d_model), h) for n, h in heads.items()}
        )

    def forward(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Return the decoder's states (B, T, D); a head maps them to logits.

        ids: (B, S), padded on the right. keep: (B, S), True = real token, None = all.
        target_ids: (B, T), input of the decoder, padded on the right.
        """
        if target_ids is None:
            raise UsageError("an encoder-decoder needs target_ids (B, T) with the source ids.")
        if segments is not None:
            raise UsageError("this model has no segment embeddings. Leave segments out.")
        mask = Mask(keep=keep)
        encoded = self.encoder.encode(ids, mask)
        states, _ = self.decoder(target_ids, *self.decoder.start(encoded, mask))
        return states

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """Return a cache for `rows` texts that holds source ids (rows, S), keep (rows, S)."""
        if source is None:
            raise UsageError("an encoder-decoder needs source ids (B, S) to prefill its cache.")
        mask = Mask(keep=keep)
        return RecurrentCache(*self.decoder.start(self.encoder.encode(source, mask), mask))

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache and return next-token logits (R, T, V) and states."""
        assert isinstance(cache, RecurrentCache)
        state, cache.state = self.decoder(ids, cache.state, cache.memory)
        cache.length += ids.shape[1]
        return Step(self.heads["lm"](state).float(), state)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Return pairs (name, alias) of parameters that are one tensor."""
        tied, pairs = self.config.tie_embeddings, []
        source, target = "encoder.embedding.weight", "decoder.embedding.weight"
        if tied in ("all", "inputs"):
            pairs.append((source, target))
        if tied in ("all", "decoder"):
            kept = source if tied == "all" else target
            heads = (n for n, h in self.head_configs.items() if h.kind == "lm")
            pairs += [(kept, f"heads.{n}.output.weight") for n in heads]
        return tuple(pairs)

    @property
    def source_weights(self) -> tuple[str, ...]:
        return () if self.decoder.attention is None else ("decoder.attention.weights",)
