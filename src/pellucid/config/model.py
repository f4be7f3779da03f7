"""The shape of a model: what to build, and nothing about how to train it."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import at_least, fraction
from pellucid.errors import ConfigError

# Sizes beyond these cannot be meant: they would exhaust memory before an error could be shown.
LARGEST = {
    "vocab_size": 10_000_000,
    "target_vocab_size": 10_000_000,
    "max_length": 10_000_000,
    "d_model": 65_536,
    "d_ff": 1_048_576,
    "n_heads": 1024,
}
MOST_LAYERS = 1024


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """One Transformer. Layers on both sides make an encoder-decoder; on one, that half alone.

    Defaults are the base model of Vaswani et al. 2017, table 3.
    """

    vocab_size: int = 0
    """Rows of the embedding; 0 lets the tokenizer decide when the run starts."""
    target_vocab_size: int = 0
    """Rows of the decoder's embedding where it differs; 0 means one vocabulary for both sides."""
    d_model: int = 512
    n_encoder_layers: int = 6
    n_decoder_layers: int = 6
    n_heads: int = 8
    d_ff: int = 2048
    max_length: int = 1024
    """Most positions that a learned table holds; sinusoids grow past it on demand."""
    positions: Literal["sinusoid", "sinusoid-halves", "learned", "none"] = "sinusoid"
    """Sinusoids interleaved as in the paper, or sines before cosines as in tensor2tensor."""
    norm_place: Literal["post", "pre"] = "post"
    """LayerNorm after each residual sum (the paper), or before each sublayer."""
    norm_eps: float = 1e-5
    activation: Literal["relu", "gelu", "gelu-tanh", "swish"] = "relu"
    head_split: Literal["projection", "slice"] = "projection"
    """Heads cut from a full projection (the paper), or each head fed its slice of the vector."""
    scale_embeddings: bool = True
    """Multiply embeddings by sqrt(d_model), Vaswani et al. 2017, section 3.4."""
    tie_embeddings: Literal["all", "decoder", "none"] = "all"
    """Which share one matrix: both embeddings and the output, the decoder's two, or none."""
    dropout: float = 0.1
    """On each sublayer's output and on the embeddings' sum."""
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least(0, self, "vocab_size", "target_vocab_size", "n_encoder_layers", "n_decoder_layers")
        at_least(1, self, "d_model", "n_heads", "d_ff", "max_length")
        fraction(self, "dropout", "attention_dropout", "activation_dropout")
        for name, most in LARGEST.items():
            if getattr(self, name) > most:
                raise ConfigError(f"{name}={getattr(self, name)} is beyond {most}. Use less.")
        if max(self.n_encoder_layers, self.n_decoder_layers) > MOST_LAYERS:
            raise ConfigError(f"more than {MOST_LAYERS} layers in a stack. Use fewer.")
        if self.n_encoder_layers + self.n_decoder_layers == 0:
            raise ConfigError(
                "n_encoder_layers and n_decoder_layers are both 0: there is no model. Set either."
            )
        if self.d_model % self.n_heads:
            raise ConfigError(
                f"d_model={self.d_model} is not divisible by n_heads={self.n_heads}, so heads would"
                f" have unequal width. Use d_model={self._nearest_width()}, or other heads."
            )
        if self.positions.startswith("sinusoid") and self.d_model % 2:
            raise ConfigError(
                f"d_model={self.d_model} is odd, but sinusoids come in pairs of sine and cosine."
                " Use an even d_model, or positions: learned."
            )
        if self.target_vocab_size and self.tie_embeddings == "all":
            raise ConfigError(
                "tie_embeddings=all shares one matrix, but target_vocab_size sets a second"
                " vocabulary. Use tie_embeddings=decoder."
            )
        if not self.norm_eps > 0:
            raise ConfigError(f"norm_eps={self.norm_eps} must be above 0. The usual is 1e-5.")

    def _nearest_width(self) -> int:
        return -(-self.d_model // self.n_heads) * self.n_heads
