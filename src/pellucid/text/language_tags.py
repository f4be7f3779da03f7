"""Tokens that mark a source with the language of its translation (Johnson et al. 2017)."""

from pellucid.errors import UsageError
from pellucid.text.tokenizer import Tokenizer

START, END = "<2", ">"


def tag_token(language: str) -> str:
    """Return the token for translations into a language, such as <2de>."""
    return f"{START}{language}{END}"


def language_tags(tokenizer: Tokenizer) -> dict[str, int]:
    """Return the id of each language's token; empty if the tokenizer has none."""
    return {
        token.removeprefix(START).removesuffix(END): i
        for token, i in tokenizer.extra.items()
        if token.startswith(START) and token.endswith(END)
    }


def find_tag(tokenizer: Tokenizer, language: str) -> list[int]:
    """Return the ids that mark a source; none if the tokenizer has no tokens of languages.

    Raises: UsageError if it has, and the language is not among them.
    """
    tags = language_tags(tokenizer)
    if not tags:
        return []
    if language not in tags:
        fault = f"not into {language[:40]!r}" if language else "and none is chosen"
        raise UsageError(
            f"this model translates into {', '.join(tags)}, {fault}. Choose one: --to"
            f" {next(iter(tags))}, in Python to={next(iter(tags))!r}."
        )
    return [tags[language]]
