"""Settings of the models that Transformers are compared with on texts and words."""

from dataclasses import dataclass
from typing import ClassVar

from pellucid.config.checks import check_at_least, check_at_most, check_fraction
from pellucid.config.model import MAX_LAYERS, MAX_SIZES
from pellucid.errors import ConfigError

MAX_WIDTH = 100
"""Tokens under a convolution at most."""


class BaselineShape:
    """Facts about an encoder without a decoder, positions and segments."""

    kind: ClassVar[str]
    """What a model card calls it."""
    target_vocab_size = 0
    n_decoder_layers = 0
    n_segments = 0
    max_positions = 0

    def check(self) -> None:
        """Raises: ConfigError if a size is impossible."""
        check_at_least(0, self, "vocab_size")
        check_at_least(1, self, "d_model")
        check_fraction(self, "dropout")
        check_at_most(MAX_SIZES, self)


@dataclass(frozen=True, kw_only=True)
class BagOfWordsConfig(BaselineShape):
    """A bag of words: the mean of the tokens' vectors, and a linear map (Iyyer et al. 2015)."""

    vocab_size: int = 0
    """Rows of the embedding; 0 means the tokenizer's size."""
    d_model: int = 300
    """Width of the token vectors."""
    dropout: float = 0.3
    """Dropout on the token vectors."""

    kind = "bag of words"
    n_encoder_layers = 0

    def __post_init__(self) -> None:
        self.check()

    @property
    def embedding_width(self) -> int:
        """Width of token vectors."""
        return self.d_model


@dataclass(frozen=True, kw_only=True)
class TextCNNConfig(BaselineShape):
    """Convolutions over neighboring tokens, and the maximum of each over the text (Kim 2014)."""

    vocab_size: int = 0
    """Rows of the embedding; 0 means the tokenizer's size."""
    d_embedding: int = 300
    """Width of the token vectors."""
    widths: tuple[int, ...] = (3, 4, 5)
    """Numbers of neighboring tokens that the convolutions read."""
    n_filters: int = 100
    """Convolutions of each width."""
    dropout: float = 0.0
    """Dropout on the token vectors; the head has its own."""

    kind = "text CNN"
    n_encoder_layers = 0

    def __post_init__(self) -> None:
        check_at_least(1, self, "d_embedding", "n_filters")
        if not self.widths or not all(1 <= width <= MAX_WIDTH for width in self.widths):
            raise ConfigError(
                f"widths={self.widths} must be one number or more, from 1 to {MAX_WIDTH}. The"
                " paper uses 3, 4 and 5."
            )
        self.check()

    @property
    def d_model(self) -> int:
        """Width of the states: one number for each convolution."""
        return self.n_filters * len(self.widths)

    @property
    def embedding_width(self) -> int:
        """Width of token vectors."""
        return self.d_embedding


@dataclass(frozen=True, kw_only=True)
class BiLSTMConfig(BaselineShape):
    """A bidirectional LSTM (Schuster and Paliwal 1997; Hochreiter and Schmidhuber 1997)."""

    vocab_size: int = 0
    """Rows of the embedding; 0 means the tokenizer's size."""
    d_model: int = 256
    """Width of both directions together."""
    d_embedding: int = 0
    """Width of the token vectors; 0 means d_model."""
    n_encoder_layers: int = 1
    """Number of bidirectional layers."""
    character_ngrams: int = 0
    """Add the mean vector of the word's character n-grams, from 1 to this length, to those of its
    tokens; 0 means none."""
    ngram_rows: int = 32_768
    """Number of vectors of n-grams, which share them by hash."""
    dropout: float = 0.3
    """Dropout on token vectors and between layers; the head has its own."""

    kind = "BiLSTM"
    cell = "lstm"

    def __post_init__(self) -> None:
        check_at_least(0, self, "d_embedding", "character_ngrams")
        check_at_least(1, self, "n_encoder_layers", "ngram_rows")
        if self.n_encoder_layers > MAX_LAYERS or self.d_model % 2:
            raise ConfigError(
                f"n_encoder_layers={self.n_encoder_layers} must be at most {MAX_LAYERS}, and"
                f" d_model={self.d_model} even, since each direction has half of it."
            )
        self.check()

    @property
    def embedding_width(self) -> int:
        """Width of token vectors."""
        return self.d_embedding or self.d_model


@dataclass(frozen=True, kw_only=True)
class HMMConfig(BaselineShape):
    """A hidden Markov model of tags and words (Rabiner 1989). Its sizes are those of the data."""

    vocab_size: int = 0
    """Number of different words; 0 means the tokenizer's size."""

    kind = "hidden Markov model"
    n_encoder_layers = 0
    d_model = embedding_width = 1
    dropout = 0.0

    def __post_init__(self) -> None:
        self.check()


BASELINES: dict[str, type] = {
    "bag-of-words": BagOfWordsConfig,
    "text-cnn": TextCNNConfig,
    "bilstm": BiLSTMConfig,
    "hmm": HMMConfig,
}
"""The class of the config of each size."""
