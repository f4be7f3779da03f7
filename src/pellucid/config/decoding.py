"""How text is generated from a trained model."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import at_least
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """Search settings; the paper's recipe is beam 4, gnmt, alpha 0.6 (section 6.1)."""

    beam: int = 5
    """1 is greedy search."""
    length_norm: Literal["power", "gnmt"] = "power"
    """Score divided by |Y|^alpha, or by ((5 + |Y|) / 6)^alpha (Wu et al. 2016, eq. 14)."""
    alpha: float = 1.0
    """0 leaves scores undivided."""
    stop: Literal["first_k", "exact"] = "first_k"
    """Stop when `beam` hypotheses have ended, or when no open one can still win."""
    n_best: int = 1
    min_length: int = 0
    """Fewest tokens before the end token."""
    max_length: int = 0
    """Most tokens, the end token counted; 0 means twice the source's tokens plus 20."""
    batch_size: int = 32
    """Sentences decoded together."""
    alignment_layer: int = -2
    """Decoder layer whose attention tells which word came from which, counted from the end."""

    def __post_init__(self) -> None:
        at_least(1, self, "beam", "n_best", "batch_size")
        at_least(0, self, "min_length", "max_length", "alpha")
        if self.n_best > self.beam:
            raise ConfigError(
                f"n_best={self.n_best} asks for more hypotheses than beam={self.beam} keeps."
                f" Use beam={self.n_best} or more."
            )
        if self.max_length and self.min_length >= self.max_length:
            raise ConfigError(
                f"min_length={self.min_length} leaves no room below max_length={self.max_length}:"
                " the end token counts as one. Lower the one or raise the other."
            )


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which tokens open and never enter a generated text, by role; ids are the tokenizer's."""

    start: str = "bos"
    """The role whose token the decoder reads first."""
    end: str = "eos"
    forced_first: str = ""
    """A token that every output begins with (a language code), or none."""
    banned: tuple[str, ...] = ("pad", "bos", "unk")
