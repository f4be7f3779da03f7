"""Two traces on one page: of two models, or of two texts in one model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pellucid.config.read import build
from pellucid.errors import UsageError
from pellucid.explorer.live import describe_live
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.request import TextRequest
from pellucid.explorer.respond import WHERE, respond
from pellucid.formats.bundle import Bundle

Differs = Literal["models", "texts"]
"""What two traces do not have in common."""


@dataclass(frozen=True)
class ComparedModels:
    """Two models that read one text, or one model twice, for two texts."""

    first: LiveModel
    second: LiveModel

    @property
    def differs(self) -> Differs:
        """What is compared."""
        return "texts" if self.first.bundle is self.second.bundle else "models"

    def describe(
        self,
        first: TextRequest,
        second: TextRequest,
        describe: Callable[[LiveModel, TextRequest], dict[str, Any]] = LiveModel.describe,
    ) -> dict[str, Any]:
        """Return the content of a page that compares; describe: gives that of one model.

        By default that of a live page, which asks for the arrays of a long text.
        """
        contents = describe(self.first, first), describe(self.second, second)
        return describe_comparison(contents, (self.first.bundle, self.second.bundle), self.differs)

    def describe_live(self) -> dict[str, Any]:
        """Return what the page must know to ask for more; see `explorer.live`."""
        content = describe_live(self.first.bundle, self.first.name)
        return {**content, "live": {**content["live"], "compares": self.differs}}


@dataclass(frozen=True)
class AboutPair:
    """A request for a page that compares."""

    first: TextRequest
    second: TextRequest


def respond_compared(models: ComparedModels, record: object) -> dict[str, Any]:
    """Return the reply to a request of a page that compares.

    `{"ask": "compare", "first": {"text": ...}, "second": {"text": ...}}` asks for both traces.
    Other requests are those of `respond`, and `model`: 0 for the first, 1 for the second.
    Raises: UsageError or ConfigError as `respond`.
    """
    if not isinstance(record, Mapping):
        raise UsageError("the request is not a JSON object.")
    rest = {key: value for key, value in record.items() if key != "model"}
    if rest.pop("ask", None) == "compare":
        about = build(AboutPair, rest, WHERE)
        return models.describe(about.first, about.second)
    number = record.get("model", 0)
    if number not in (0, 1):
        raise UsageError(f"`model` is {number!r:.40}: 0 is the first one, 1 the second.")
    return respond(models.second if number else models.first, {**rest, "ask": record.get("ask")})


def describe_comparison(
    contents: Sequence[Mapping[str, Any]],
    bundles: Sequence[Bundle],
    differs: Differs,
) -> dict[str, Any]:
    """Return the content of a page that compares the second of two contents with the first.

    differs: what the two do not have in common. Only states of one model have coordinates that
    can be compared, and only outputs over one vocabulary have a divergence.
    """
    first, second = (bundle.tokenizers.target for bundle in bundles)
    has_one_vocabulary = first.pieces_by_id == second.pieces_by_id
    comparison = {"differs": differs, "has_one_vocabulary": has_one_vocabulary}
    return {**contents[0], "second": contents[1], "comparison": comparison}


def name_apart(first: str, second: str) -> tuple[str, str]:
    """Return short names of two models: the ends of their paths from where they differ.

    runs/a/final and runs/b/final are a/final and b/final.
    """
    paths = Path(first).parts, Path(second).parts
    for n in range(1, max(map(len, paths)) + 1):
        ends = tuple("/".join(parts[-n:]) for parts in paths)
        if ends[0] != ends[1]:
            return ends[0], ends[1]
    return first, second
