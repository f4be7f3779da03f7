"""The model of Transformer-XL: a decoder whose texts come in segments, and that remembers.

Each layer sees, before a segment's own states, the last `mem_len` of those that it read in earlier
segments. Places are told by distance, so that a remembered state means the same to every query.
Source: Dai et al. 2019, sections 3.2 and 3.3.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.errors import UsageError
from pellucid.families.transformer_xl.adaptive import AdaptiveEmbedding, AdaptiveSoftmax
from pellucid.families.transformer_xl.config import TransformerXLConfig
from pellucid.families.transformer_xl.relative import RelativeAttention, Remembered, SegmentMemory
from pellucid.nn.base import Model
from pellucid.nn.cache import Cache, Step
from pellucid.nn.dropout import dropout
from pellucid.nn.feed_forward import FeedForward
from pellucid.nn.heads import Head
from pellucid.nn.layer import PostNorm
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.positions import SinusoidalPositions
from pellucid.taps import Tap


class Segment(NamedTuple):
    """What a segment gives, and what the next one needs."""

    state: Tensor  # (B, T, D)
    memory: Tensor  # (L, B, M, D), what each layer read last; no gradient flows into it


class Layer(nn.Module):
    """Attention to memory and text, then feed-forward."""

    def __init__(self, c: TransformerXLConfig) -> None:
        super().__init__()
        self.attention = PostNorm(RelativeAttention(c.attention), c)
        self.feed_forward = PostNorm(FeedForward(c), c)

    def forward(self, x: Tensor, *context: object) -> Tensor:
        """(B, T, D) -> (B, T, D); the context is what the attention asks for."""
        return self.feed_forward(self.attention(x, *context))


class SegmentDecoder(nn.Module):
    """Reads tokens that come after a memory."""

    def __init__(self, c: TransformerXLConfig) -> None:
        super().__init__()
        self.embedding = AdaptiveEmbedding(c.clusters)
        self.positions = SinusoidalPositions(c.attention)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.n_decoder_layers))
        self.clamp_len, self.p = c.clamp_len, c.dropout
        self.output = Tap()

    def forward(
        self,
        ids: Tensor,
        mask: Mask,
        pasts: Sequence[Remembered],
        r: Sequence[Tensor],
        begun: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """ids (B, T), at `mask.offset` of their keys -> state (B, T, D), and what each layer read.

        r: each layer's keys of distances (H, N, K), the last of which stands for all beyond. begun:
        (B, T), False before a text's first token: what stands there becomes zeros.
        """
        place = torch.arange(mask.offset + ids.shape[1], device=ids.device)
        distance = place[mask.offset :, None] - place  # (T, S)
        distance = distance.clamp(0, r[0].shape[1] - 1)
        x = dropout(self.embedding(ids), self.p, self.training)  # (B, T, D)
        inputs, tensors = [], MaskTensors(mask)
        for layer, past, own in zip(self.layers, pasts, r, strict=True):
            if begun is not None:
                x = x * begun[..., None]
            inputs.append(x)
            x = layer(x, tensors, past, own, distance)
        return self.output(dropout(x, self.p, self.training)), inputs

    def keys_of_distances(self, n: int) -> list[Tensor]:
        """Each layer's, (H, N, K), of N distances that differ, at most n."""
        n = min(n, self.clamp_len + 1) if self.clamp_len else n
        sinusoids = self.positions(slice(0, n), self.embedding.tables[0])  # (N, D)
        sinusoids = dropout(sinusoids, self.p, self.training)
        return [layer.attention.inner.keys_of(sinusoids) for layer in self.layers]  # type: ignore[union-attr]


