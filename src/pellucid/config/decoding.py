"""How text is generated from a trained model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pellucid.config.checks import at_least, at_most
from pellucid.errors import ConfigError

MINUTE = 1e-6
"""The least of what must not be 0: a temperature below it is greedy search, to rounding."""

MOST_DRAWN = {"n_best": 65_536, "samples": 512}
"""Texts drawn for one source are rows side by side; of mbr each is compared with each."""

SETTINGS_OF = {
    ("beam",): ("groups", "diversity"),
    ("sample", "mbr"): ("temperature", "top_k", "top_p", "min_p", "typical_p"),
    ("mbr",): ("samples", "utility"),
}
"""Methods, and what has a meaning for them alone."""


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """Search settings; the paper's recipe is beam 4, gnmt, alpha 0.6 (section 6.1)."""

    method: Literal["beam", "sample", "mbr"] = "beam"
    """Search for a probable text; sample one token after another; or sample many texts and keep the
    one most similar to the others."""
    beam: int = 5
    """1 is greedy search; drawing texts takes no notice of it."""
    length_norm: Literal["power", "gnmt"] = "power"
    """Score divided by |Y|^alpha, or by ((5 + |Y|) / 6)^alpha (Wu et al. 2016, eq. 14)."""
    alpha: float = 1.0
    """0 leaves scores undivided."""
    stop: Literal["first_k", "exact", "current"] = "first_k"
    """Stop when `beam` hypotheses have ended, when no open one can still win, or when none would
    win if it ended at its current length."""
    n_best: int = 1
    """Texts for each source: the best ones, or as many as are drawn."""
    min_length: int = 0
    """Fewest tokens before the end token."""
    max_length: int = 0
    """Most tokens, the end token counted; 0 means twice the source's tokens plus 20. A model of
    learned positions writes no more than it has places for."""
    batch_size: int = 32
    """Sentences decoded together."""
    alignment_layer: int = -2
    """Decoder layer whose attention tells which word came from which, counted from the end."""
    repetition_penalty: float = 1.0
    """Logits above 0 of tokens already read are divided by it, others multiplied (Keskar 2019)."""
    no_repeat_ngram: int = 0
    """No sequence of this many tokens comes twice; 0 allows it."""
    groups: int = 1
    """Parts of the beam that are kept apart from one another (Vijayakumar et al. 2018)."""
    diversity: float = 0.0
    """Taken off a token's log-probability for each text of earlier groups that goes on with it."""
    seed: int = 0
    """Of drawing: one seed gives one set of texts, in batches of any size."""
    temperature: float = 1.0
    """Logits are divided by it before drawing: below 1 the probable becomes more so."""
    top_k: int = 0
    """Draw from the k most probable tokens; 0 from all."""
    top_p: float = 1.0
    """Draw from the fewest most probable tokens that have this mass (Holtzman et al. 2020)."""
    min_p: float = 0.0
    """Draw from tokens at least this fraction as probable as the best (Nguyen et al. 2025)."""
    typical_p: float = 1.0
    """Draw from the fewest tokens nearest the entropy that have this mass (Meister et al. 2023)."""
    samples: int = 32
    """Of method mbr: texts drawn for each source, compared each with each."""
    utility: Literal["chrf", "bleu"] = "chrf"
    """Of method mbr: how like one another two texts are, by sacreBLEU's score of a sentence."""

    @property
    def width(self) -> int:
        """Open texts that compete with one another."""
        return self.beam // self.groups if self.method == "beam" else 1

    @property
    def copies(self) -> int:
        """Searches of one source, apart from one another or nearly so: its groups or its draws."""
        return {"sample": self.n_best, "mbr": self.samples}.get(self.method, self.groups)

    def changed(self, settings: Mapping[str, Any]) -> "DecodingConfig":
        """With these in place of some; a change of method drops what the new one has no use for.

        Raises: ConfigError if one is unknown, of another type, or impossible.
        """
        from pellucid.config.read import build  # pydantic: a command's help goes without

        method = settings.get("method", self.method)
        useless = [n for ms, ns in SETTINGS_OF.items() if method not in ms for n in ns]
        reset = {n: type(self).__dataclass_fields__[n].default for n in useless}
        kept = asdict(self) | ({} if method == self.method else reset)
        return build(DecodingConfig, kept | dict(settings), "search")

    def __post_init__(self) -> None:
        at_least(1, self, "beam", "n_best", "batch_size", "groups")
        at_least(0, self, "min_length", "max_length", "alpha", "no_repeat_ngram", "diversity")
        at_least(0, self, "seed", "top_k", "min_p")
        at_least(2, self, "samples")
        at_least(MINUTE, self, "repetition_penalty", "temperature", "top_p", "typical_p")
        for name in ("top_p", "min_p", "typical_p"):
            if getattr(self, name) > 1:
                raise ConfigError(f"{name}={getattr(self, name)} is a share of 1. Use 1 or less.")
        if self.method in ("sample", "mbr"):
            at_most(MOST_DRAWN, self)
        self._check_method()
        self._check_groups()
        self._check_n_best()
        if self.max_length and self.min_length >= self.max_length:
            raise ConfigError(
                f"min_length={self.min_length} leaves no room below max_length={self.max_length}:"
                " the end token counts as one. Lower the one or raise the other."
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
                f"diversity={self.diversity} has no meaning for groups=1: a beam in 2 groups or"
                " more is needed. Set both, or none."
            )
        if self.beam % self.groups:
            raise ConfigError(
                f"beam={self.beam} cannot be cut into groups={self.groups} of one width."
                f" Use beam={-(-self.beam // self.groups) * self.groups}."
            )
        if not self.diversity:
            raise ConfigError(
                f"groups={self.groups} with diversity=0 would find the same texts in every group."
                " Use diversity=0.5, or groups=1."
            )


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which tokens open and never enter a generated text, by role; ids are the tokenizer's."""

    start: str = "bos"
    """The role whose token the decoder reads first; "last" is its text's own last token."""
    end: str = "eos"
    forced_first: str = ""
    """A token that every output begins with (a language code), or none."""
    banned: tuple[str, ...] = ("pad", "bos", "unk")
