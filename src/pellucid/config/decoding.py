"""Settings of search and sampling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pellucid.config.checks import check_at_least, check_at_most
from pellucid.errors import ConfigError

MINIMUM = 1e-6
"""Minimum of settings that must be above 0. Any temperature below it samples greedily anyway."""

MOST = {"alpha": 30, "diversity": 1e6, "repetition_penalty": 1e6, "temperature": 1e6}
"""Limited because scores must be finite numbers."""

MAX_SAMPLES = {"n_best": 65_536, "samples": 512}
"""Limited because the samples of a source are one batch, and mbr compares all pairs of them."""

METHOD_SETTINGS = {
    ("beam",): ("groups", "diversity"),
    ("sample", "mbr"): ("temperature", "top_k", "top_p", "min_p", "typical_p"),
    ("mbr",): ("samples", "utility"),
}
"""Methods -> settings that apply to no other method."""


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """Settings of search and sampling.

    Vaswani et al. 2017, section 6.1, use beam=4, length_norm=gnmt, alpha=0.6.
    """

    method: Literal["beam", "sample", "mbr"] = "beam"
    """beam: beam search. sample: sample token by token. mbr: sample many texts and keep the one
    most similar to the others (minimum Bayes risk)."""
    beam: int = 5
    """Beam size; 1 means greedy search. Ignored when sampling."""
    length_norm: Literal["power", "gnmt"] = "power"
    """power: divide scores by |Y|^alpha. gnmt: by ((5 + |Y|) / 6)^alpha (Wu et al. 2016, eq. 14).
    """
    alpha: float = 1.0
    """Exponent of the length normalization; 0 means none."""
    stop: Literal["first_k", "exact", "current"] = "first_k"
    """first_k: stop when `beam` hypotheses are finished. exact: when no unfinished hypothesis can
    win. current: when none would win at its current length."""
    n_best: int = 1
    """Texts per source: the best hypotheses, or the number of samples."""
    min_length: int = 0
    """Minimum number of tokens before the end token."""
    max_length: int = 0
    """Maximum number of tokens, including the end token; 0 means twice the source's tokens plus 20.
    Learned positions limit it further."""
    batch_size: int = 32
    """Sentences per batch."""
    alignment_layer: int = -2
    """Decoder layer whose attention gives word alignments; negative counts from the last layer."""
    repetition_penalty: float = 1.0
    """Penalty on tokens that occurred before: divides their positive logits, multiplies negative
    ones (Keskar et al. 2019); 1 means none."""
    no_repeat_ngram: int = 0
    """No n-gram of this size occurs twice; 0 means no limit."""
    groups: int = 1
    """Groups of diverse beam search, searched in turn (Vijayakumar et al. 2018)."""
    diversity: float = 0.0
    """Penalty on a token's log-probability for each hypothesis of earlier groups with this token.
    """
    seed: int = 0
    """Random seed of sampling. Samples do not depend on the batch size."""
    temperature: float = 1.0
    """Divide logits by it before sampling; below 1 favors probable tokens."""
    top_k: int = 0
    """Sample from the k most probable tokens; 0 means all."""
    top_p: float = 1.0
    """Sample from the smallest set of most probable tokens with this total probability (Holtzman
    et al. 2020)."""
    min_p: float = 0.0
    """Sample from tokens with at least this fraction of the highest probability (Nguyen et al.
    2025)."""
    typical_p: float = 1.0
    """Sample from the smallest set of tokens with information closest to the entropy and this total
    probability (Meister et al. 2023)."""
    samples: int = 32
    """For method mbr: number of samples per source."""
    utility: Literal["chrf", "bleu"] = "chrf"
    """For method mbr: similarity of two texts, by sacreBLEU's sentence score."""

    @property
    def width(self) -> int:
        """Beam size of one group."""
        return self.beam // self.groups if self.method == "beam" else 1

    @property
    def copies(self) -> int:
        """Batch rows per source: its groups or its samples."""
        return {"sample": self.n_best, "mbr": self.samples}.get(self.method, self.groups)

    def with_settings(self, settings: Mapping[str, Any]) -> "DecodingConfig":
        """Return a config with some settings replaced.

        If the method changes, settings that do not apply to the new one are reset to defaults.
        Raises: ConfigError if a setting is unknown, has the wrong type, or is out of range.
        """
        from pellucid.config.read import rebuild  # imports pydantic, which is slow

        method = settings.get("method", self.method)
        if method == self.method:
            return rebuild(self, settings, "search")
        unused = [n for ms, ns in METHOD_SETTINGS.items() if method not in ms for n in ns]
        defaults = {n: type(self).__dataclass_fields__[n].default for n in unused}
        return rebuild(self, defaults | dict(settings), "search")

    def __post_init__(self) -> None:
        check_at_least(1, self, "beam", "n_best", "batch_size", "groups")
        check_at_least(0, self, "min_length", "max_length", "alpha", "no_repeat_ngram", "diversity")
        check_at_least(0, self, "seed", "top_k", "min_p")
        check_at_least(2, self, "samples")
        check_at_least(MINIMUM, self, "repetition_penalty", "temperature", "top_p", "typical_p")
        for name in ("top_p", "min_p", "typical_p"):
            if getattr(self, name) > 1:
                raise ConfigError(f"{name}={getattr(self, name)} is a probability. Use 1 or less.")
        check_at_most(MOST, self)
        if self.method in ("sample", "mbr"):
            check_at_most(MAX_SAMPLES, self)
        self._check_method()
        self._check_groups()
        self._check_n_best()
        if self.max_length and self.min_length >= self.max_length:
            raise ConfigError(
                f"min_length={self.min_length} must be below max_length={self.max_length}, which"
                " includes the end token. Lower min_length or raise max_length."
            )

    def _check_method(self) -> None:
        for methods, names in METHOD_SETTINGS.items():
            for name in names if self.method not in methods else ():
                if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                    raise ConfigError(
                        f"{name}={getattr(self, name)} does not apply to method={self.method}."
                        f" Use method={' or '.join(methods)}, or remove {name}."
                    )

    def _check_n_best(self) -> None:
        name = {"beam": "beam", "mbr": "samples"}.get(self.method, "")
        if name and self.n_best > getattr(self, name):
            raise ConfigError(
                f"n_best={self.n_best} is more than {name}={getattr(self, name)}."
                f" Use {name}={self.n_best} or more."
            )

    def _check_groups(self) -> None:
        if self.groups == 1 and not self.diversity:
            return
        if self.groups == 1:
            raise ConfigError(
                f"diversity={self.diversity} does not apply to groups=1. Set groups to 2 or more,"
                " or remove diversity."
            )
        if self.beam % self.groups:
            raise ConfigError(
                f"beam={self.beam} cannot be divided into groups={self.groups} of equal width."
                f" Use beam={-(-self.beam // self.groups) * self.groups}."
            )
        if not self.diversity:
            raise ConfigError(
                f"groups={self.groups} with diversity=0 would give the same texts in every group."
                " Use diversity=0.5, or groups=1."
            )


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Roles of a tokenizer's special tokens in a search."""

    start: str = "bos"
    """Role of the token that the decoder reads first; "last" means the last token of the prompt."""
    end: str = "eos"
    """Role of the token that ends a text."""
    forced_first: str = ""
    """Role of the first token of every output, such as a language code; empty means none."""
    banned: tuple[str, ...] = ("pad", "bos", "unk")
    """Roles of tokens that are never generated."""
