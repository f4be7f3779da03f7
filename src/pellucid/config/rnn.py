"""Settings of the recurrent model's architecture."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import (
    check_at_least,
    check_at_most,
    check_fraction,
    check_shared_vocabulary,
)
from pellucid.config.model import MAX_LAYERS, MAX_SIZES
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RNNConfig:
    """Architecture of a recurrent encoder-decoder. Defaults are small (Luong et al. 2015)."""

    vocab_size: int = 0
    """Rows of the embedding; 0 means the tokenizer's size."""
    target_vocab_size: int = 0
    """Rows of the decoder's embedding; 0 means one vocabulary for both sides."""
    d_model: int = 256
    """Width of the decoder's states, and of the encoder's two directions together."""
    d_embedding: int = 0
    """Width of token vectors; 0 means d_model."""
    n_encoder_layers: int = 1
    """Number of bidirectional layers."""
    n_decoder_layers: int = 1
    cell: Literal["lstm", "gru"] = "lstm"
    """lstm: Hochreiter and Schmidhuber 1997, with forget gates. gru: Cho et al. 2014."""
    attention: Literal["additive", "dot", "general", "none"] = "general"
    """Attention score. additive: v tanh(W q + U k) (Bahdanau et al. 2015). dot: q k. general: q W k
    (Luong et al. 2015). none: the encoder passes only its last state."""
    input_feeding: bool = False
    """The decoder reads the last attentional vector with each token (Luong et al. 2015, 3.3)."""
    tie_embeddings: Literal["all", "inputs", "decoder", "none"] = "all"
    """Weights that share one matrix. all: both embeddings and the output. inputs: both embeddings.
    decoder: the decoder's embedding and the output."""
    dropout: float = 0.1
    """Dropout on embeddings and layer outputs, not between time steps (Zaremba et al. 2014)."""

    def __post_init__(self) -> None:
        check_at_least(0, self, "vocab_size", "target_vocab_size", "d_embedding")
        check_at_least(1, self, "d_model", "n_encoder_layers", "n_decoder_layers")
        check_fraction(self, "dropout")
        check_at_most(MAX_SIZES, self)
        if max(self.n_encoder_layers, self.n_decoder_layers) > MAX_LAYERS:
            raise ConfigError(f"more than {MAX_LAYERS} layers in a stack. Use fewer.")
        if self.d_model % 2:
            raise ConfigError(
                f"d_model={self.d_model} is odd, but the encoder has half of it in each direction."
                f" Use {self.d_model + 1}."
            )
        if self.input_feeding and self.attention == "none":
            raise ConfigError(
                "input_feeding=true needs attention, but attention=none. Set input_feeding=false,"
                " or another attention."
            )
        self._check_ties()

    @property
    def embedding_width(self) -> int:
        """Width of token vectors."""
        return self.d_embedding or self.d_model

    @property
    def max_positions(self) -> int:
        """Maximum number of tokens of a text; 0 means no limit."""
        return 0

    @property
    def n_segments(self) -> int:
        """Number of segments; recurrent models have none."""
        return 0

    def _check_ties(self) -> None:
        check_shared_vocabulary(self)
        if self.tie_embeddings in ("all", "decoder") and self.embedding_width != self.d_model:
            raise ConfigError(
                f"tie_embeddings={self.tie_embeddings} makes the embedding the output too, but"
                f" d_embedding={self.d_embedding} is not d_model={self.d_model}. Use"
                " tie_embeddings=inputs or none, or leave d_embedding at 0."
            )
