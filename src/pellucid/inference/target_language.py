"""The language that a translator with several translates into."""

from dataclasses import replace

from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.text.language_tags import find_tag, language_tags
from pellucid.text.pair import Tokenizers
from pellucid.text.published.language import with_language

SEARCH_IDS = ("decoder_start_token_id", "forced_bos_token_id")
"""Token ids that name a target language."""


def choose_target_language(bundle: Bundle, language: str) -> Bundle:
    """Return a bundle that translates into a language; "" means that it names.

    A model with a token for each language marks the source with it (Johnson et al. 2017); one with
    language codes in its texts, such as mBART, starts the target with the code.
    Raises: UsageError if the model does not know the language, or translates into one only.
    """
    if not language:
        return bundle
    chosen = replace(bundle, languages=(bundle.languages[0], language))
    if language_tags(bundle.tokenizers.source):
        find_tag(bundle.tokenizers.source, language)
        return chosen
    target = with_language(bundle.tokenizers.target, language)
    ids = {name: i for name, i in bundle.token_ids.items() if name not in SEARCH_IDS}
    code = target.extra[language]
    if code in template_ids(target)[0]:  # the target starts with the end token, then the code
        ids["forced_bos_token_id"] = code
    tokenizers = Tokenizers(bundle.tokenizers.source, target)
    return replace(chosen, tokenizers=tokenizers, token_ids=ids)
