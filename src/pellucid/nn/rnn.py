"""The recurrent encoder-decoder: what the Transformer was measured against."""

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
from pellucid.nn.rnn_stack import RecurrentDecoder, RecurrentEncoder, widths


class RecurrentTranslator(Model):
    """`heads["lm"](decoder(target, encoder(source)))` (Sutskever et al. 2014)."""

    def __init__(self, c: RNNConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        """heads: by name; None gives the language model's, "lm"."""
        super().__init__()
        self.config: RNNConfig = c
        self.encoder: RecurrentEncoder = RecurrentEncoder(c)
        self.decoder: RecurrentDecoder = RecurrentDecoder(c)
        heads = {"lm": LANGUAGE_MODEL} if heads is None else heads
        self.head_configs = dict(heads)
        self.heads = nn.ModuleDict({n: Head(widths(c, c.d_model), h) for n, h in heads.items()})

    def forward(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """States (B, T, D) of the decoder; a head turns them into logits.

        ids: (B, S), padded on the right. keep: (B, S), True = real token, None = all.
        target_ids: (B, T), what the decoder reads, padded on the right.
        """
        if target_ids is None:
            raise UsageError("an encoder-decoder needs target_ids (B, T) beside the source ids.")
        if segments is not None:
            raise UsageError("segments were given, but this model has no table of them.")
        mask = Mask(keep=keep)
        found, _ = self.decoder(target_ids, *self.decoder.begin(self.encoder.read(ids, mask), mask))
        return found

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """A cache for `rows` texts that has read source ids (rows, S), keep (rows, S), as above."""
        if source is None:
            raise UsageError("an encoder-decoder needs source ids (B, S) to prefill its cache.")
        mask = Mask(keep=keep)
        return RecurrentCache(*self.decoder.begin(self.encoder.read(source, mask), mask))

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache: logits (R, T, V) of what follows, and states."""
        assert isinstance(cache, RecurrentCache)
        state, cache.state = self.decoder(ids, cache.state, cache.memory)
        cache.length += ids.shape[1]
        return Step(self.heads["lm"](state).float(), state)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Pairs (kept name, alias) of parameters that are one."""
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
