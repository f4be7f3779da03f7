"""What requests may hold: field by field, strictly."""

from dataclasses import fields
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from pellucid.config.decoding import DecodingConfig
from pellucid.config.docs import field_docs
from pellucid.errors import UsageError
from pellucid.serve.limits import Limits

T = TypeVar("T")
INTERNAL = ("batch_size", "alignment_layer")
"""Search settings that requests cannot change."""
MAX_STRING = 256
"""Characters of the longest stop string."""


class Body(BaseModel):
    """A request: unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: str = Field("", description="A model's name; not needed if only one model can do this.")
    timeout: float | None = Field(
        None, gt=0, description="Seconds until the request is given up, at most the server's."
    )

    def seconds(self, limits: Limits) -> float:
        """Return the seconds until the request is given up."""
        return min(self.timeout or limits.timeout, limits.timeout)


def _search_fields() -> dict[str, Any]:
    """Return the fields of `DecodingConfig`, each optional."""
    hints, docs = get_type_hints(DecodingConfig), field_docs(DecodingConfig)
    return {
        each.name: (
            hints[each.name] | None,
            Field(None, description=" ".join(docs[each.name].split())),
        )
        for each in fields(DecodingConfig)
        if each.name not in INTERNAL
    }


SearchFields: Any = create_model("SearchFields", __base__=Body, **_search_fields())


class SearchBody(SearchFields):
    """A request for generated text: settings that are left out are those of the model."""

    banned: list[str] = Field([], description="Strings that are not generated.")

    def search(self, limits: Limits) -> dict[str, Any]:
        """Return the search settings that are set, and banned strings.

        Raises: UsageError if there are too many of these.
        """
        names = [each.name for each in fields(DecodingConfig) if each.name not in INTERNAL]
        chosen = {name: value for name in names if (value := getattr(self, name)) is not None}
        check_strings("banned", self.banned, limits)
        return chosen | {"banned": self.banned}


def check_strings(name: str, strings: list[str], limits: Limits) -> None:
    """Raises: UsageError if there are too many strings, or one is empty or too long."""
    if len(strings) > limits.strings:
        raise UsageError(f"{name} has {len(strings):,} strings, more than {limits.strings}.")
    if any(not 0 < len(string) <= MAX_STRING for string in strings):
        raise UsageError(f"{name}: each string must have 1 to {MAX_STRING} characters.")


def check_texts(name: str, texts: list[str], limits: Limits) -> list[str]:
    """Return the texts. Raises: UsageError if there are too many, or one is too long."""
    if len(texts) > limits.texts:
        raise UsageError(
            f"{name} has {len(texts):,} texts, more than {limits.texts}. Send several requests."
        )
    for number, text in enumerate(texts):
        if len(text) > limits.characters:
            raise UsageError(
                f"{name}: text {number} has {len(text):,} characters, more than"
                f" {limits.characters:,}. Split it."
            )
    return texts


Texts = Annotated[str | list[str], Field(description="A text, or a list of texts.")]


def as_list(texts: str | list[T]) -> list[str] | list[T]:
    """Return a list also for one text."""
    return [texts] if isinstance(texts, str) else texts


def rank(result: Any) -> list[Any]:
    """Return the texts of a result, best first. With `n_best` 1, a method returns one by itself."""
    return result if isinstance(result, list) else [result]
