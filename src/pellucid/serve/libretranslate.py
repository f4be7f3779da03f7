"""LibreTranslate's `/translate` and `/languages`, so that its clients work."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.languages import has_several_languages
from pellucid.serve.bodies import as_list, check_texts, rank
from pellucid.serve.errors import FORM, describe_fields
from pellucid.serve.markup import Markup, read_markup
from pellucid.serve.routing import FlatError, ServedSite, make_router
from pellucid.serve.served import Models, ServedModel
from pellucid.text.language_tags import language_tags
from pellucid.text.published.language import list_languages

NAMES = {
    **{"ar": "Arabic", "cs": "Czech", "de": "German", "en": "English", "es": "Spanish"},
    **{"fr": "French", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean"},
    **{"nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian"},
    **{"tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese"},
}
"""Of languages; others are shown by their code."""

router = make_router(FlatError)


class LibreTranslateBody(BaseModel):
    """Texts to translate."""

    model_config = ConfigDict(extra="forbid", strict=True)

    q: str | list[str] = Field(description="A text, or several.")
    source: str = Field(description='Language of the texts; "auto" if only one is possible.')
    target: str = Field(description="Language of the translations.")
    format: Literal["text", "html"] = Field(
        "text", description="html: the texts between tags are translated, each by itself."
    )
    alternatives: int = Field(0, ge=0, description="Other translations of each text.")
    api_key: str = ""


class DetectedLanguage(BaseModel):
    """The source language; nothing is detected, so the confidence is 0."""

    language: str
    confidence: float = 0.0


class LibreTranslation(BaseModel):
    """A translation, or a list of them if the request had a list."""

    translatedText: str | list[str]  # noqa: N815 (LibreTranslate's name)
    alternatives: list[str] | list[list[str]] | None = None
    detectedLanguage: DetectedLanguage | list[DetectedLanguage] | None = None  # noqa: N815


class Language(BaseModel):
    """A language that can be translated."""

    code: str
    name: str
    targets: list[str]


class Direction(NamedTuple):
    """A direction of translation, and the model for it."""

    source: str
    target: str
    model: ServedModel


BODY = {
    "required": True,
    "content": {
        kind: {"schema": {"$ref": "#/components/schemas/LibreTranslateBody"}}
        for kind in ("application/json", FORM)
    },
}


@router.post("/translate", openapi_extra={"requestBody": BODY}, response_model_exclude_none=True)
async def translate(request: Request, site: ServedSite) -> LibreTranslation:
    """Translate texts, as LibreTranslate does."""
    body = await _read(request)
    site.access.check_key(request.headers, body.api_key)
    texts = check_texts("q", as_list(body.q), site.limits)
    markups = [read_markup(text) for text in texts] if body.format == "html" else []
    if markups:
        inside = [text for markup in markups for text in markup.texts]
        texts = check_texts("q: the texts between tags", inside, site.limits)
    if body.alternatives >= site.limits.beams:
        raise UsageError(f"alternatives={body.alternatives} must be below {site.limits.beams}.")
    direction = _choose(site.models, body.source, body.target)
    settings: dict[str, Any] = {"alignment": False}
    if body.alternatives:
        n_best = body.alternatives + 1
        beam = max(n_best, direction.model.model.bundle.decoding.beam)
        settings |= {"method": "beam", "beam": beam, "n_best": n_best}
    if has_several_languages(direction.model.model.bundle):
        settings |= {"to": direction.target}
        if not language_tags(direction.model.model.bundle.tokenizers.source):
            settings["source_language"] = direction.source
    results = await direction.model.run("translate", texts, settings, site.limits.timeout)
    ranked = [[each.text for each in rank(result)] for result in results]
    if markups:
        ranked = _put_into(markups, ranked, body.alternatives + 1)
    return _shape(body, ranked, direction.source)


@router.get("/languages")
async def list_known_languages(site: ServedSite) -> list[Language]:
    """List the languages that can be translated, and into which."""
    targets: dict[str, list[str]] = {}
    for direction in _directions(site.models):
        known = targets.setdefault(direction.source, [])
        if direction.target not in known:
            known.append(direction.target)
    return [
        Language(code=code, name=NAMES.get(code, code), targets=into)
        for code, into in targets.items()
    ]


async def _read(request: Request) -> LibreTranslateBody:
    """Return the body, JSON or a form. Raises: UsageError."""
    if request.headers.get("content-type", "").lower().startswith(FORM):
        record = _read_form(await request.body())
    else:
        record = await request.json()
    try:
        return LibreTranslateBody.model_validate(record)
    except ValidationError as error:
        raise UsageError(describe_fields(error.errors())) from None


def _read_form(body: bytes) -> dict[str, Any]:
    """Return the fields of a form. Raises: UsageError if it is none."""
    try:
        fields = parse_qs(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=300,
        )
    except ValueError:
        raise UsageError("the request is no form of UTF-8 text. Send q, source, target.") from None
    record: dict[str, Any] = {name: values[0] for name, values in fields.items()}
    if len(fields.get("q", [])) > 1:
        record["q"] = fields["q"]
    number = record.get("alternatives", "")
    if number.isascii() and number.isdigit() and len(number) < 10:
        record["alternatives"] = int(number)
    return record


def _directions(models: Models) -> Iterator[Direction]:
    """Yield each direction of each translator."""
    for model in models.by_name.values():
        bundle = model.model.bundle
        if "translate" in model.verbs:
            for source, target in _list_pairs(bundle):
                yield Direction(source, target, model)


def _list_pairs(bundle: Bundle) -> Iterator[tuple[str, str]]:
    source, target = bundle.tokenizers.source, bundle.tokenizers.target
    if not has_several_languages(bundle):
        if all(bundle.languages):
            yield bundle.languages
        return
    targets = tuple(language_tags(source)) or list_languages(target)
    sources = list_languages(source) or (*filter(None, bundle.languages[:1]), *targets)
    for one in dict.fromkeys(sources):
        yield from ((one, other) for other in targets if other != one)


def _choose(models: Models, source: str, target: str) -> Direction:
    """Return the first direction from a language into another. Raises: UsageError."""
    known = list(_directions(models))
    fitting = [d for d in known if d.target == target and source in ("auto", d.source)]
    if not fitting:
        pairs = ", ".join(f"{d.source} to {d.target}" for d in known[:20]) or "none"
        raise UsageError(f"{source[:20]!r} to {target[:20]!r} is not supported. Known: {pairs}.")
    sources = dict.fromkeys(direction.source for direction in fitting)
    if len(sources) > 1:
        raise UsageError(
            f"languages are not detected, and several can be translated into {target!r}. Set"
            f" source: {', '.join(sources)}."
        )
    return fitting[0]


def _put_into(markups: list[Markup], ranked: list[list[str]], n_best: int) -> list[list[str]]:
    """Return HTML with the best of all texts, with the second best, and so on. ranked: of each."""
    each = iter(ranked)
    results = []
    for markup in markups:
        inside = [next(each) for _ in markup.texts]
        results.append([markup.replace([texts[i] for texts in inside]) for i in range(n_best)])
    return results


def _shape(body: LibreTranslateBody, ranked: list[list[str]], source: str) -> LibreTranslation:
    """Return one translation, or lists if the request had a list."""
    best, others = [texts[0] for texts in ranked], [texts[1:] for texts in ranked]
    detected = [DetectedLanguage(language=source) for _ in ranked]
    one = isinstance(body.q, str)
    return LibreTranslation(
        translatedText=best[0] if one else best,
        alternatives=(others[0] if one else others) if body.alternatives else None,
        detectedLanguage=(detected[0] if one else detected) if body.source == "auto" else None,
    )
