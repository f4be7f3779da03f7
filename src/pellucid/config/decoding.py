"""Settings of search and sampling."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pellucid.config.checks import check_at_least, check_at_most
from pellucid.errors import ConfigError

SMALLEST = 1e-6
"""Minimum of settings that must not be 0: a lower temperature is greedy search, to rounding."""

MAX_SAMPLES = {"n_best": 65_536, "samples": 512}
"""The samples of one source are rows of one batch; mbr compares all pairs of them."""

SETTINGS_OF = {
    ("beam",): ("groups", "diversity"),
    ("sample", "mbr"): ("temperature", "top_k", "top_p", "min_p", "typical_p"),
    ("mbr",): ("samples", "utility"),
}
"""Methods, and the settings that only they have."""


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """Search settings; the paper's recipe is beam 4, gnmt, alpha 0.6 (section 6.1)."""

    method: Literal["beam", "sample", "mbr"] = "beam"
    """Search for a probable text; sample one token after another; or sample many texts and keep the
    one most similar to the others."""
    beam: int = 5
    """1 is greedy search. Ignored when sampling."""
    length_norm: Literal["power", "gnmt"] = "power"
    """Score divided by |Y|^alpha, or by ((5 + |Y|) / 6)^alpha (Wu et al. 2016, eq. 14)."""
    alpha: float = 1.0
    """0 means no division."""
    stop: Literal["first_k", "exact", "current"] = "first_k"
    """first_k: stop when `beam` hypotheses have ended. exact: when no open one can still win.
    current: when no open one would win if it ended at its current length."""
    n_best: int = 1
    """Texts per source: the best ones, or the number of samples."""
    min_length: int = 0
    """Minimum number of tokens before the end token."""
    max_length: int = 0
    """Maximum number of tokens, including the end token; 0 means twice the source's tokens plus 20.
    A model with learned positions writes no more than it has positions."""
    batch_size: int = 32
    """Sentences per batch."""
    alignment_layer: int = -2
    """Decoder layer whose attention gives word alignments; negative counts from the last layer."""
    repetition_penalty: float = 1.0
    """Logits above 0 of tokens already read are divided by it, others multiplied (Keskar 2019)."""
    no_repeat_ngram: int = 0
    """No n-gram of this size occurs twice; 0 means no limit."""
    groups: int = 1
    """Groups of the beam that are searched one after another (Vijayakumar et al. 2018)."""
    diversity: float = 0.0
    """Penalty on a token's log-probability for each text of earlier groups that chose it."""
    seed: int = 0
    """Seed of sampling; the texts do not depend on the batch size."""
    temperature: float = 1.0
    """Logits are divided by it before sampling; below 1, likely tokens become likelier."""
    top_k: int = 0
    """Sample from the k most probable tokens; 0 means all."""
    top_p: float = 1.0
    """Sample from the fewest most probable tokens with this mass (Holtzman et al. 2020)."""
    min_p: float = 0.0
    """Sample from tokens at least this fraction as probable as the best (Nguyen et al. 2025)."""
    typical_p: float = 1.0
    """Sample from the fewest tokens nearest the entropy with this mass (Meister et al. 2023)."""
    samples: int = 32
    """For method mbr: samples per source, compared in pairs."""
    utility: Literal["chrf", "bleu"] = "chrf"
    """For method mbr: similarity of two texts, sacreBLEU's sentence score."""

    @property
    def width(self) -> int:
        """Hypotheses that compete with one another."""
        return self.beam // self.groups if self.method == "beam" else 1

    @property
    def copies(self) -> int:
        """Searches per source: its groups or its samples."""
        return {"sample": self.n_best, "mbr": self.samples}.get(self.method, self.groups)

    def changed(self, settings: Mapping[str, Any]) -> "DecodingConfig":
        """Return a config with some settings replaced; a new method resets those that it lacks.

        Raises: ConfigError if a setting is unknown, of another type, or impossible.
        """
        from pellucid.config.read import build  # imports pydantic, which is slow

        method = settings.get("method", self.method)
        unused = [n for ms, ns in SETTINGS_OF.items() if method not in ms for n in ns]
        reset = {n: type(self).__dataclass_fields__[n].default for n in unused}
        kept = asdict(self) | ({} if method == self.method else reset)
        return build(DecodingConfig, kept | dict(settings), "search")

    def __post_init__(self) -> None:
        check_at_least(1, self, "beam", "n_best", "batch_size", "groups")
        check_at_least(0, self, "min_length", "max_length", "alpha", "no_repeat_ngram", "diversity")
        check_at_least(0, self, "seed", "top_k", "min_p")
        check_at_least(2, self, "samples")
        check_at_least(SMALLEST, self, "repetition_penalty", "temperature", "top_p", "typical_p")
        for name in ("top_p", "min_p", "typical_p"):
            if getattr(self, name) > 1:
                raise ConfigError(f"{name}={getattr(self, name)} is a probability. Use 1 or less.")
        if self.method in ("sample", "mbr"):
            check_at_most(MAX_SAMPLES, self)
        self._check_method()
        self._check_groups()
        self._check_n_best()
        if self.max_length and self.min_length >= self.max_length:
            raise ConfigError(
                f"min_length={self.min_length} leaves no room below max_length={self.max_length}:"
                " the end token counts as one. Lower min_length or raise max_length."
            )

    def _check_method(self) -> None:
        for methods, names in SETTINGS_OF.items():
            for name in names if self.method not in methods else ():
                if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                    raise ConfigError(
                        f"{name}={getattr(self, name)} has no meaning for method={self.method}."
                        f" Use method={' or '.join(methods)}, or leave it out."
                    )

    def _check_n_best(self) -> None:
        name = {"beam": "beam", "mbr": "samples"}.get(self.method, "")
        if name and self.n_best > getattr(self, name):
            raise ConfigError(
                f"n_best={self.n_best} asks for more hypotheses than {name}={getattr(self, name)}"
                f" keeps. Use {name}={self.n_best} or more."
            )

    def _check_groups(self) -> None:
        if self.groups == 1 and not self.diversity:
            return
        if self.groups == 1:
            raise ConfigError(
                f"diversity={self.diversity} has no meaning for groups=1. Set groups to 2 or more,"
                " or leave diversity out."
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
    """The tokens that start, end and never enter a generated text, by role."""

    start: str = "bos"
    """The role of the token that the decoder reads first; "last" means the prompt's last token."""
    end: str = "eos"
    forced_first: str = ""
    """A token that every output starts with (a language code), or none."""
    banned: tuple[str, ...] = ("pad", "bos", "unk")
