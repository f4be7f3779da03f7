"""The model of Transformer-XL: a decoder that reads texts in segments and has a memory.

Each layer attends to the last `mem_len` states of earlier segments and to those of its segment.
Positions are distances, so states in the memory need no absolute positions.
Source: Dai et al. 2019, sections 3.2 and 3.3.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.errors import UsageError
from pellucid.families.transformer_xl.adaptive import AdaptiveEmbedding, AdaptiveSoftmax
from pellucid.families.transformer_xl.relative import LayerMemory, RelativeAttention, SegmentMemory
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
    """The states of a segment, and the memory for the next one."""

    state: Tensor  # (B, T, D)
    memory: Tensor  # (L, B, M, D), each layer's last inputs; no gradient flows into it


class Layer(nn.Module):
    """Attention to memory and text, then feed-forward."""

    def __init__(self, c: TransformerXLConfig) -> None:
        super().__init__()
        self.attention = PostNorm(RelativeAttention(c.attention), c)
        self.feed_forward = PostNorm(FeedForward(c), c)

    def forward(self, x: Tensor, *context: object) -> Tensor:
        """(B, T, D) -> (B, T, D); the context is the attention's further arguments."""
        return self.feed_forward(self.attention(x, *context))


class SegmentDecoder(nn.Module):
    """Reads the tokens after a memory."""

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
        memories: Sequence[LayerMemory],
        r: Sequence[Tensor],
        started: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """ids (B, T), the first at key `mask.offset` -> state (B, T, D), and each layer's input.

        r: each layer's keys of distances (H, N, K); larger distances use the last one.
        started: (B, T), False before the first token of a text, where inputs are set to 0.
        """
        position = torch.arange(mask.offset + ids.shape[1], device=ids.device)
        distance = position[mask.offset :, None] - position  # (T, S)
        distance = distance.clamp(0, r[0].shape[1] - 1)
        x = dropout(self.embedding(ids), self.p, self.training)  # (B, T, D)
        inputs, tensors = [], MaskTensors(mask)
        for layer, memory, keys in zip(self.layers, memories, r, strict=True):
            if started is not None:
                x = x * started[..., None]
            inputs.append(x)
            x = layer(x, tensors, memory, keys, distance)
        return self.output(dropout(x, self.p, self.training)), inputs

    def project_distances(self, n: int) -> list[Tensor]:
        """Return each layer's keys (H, N, K) of the distances 0 .. N-1; N is at most n."""
        n = min(n, self.clamp_len + 1) if self.clamp_len else n
        sinusoids = self.positions(slice(0, n), self.embedding.tables[0])  # (N, D)
        sinusoids = dropout(sinusoids, self.p, self.training)
        return [layer.attention.inner.project_distances(sinusoids) for layer in self.layers]  # type: ignore[union-attr]


class TransformerXL(Model):
    """`heads[name](decoder(ids, memory))`; its "lm" gives log-probabilities.

    In `forward` a text is one segment. Each token that is appended to a cache is a segment.
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
        """Return the states (B, T, D) of whole texts, one segment each.

        ids: (B, T). keep: (B, T), True = real token; texts are padded on the left or on the right.
        """
        if target_ids is not None or segments is not None:
            raise UsageError("this model reads ids alone: leave out target_ids and segments.")
        started = None if keep is None else mask_from_start(keep)
        return self._read(ids, self._empty_memories(len(ids)), started)[0]

    def segment(self, ids: Tensor, memory: Tensor | None = None) -> Segment:
        """Read ids (B, T) after a memory (L, B, M, D) of earlier segments; None starts a text.

        Raises: UsageError if the memory is not of this model and these texts.
        """
        c = self.config
        size = (c.n_decoder_layers, len(ids), c.mem_len, c.d_model)
        zeros = self.decoder.embedding.tables[0].new_zeros
        memory = zeros(size) if memory is None else memory  # (L, B, M, D)
        assert memory is not None
        if memory.shape != size:
            raise UsageError(f"memory is {tuple(memory.shape)}, but these texts need {size}.")
        layers = zip(self.decoder.layers, memory, strict=True)
        memories = [LayerMemory(*layer.attention.inner.read(states)) for layer, states in layers]  # type: ignore[union-attr]
        state, inputs = self._read(ids, memories)
        states = torch.cat((memory, torch.stack(inputs)), 2)  # (L, B, M + T, D)
        return Segment(state, states[:, :, ids.shape[1] :].detach())

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """Return a memory of `rows` texts that start with source ids (rows, T), padded on the left.

        keep: (rows, T), True = real token. Raises: UsageError at padding elsewhere.
        """
        r = self.decoder.project_distances(self.config.n_keys)
        cache = SegmentMemory(self._empty_memories(rows), r, rows)
        started = None if keep is None else mask_from_start(keep)
        if started is not None and not torch.equal(started, keep):  # type: ignore[arg-type]
            raise UsageError("texts to be continued must be padded on the left, and only there.")
        if source is not None and source.shape[1]:
            self._extend(source, cache, started)
        return cache

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (R, T) to the cache and return log-probabilities (R, T, V) and states."""
        assert isinstance(cache, SegmentMemory)
        state = self._extend(ids, cache)
        return Step(self.heads["lm"](state).float(), state)

    def ties(self) -> tuple[tuple[str, str], ...]:
        """Return pairs (kept name, alias) of parameters that are one tensor."""
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
                    kept = f"decoder.embedding.projections.{c.clusters.table_index(i)}"
                    pairs.append((kept, f"heads.{name}.projections.{i}"))
        return tuple(pairs)

    def _read(
        self, ids: Tensor, memories: Sequence[LayerMemory], started: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Read a segment; return the state (B, T, D) and each layer's input."""
        m, n_keys = self.config.mem_len, self.config.mem_len + ids.shape[1]
        window = m if self.config.same_length else 0
        keep = None
        if started is not None:
            # A text sees as many zeros before its start as it would without padding.
            padding = (~started).sum(1, keepdim=True)  # (B, 1)
            keep = torch.arange(n_keys, device=ids.device) >= padding  # (B, S)
        mask = Mask(causal=True, offset=m, window=window, keep=keep)
        r = self.decoder.project_distances(window or n_keys)
        return self.decoder(ids, mask, memories, r, started)

    def _extend(self, ids: Tensor, cache: SegmentMemory, started: Tensor | None = None) -> Tensor:
        """Append ids (R, T) to the cache and return their states (R, T, D)."""
        c = self.config
        mask = Mask(causal=True, offset=c.mem_len, window=c.n_keys)
        state, _ = self.decoder(ids, mask, cache.layers, cache.r, started)
        cache.length += ids.shape[1]
        return state

    def _empty_memories(self, rows: int) -> list[LayerMemory]:
        """Return each layer's memory before a text: keys and values of 0."""
        c = self.config
        size = (rows, c.n_heads, c.mem_len, c.head_width)
        zeros = self.decoder.embedding.tables[0].new_zeros(size)  # (R, H, M, K)
        return [LayerMemory(zeros, zeros) for _ in range(c.n_decoder_layers)]


def mask_from_start(keep: Tensor) -> Tensor:
    """Return a mask (B, T), True from the first real token of each text; keep (B, T).

    Padding after a text needs no mask: no real token attends to it.
    Raises: UsageError if there is padding inside a text, which would count as distance.
    """
    started = keep.cumsum(1) > 0
    ended = (started & ~keep).cumsum(1) > 0
    if bool((ended & keep).any()):
        raise UsageError("padding is inside a text. Put it before or after the text.")
    return started
