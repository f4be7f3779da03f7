"""The settings of a Transformer-XL."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pellucid.config.checks import check_at_least
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError

MAX_MEMORY = 65_536
MAX_CUTOFFS = 64
FIXED = {
    "n_encoder_layers": 0,
    "positions": "sinusoid-halves",
    "norm_place": "post",
    "scale_embeddings": True,
    "bias": "all",
    "attention_scale": "sqrt",
    "head_split": "projection",
    "target_vocab_size": 0,
    "n_segments": 0,
    "layer_groups": 0,
    "first_position": 0,
    "windows": (),
    "embedding_norm": False,
    "gated": False,
}
"""Shared settings that have one value in every Transformer-XL; its model does not read them."""


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """The clusters of a vocabulary, and the width of the vectors of each."""

    vocab_size: int
    cutoffs: tuple[int, ...]
    """First id of each cluster except the first one, which is in the head of the softmax."""
    d_model: int
    d_embedding: int
    """Width of the vectors of the first cluster."""
    div_val: int
    """Factor by which each cluster's vectors are narrower than the previous ones; 1: one table."""

    @property
    def id_ranges(self) -> list[range]:
        """The ids of each cluster."""
        edges = (0, *self.cutoffs, self.vocab_size)
        return [range(*pair) for pair in pairwise(edges)]

    @property
    def table_ranges(self) -> list[range]:
        """The ids of each embedding table."""
        return [range(self.vocab_size)] if self.div_val == 1 else self.id_ranges

    @property
    def widths(self) -> list[int]:
        """The width of the vectors of each table."""
        return [self.d_embedding // self.div_val**i for i in range(len(self.table_ranges))]

    @property
    def has_projections(self) -> bool:
        """Whether vectors are projected to d_model; if not, they have that width."""
        return self.div_val != 1 or self.d_embedding != self.d_model

    def table_index(self, cluster: int) -> int:
        """Return the index of the table of a cluster."""
        return min(cluster, len(self.table_ranges) - 1)


@dataclass(frozen=True, kw_only=True)
class TransformerXLConfig(ModelConfig):
    """A decoder without encoder, with the settings that no other family has."""

    n_encoder_layers: int = 0
    positions: Literal["sinusoid-halves"] = "sinusoid-halves"  # type: ignore[assignment]
    cutoffs: tuple[int, ...] = ()
    """First id of each cluster except the first one; ids are sorted by frequency."""
    div_val: int = 1
    """Factor by which the vectors of each cluster are narrower than the previous ones."""
    tie_projections: tuple[bool, ...] = (False,)
    """For each cluster, whether the softmax uses the embedding's projection."""
    mem_len: int = 128
    """Length of each layer's memory in tokens; it is zero before a text."""
    same_length: bool = True
    """Whether each query attends to `mem_len` keys, its own included; if not, to the whole memory
    and its segment's keys up to its own."""
    clamp_len: int = 0
    """Largest distance that is distinguished; 0 means no bound."""
    share_biases: bool = False
    """Whether all layers share the two biases of the attention."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "div_val", "n_decoder_layers")
        check_at_least(0, self, "clamp_len")
        check_at_least(1 if self.same_length else 0, self, "mem_len")
        if self.mem_len > MAX_MEMORY:
            raise ConfigError(f"mem_len={self.mem_len} is beyond {MAX_MEMORY}. Use less.")
        for name, value in FIXED.items():
            if getattr(self, name) != value:
                raise ConfigError(
                    f"{name}={getattr(self, name)!r}, but a Transformer-XL has {value!r}. Set that."
                )
        if self.tie_embeddings not in ("all", "none"):
            raise ConfigError(f"tie_embeddings={self.tie_embeddings}: there is one stack. Use all.")
        self._check_clusters()

    @property
    def clusters(self) -> Clusters:
        """The clusters of the vocabulary."""
        return Clusters(
            vocab_size=self.vocab_size,
            cutoffs=self.cutoffs,
            d_model=self.d_model,
            d_embedding=self.embedding_width,
            div_val=self.div_val,
        )

    @property
    def n_keys(self) -> int:
        """Keys that a query attends to at most when tokens are appended one by one."""
        return self.mem_len if self.same_length else self.mem_len + 1

    @property
    def attention(self) -> ModelConfig:
        """The shared settings of its attention."""
        return ModelConfig(
            d_model=self.d_model,
            n_heads=self.n_heads,
            d_head=self.head_width,
            attention_dropout=self.attention_dropout,
            bias="none",
            positions="sinusoid-halves",
        )

    def _check_clusters(self) -> None:
        edges = [0, *self.cutoffs, *([self.vocab_size] if self.vocab_size else [])]
        if len(self.cutoffs) > MAX_CUTOFFS or edges != sorted(set(edges)):
            raise ConfigError(
                f"cutoffs={str(self.cutoffs)[:80]} must rise, from above 0 to below vocab_size="
                f"{self.vocab_size}, and be at most {MAX_CUTOFFS}. Choose others."
            )
        if len(self.tie_projections) != len(self.cutoffs) + 1:
            raise ConfigError(
                f"tie_projections has {len(self.tie_projections)} entries for"
                f" {len(self.cutoffs) + 1} clusters. Give one for each."
            )
        if self.div_val ** len(self.cutoffs) > self.embedding_width:
            raise ConfigError(
                f"d_embedding={self.embedding_width}, divided by div_val={self.div_val} for each of"
                f" {len(self.cutoffs)} cutoffs, leaves the last cluster no width. Use a wider one."
            )
