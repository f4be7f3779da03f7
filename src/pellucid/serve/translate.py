"""`/v1/translate`."""

from typing import Any

from pydantic import BaseModel, Field

from pellucid.serve.bodies import SearchBody, Texts, as_list, check_texts, rank
from pellucid.serve.routing import ServedSite, make_router

router = make_router()


class TranslateBody(SearchBody):
    """Texts to translate."""

    text: Texts
    to: str = Field("", description="Target language of a model with several.")
    source_language: str = Field("", description="Language of the texts, if a model marks it.")
    prefix: str = Field("", description="Text that every translation starts with.")


class TranslatedText(BaseModel):
    """A translation."""

    text: str
    score: float = Field(description="Length-normalised log-probability.")
    finished: bool = Field(description="False if the text was cut at its maximum length.")


class BestTranslation(TranslatedText):
    """The best translation of a text."""

    alternatives: list[TranslatedText] = Field(description="The others, if `n_best` is above 1.")


class Translations(BaseModel):
    """One translation per text."""

    model: str
    translations: list[BestTranslation]


@router.post("/v1/translate")
async def translate(body: TranslateBody, site: ServedSite) -> Translations:
    """Translate texts."""
    texts = check_texts("text", as_list(body.text), site.limits)
    check_texts("prefix", [body.prefix], site.limits)
    settings = body.search(site.limits) | {
        "to": body.to,
        "source_language": body.source_language,
        "prefix": body.prefix,
        "alignment": False,
    }
    model = site.models.choose(body.model, "translate")
    results = await model.run("translate", texts, settings, body.seconds(site.limits))
    return Translations(
        model=model.name, translations=[_best_translation(result) for result in results]
    )


def _best_translation(result: Any) -> BestTranslation:
    best, *others = rank(result)
    names = ("text", "score", "finished")
    alternatives = [TranslatedText(**{name: getattr(h, name) for name in names}) for h in others]
    return BestTranslation(
        **{name: getattr(best, name) for name in names}, alternatives=alternatives
    )