class TransformerXL(Model):
    """`heads[name](decoder(ids, memory))`; its "lm" gives log-probabilities.

    In `forward` a text is one segment. Tokens that are appended to a cache, one by one or several
    at a time, are segments of one token each.
    """

    def __init__(
        self, c: TransformerXLConfig, heads: Mapping[str, HeadConfig] | None = None
    ) -> None:
        super().__init__()
        self.config: TransformerXLConfig = c
        self.encoder = None
        self.decoder: SegmentDecoder = SegmentDecoder(c)
        self.head_configs = dict({"lm": LANGUAGE_MODEL} if heads is None else heads)
        self.heads = nn.ModuleDict(
            {
                name: AdaptiveSoftmax(c.clusters) if h.kind == "lm" else Head(c, h)
                for name, h in self.head_configs.items()
            }
        )

    def forward(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """States (B, T, D) of texts that nothing came before, one segment each.

        ids: (B, T). keep: (B, T), True = real token; texts are padded on the left or on the right.
        """
        if target_ids is not None or segments is not None:
            raise UsageError("this model reads ids alone: leave out target_ids and segments.")
        begun = None if keep is None else begun_of(keep)
        return self._read(ids, self._nothing(len(ids)), begun)[0]

    def segment(self, ids: Tensor, memory: Tensor | None = None) -> Segment:
        """Read ids (B, T) after what earlier segments left in memory (L, B, M, D), None = nothing.

        Raises: UsageError if the memory is not of this model and these texts.
        """
        c = self.config
        size = (c.n_decoder_layers, len(ids), c.mem_len, c.d_model)
        zeros = self.decoder.embedding.tables[0].new_zeros
        remembered: Tensor = zeros(size) if memory is None else memory  # (L, B, M, D)
        if remembered.shape != size:
            raise UsageError(f"memory is {tuple(remembered.shape)}, but these texts need {size}.")
        layers = zip(self.decoder.layers, remembered, strict=True)
        pasts = [Remembered(*layer.attention.inner.read(states)) for layer, states in layers]  # type: ignore[union-attr]
        state, inputs = self._read(ids, pasts)
        read = torch.cat((remembered, torch.stack(inputs)), 2)  # (L, B, M + T, D)
        return Segment(state, read[:, :, ids.shape[1] :].detach())

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """A memory of `rows` texts that begin with source ids (rows, T), padded on the left.

        keep: (rows, T), True = real token. Raises: UsageError at padding elsewhere.
        """
        r = self.decoder.keys_of_distances(self.config.seen)
        cache = SegmentMemory(self._nothing(rows), r, rows)
        begun = None if keep is None else begun_of(keep)
        if begun is not None and not torch.equal(begun, keep):  # type: ignore[arg-type]
            raise UsageError("texts to be continued must be padded on the left, and only there.")
        if source is not None and source.shape[1]:
            self._extend(source, cache, begun)
        return cache

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache: log-probabilities (R, T, V) and states (R, T, D)."""
        assert isinstance(cache, SegmentMemory)
        state = self._extend(ids, cache)
        return Step(self.heads["lm"](state).float(), state)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Pairs (kept name, alias) of parameters that are one."""
        c, inner, pairs = self.config, "decoder.layers.{}.attention.inner.{}", []
        for name in ("content_bias", "distance_bias") if c.share_biases else ():
            first, *others = (inner.format(i, name) for i in range(c.n_decoder_layers))
            pairs += [(first, other) for other in others]
        for name, head in self.heads.items():
            if not isinstance(head, AdaptiveSoftmax):
                continue
            for i in range(len(head.tables) if c.tie_embeddings == "all" else 0):
                pairs.append((f"decoder.embedding.tables.{i}", f"heads.{name}.tables.{i}"))
            for i in range(len(head.projections)):
                if c.tie_projections[i]:
                    kept = f"decoder.embedding.projections.{c.clusters.table_of(i)}"
                    pairs.append((kept, f"heads.{name}.projections.{i}"))
        return tuple(pairs)

    def _read(
        self, ids: Tensor, pasts: Sequence[Remembered], begun: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """A segment of texts: state (B, T, D), and what each layer read."""
        m, n_keys = self.config.mem_len, self.config.mem_len + ids.shape[1]
        window = m if self.config.same_length else 0
        keep = None
        if begun is not None:
            # Of the zeros before a text, as many as there would be without padding.
            padding = (~begun).sum(1, keepdim=True)  # (B, 1)
            keep = torch.arange(n_keys, device=ids.device) >= padding  # (B, S)
        mask = Mask(causal=True, offset=m, window=window, keep=keep)
        r = self.decoder.keys_of_distances(window or n_keys)
        return self.decoder(ids, mask, pasts, r, begun)

    def _extend(self, ids: Tensor, cache: SegmentMemory, begun: Tensor | None = None) -> Tensor:
        """States (R, T, D) of ids (R, T), which the cache remembers."""
        c = self.config
        mask = Mask(causal=True, offset=c.mem_len, window=c.seen)
        state, _ = self.decoder(ids, mask, cache.pasts, cache.r, begun)
        cache.length += ids.shape[1]
        return state

    def _nothing(self, rows: int) -> list[Remembered]:
        """What each layer remembers before a text: zeros, which have zeros for keys and values."""
        c = self.config
        size = (rows, c.n_heads, c.mem_len, c.head_width)
        zeros = self.decoder.embedding.tables[0].new_zeros(size)  # (R, H, M, K)
        return [Remembered(zeros, zeros) for _ in range(c.n_decoder_layers)]


def begun_of(keep: Tensor) -> Tensor:
    """(B, T), True from each text's first real token on, of keep (B, T), True = real.

    What is behind a text needs no mask: no real token looks there.
    Raises: UsageError if there is padding inside a text, which would count as distance.
    """
    begun = keep.cumsum(1) > 0
    ended = (begun & ~keep).cumsum(1) > 0
    if bool((ended & keep).any()):
        raise UsageError("padding stands inside a text. Let it stand before or behind it.")
    return begun
