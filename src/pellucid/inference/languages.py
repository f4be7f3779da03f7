"""The languages that a translator with several translates from and into."""

from dataclasses import replace

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.text.language_tags import find_tag, language_tags
from pellucid.text.pair import Tokenizers
from pellucid.text.published.language import template_language, with_language
from pellucid.text.tokenizer import Tokenizer

SEARCH_IDS = ("decoder_start_token_id", "forced_bos_token_id")
"""Token ids that name a target language."""


def has_several_languages(bundle: Bundle) -> bool:
    """Return whether this is a translator for which a target language must be chosen."""
    is_trained = bundle.task == "translation" and not bundle.languages[1]
    tokenizer = bundle.tokenizers.source
    return bool(language_tags(tokenizer)) or (is_trained and bool(template_language(tokenizer)))


def choose_languages(bundle: Bundle, target: str = "", source: str = "") -> Bundle:
    """Return a bundle that translates into a language, and from one; "" means that it names.

    A model with a token for each target marks the source with it (Johnson et al. 2017), and needs
    no source language. One with language codes in its texts, such as mBART, marks the source with
    its own code, and starts the target with the other.
    Raises: UsageError if the model does not know a language, or has one direction only.
    """
    if language_tags(bundle.tokenizers.source):
        return _choose_tag(bundle, target)
    if has_several_languages(bundle) and not (target and source):
        raise UsageError(
            "this model translates in several directions, and none is chosen. Choose one:"
            " --source-language en --to de, in Python source_language='en', to='de'."
        )
    if bundle.task == "translation" and template_language(bundle.tokenizers.source):
        target, source = target or bundle.languages[1], source or bundle.languages[0]
    sides = bundle.tokenizers
    if source:
        sides = Tokenizers(with_language(sides.source, source), sides.target)
        bundle = replace(bundle, languages=(source, bundle.languages[1]), tokenizers=sides)
    if target:
        written = with_language(sides.target, target)
        ids = {name: i for name, i in bundle.token_ids.items() if name not in SEARCH_IDS}
        bundle = replace(
            bundle,
            languages=(bundle.languages[0], target),
            tokenizers=Tokenizers(sides.source, written),
            token_ids=ids | _find_search_ids(written),
        )
    return bundle


def _choose_tag(bundle: Bundle, language: str) -> Bundle:
    if not language:
        return bundle
    find_tag(bundle.tokenizers.source, language)
    return replace(bundle, languages=(bundle.languages[0], language))


def _find_search_ids(target: Tokenizer) -> dict[str, int]:
    """Return the ids that start a text in the language of a tokenizer's template."""
    before, after = template_ids(target)
    code = target.extra[template_language(target)]
    if code in before:  # the target starts with the end token, then the code
        return {"decoder_start_token_id": after[-1], "forced_bos_token_id": code}
    return {"decoder_start_token_id": code}
