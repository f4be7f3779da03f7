"""Settings of a model's architecture."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import (
    check_at_least,
    check_at_most,
    check_fraction,
    check_shared_vocabulary,
)
from pellucid.errors import ConfigError

# Larger sizes would exhaust memory before an error could be shown.
MAX_SIZES = {
    "vocab_size": 10_000_000,
    "target_vocab_size": 10_000_000,
    "max_length": 10_000_000,
    "d_model": 65_536,
    "d_embedding": 65_536,
    "d_ff": 1_048_576,
    "n_heads": 1024,
    "d_head": 65_536,
    "n_segments": 65_536,
    "n_buckets": 65_536,
    "character_ngrams": 100,
    "ngram_rows": 10_000_000,
}
MAX_LAYERS = 1024

Activation = Literal["relu", "gelu", "gelu-tanh", "swish", "tanh"]
"""gelu is exact (erf); gelu-tanh is its approximation, as in GPT, ALBERT and T5 1.1."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture of a Transformer. With 0 encoder or decoder layers, that stack is omitted.

    Defaults are the base model of Vaswani et al. 2017, table 3.
    """

    vocab_size: int = 0
    """Rows of the embedding; 0 means the tokenizer's size."""
    target_vocab_size: int = 0
    """Rows of the decoder's embedding; 0 means one vocabulary for both sides."""
    d_model: int = 512
    d_embedding: int = 0
    """Width of token vectors, which are projected to d_model; 0 means d_model, no projection."""
    n_segments: int = 0
    """Rows of the segment embedding (token types); 0 means none."""
    n_encoder_layers: int = 6
    n_decoder_layers: int = 6
    layer_groups: int = 0
    """Groups of consecutive layers that share weights; 0 means no sharing."""
    n_heads: int = 8
    d_head: int = 0
    """Width of a head; 0 means d_model / n_heads."""
    d_ff: int = 2048
    max_length: int = 1024
    """Rows of a learned position embedding; sinusoids are extended on demand."""
    character_ngrams: int = 0
    """Add to each token's vector that of its word: the mean of the vectors of the word's character
    n-grams, from 1 to this length. Words that training never saw then resemble others. 0
    means none. For encoders."""
    ngram_rows: int = 32_768
    """Number of vectors of n-grams, which share them by hash."""
    positions: Literal[
        "sinusoid",
        "sinusoid-halves",
        "sinusoid-real",
        "learned",
        "learned-real",
        "buckets",
        "none",
    ] = "sinusoid"
    """sinusoid: interleaved, as in the paper. sinusoid-halves: sines before cosines, as in
    tensor2tensor. sinusoid-real: of the position without padding, with the longest wavelength
    exactly 10000 times the shortest, as in fairseq. learned: an embedding of the position;
    learned-real: of the position without padding. buckets: a score bias by bucketed distance, as in
    T5."""
    first_position: int = 0
    """The first token's number: its row of a learned position embedding, or its sinusoid."""
    n_buckets: int = 32
    max_distance: int = 128
    """Distances of at least this many tokens share the last bucket."""
    neighbor_heads: bool = False
    """With positions=buckets: each head starts at one neighbor of the query, not at all tokens."""
    windows: tuple[int, ...] = ()
    """Number of latest keys to which a query attends, by layer, repeated; 0 means all."""
    norm: Literal["layer", "rms"] = "layer"
    norm_place: Literal["post", "pre"] = "post"
    """post: norm after each residual sum (the paper). pre: before each sublayer and at the end."""
    norm_eps: float = 1e-5
    embedding_norm: bool = False
    """Apply a norm to the sum of embeddings."""
    activation: Activation = "relu"
    gated: bool = False
    """Feed-forward: down(activation(gate(x)) * up(x)) instead of down(activation(up(x)))."""
    head_split: Literal["projection", "slice"] = "projection"
    """projection: heads are slices of a full projection (the paper). slice: each head projects its
    slice of the vector."""
    attention_scale: Literal["sqrt", "none"] = "sqrt"
    """sqrt: divide attention scores by sqrt(d_head), as in the paper. none: no division."""
    bias: Literal["all", "no-qkv", "none"] = "all"
    """Which linear layers have a bias: all, all except q, k and v, or none."""
    scale_embeddings: bool = True
    """Multiply embeddings by sqrt(d_model), Vaswani et al. 2017, section 3.4."""
    tie_embeddings: Literal["all", "inputs", "decoder", "none"] = "all"
    """Weights that share one matrix. all: both embeddings and the output. inputs: both embeddings.
    decoder: the decoder's embedding and the output."""
    dropout: float = 0.1
    """Dropout on the output of each sublayer and on the sum of embeddings."""
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0

    def __post_init__(self) -> None:
        check_at_least(
            0, self, "vocab_size", "target_vocab_size", "n_encoder_layers", "n_decoder_layers"
        )
        check_at_least(
            0, self, "d_embedding", "n_segments", "layer_groups", "d_head", "first_position"
        )
        check_at_least(0, self, "character_ngrams")
        check_at_least(1, self, "d_model", "n_heads", "d_ff", "max_length", "ngram_rows")
        check_fraction(self, "dropout", "attention_dropout", "activation_dropout")
        check_at_most(MAX_SIZES, self)
        if max(self.n_encoder_layers, self.n_decoder_layers) > MAX_LAYERS:
            raise ConfigError(f"more than {MAX_LAYERS} layers in a stack. Use fewer.")
        if self.n_encoder_layers + self.n_decoder_layers == 0:
            raise ConfigError(
                "n_encoder_layers and n_decoder_layers are both 0. Set one of them to 1 or more."
            )
        if not self.d_head and self.d_model % self.n_heads:
            raise ConfigError(
                f"d_model={self.d_model} is not divisible by n_heads={self.n_heads}, so heads would"
                f" have unequal widths. Use d_model={self._nearest_width()}, other heads, or set"
                " d_head."
            )
        if self.positions.startswith("sinusoid") and self.embedding_width % 2:
            raise ConfigError(
                f"d_model={self.embedding_width} is odd, but sinusoids are pairs of sine and"
                " cosine. Use an even d_model, or positions: learned."
            )
        if self.positions == "sinusoid-real" and self.embedding_width < 4:
            raise ConfigError(
                f"d_model={self.embedding_width}, but positions: sinusoid-real have a shortest and"
                " a longest wave. Use a d_model of 4 or more."
            )
        if not self.norm_eps > 0:
            raise ConfigError(f"norm_eps={self.norm_eps} must be above 0. 1e-5 is usual.")
        self._check_ties()
        self._check_sharing()

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.d_head or self.d_model // self.n_heads

    @property
    def embedding_width(self) -> int:
        """Width of a token's vector before a projection."""
        return self.d_embedding or self.d_model

    @property
    def max_positions(self) -> int:
        """Maximum number of tokens of a text, if positions are learned; 0 means no limit."""
        return self.max_length if self.positions.startswith("learned") else 0

    def window(self, layer: int) -> int:
        """Return the number of latest keys to which a query of this layer attends; 0 means all."""
        return self.windows[layer % len(self.windows)] if self.windows else 0

    def _check_ties(self) -> None:
        if not self.target_vocab_size or self.tie_embeddings == "none":
            return
        if not self.n_decoder_layers:
            raise ConfigError(
                f"target_vocab_size={self.target_vocab_size} is a second vocabulary, but an encoder"
                f" alone has one embedding, to which tie_embeddings={self.tie_embeddings} ties its"
                " output. Use target_vocab_size=0, or tie_embeddings=none."
            )
        check_shared_vocabulary(self)

    def _check_sharing(self) -> None:
        if self.head_split == "slice" and self.d_head not in (0, self.d_model // self.n_heads):
            raise ConfigError(
                f"head_split=slice feeds each head d_model / n_heads numbers, but d_head="
                f"{self.d_head}. Leave d_head at 0."
            )
        if any(window < 0 for window in self.windows):
            raise ConfigError(f"windows={self.windows} has a negative value. Use 0 for no limit.")
        if self.neighbor_heads and self.positions != "buckets":
            raise ConfigError(
                f"neighbor_heads=true sets the biases of positions=buckets, but positions="
                f"{self.positions}. Use positions=buckets, or leave neighbor_heads out."
            )
        if self.character_ngrams and self.n_decoder_layers:
            raise ConfigError(
                f"character_ngrams={self.character_ngrams} reads whole words, but a decoder writes"
                " them token by token. Use it for an encoder alone: n_decoder_layers=0."
            )
        if self.positions == "buckets":
            check_at_least(4, self, "n_buckets")
            if self.n_buckets % 4 or self.max_distance <= self.n_buckets // 2:
                raise ConfigError(
                    f"n_buckets={self.n_buckets} and max_distance={self.max_distance}: half of the"
                    " buckets of a side hold one distance each, and max_distance must be larger."
                    " Use a multiple of 4, and max_distance above n_buckets / 2."
                )
        for side in ("n_encoder_layers", "n_decoder_layers"):
            layers = getattr(self, side)
            if self.layer_groups and layers % self.layer_groups:
                raise ConfigError(
                    f"{side}={layers} does not divide into layer_groups={self.layer_groups}."
                    " Use a divisor."
                )

    def _nearest_width(self) -> int:
        return -(-self.d_model // self.n_heads) * self.n_heads
