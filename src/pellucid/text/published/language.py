"""The language token in a tokenizer's template, such as de_DE in mBART's (Liu et al. 2020)."""

import json

import tokenizers

from pellucid.errors import UsageError
from pellucid.text.languages import base_language
from pellucid.text.published.file_tokenizer import FileTokenizer
from pellucid.text.tokenizer import Tokenizer

NO_REGION = "_XX"


def language_token(language: str) -> str:
    """Return a new tokenizer's token for a language: zh_TW for zh_TW, and de_XX for de."""
    return language if "_" in language else language + NO_REGION


def list_languages(tokenizer: Tokenizer) -> tuple[str, ...]:
    """Return the languages of a tokenizer whose template has one, as `language_token` names them.

    Other tokens without a role are among them.
    """
    known = tokenizer.extra if template_language(tokenizer) else ()
    return tuple(token.strip("_").removesuffix(NO_REGION) for token in known)


def template_language(tokenizer: Tokenizer) -> str:
    """Return the language token in a tokenizer's template, or an empty string."""
    template = tokenizer.template
    used = {i for slot in (*template.single, *template.pair) for i in slot.ids}
    current = [token for token, i in tokenizer.extra.items() if i in used]
    return current[0] if len(current) == 1 else ""


def find_language(tokenizer: Tokenizer, language: str) -> str:
    """Return the token of a language: de_DE for de_DE, and for de if no other token is German.

    Raises: UsageError if there is none, or the template has no language token.
    """
    known = list(tokenizer.extra) if template_language(tokenizer) else []
    if language in known:
        return language
    base = base_language(language)
    same = [token for token in known if base_language(token.strip("_")) == base]  # __de__ is de
    if language and len(same) == 1:
        return same[0]
    names = ", ".join(known[:60])
    advice = f"Known: {names}" if known else "This model has no marks for languages: leave it out"
    raise UsageError(f"texts cannot be marked as {language[:40]!r} here. {advice}.")


def with_language(tokenizer: Tokenizer, language: str) -> Tokenizer:
    """Return a tokenizer with another language token in its template.

    Raises: UsageError as `find_language`.
    """
    current, code = template_language(tokenizer), find_language(tokenizer, language)
    if code == current:
        return tokenizer
    if isinstance(tokenizer, FileTokenizer):
        return tokenizer.with_language(current, code)
    description = json.loads(tokenizer.to_json())
    processor = description["post_processor"]
    marks = processor["special_tokens"]
    del marks[current]
    marks[code] = {"id": code, "ids": [tokenizer.extra[code]], "tokens": [code]}
    for slot in (*processor["single"], *processor["pair"]):
        if slot.get("SpecialToken", {}).get("id") == current:
            slot["SpecialToken"]["id"] = code
    library = tokenizers.Tokenizer.from_str(json.dumps(description))
    return Tokenizer(library, tokenizer.tokens, tokenizer.kind)
