"""What a page must know to ask a model for more."""

from typing import Any

from pellucid.explorer.content import describe_conditions
from pellucid.formats.bundle import Bundle
from pellucid.inference.languages import has_several_languages
from pellucid.inference.methods import can_generate
from pellucid.text.language_tags import language_tags
from pellucid.text.published.language import list_languages, template_language


def describe_live(bundle: Bundle, name: str) -> dict[str, Any]:
    """Return the content of a page that has no text yet, as JSON values.

    `live` says what the page can ask for: languages, heads, and whether the model writes;
    `compares`, what differs in a page that shows two traces.
    """
    writes = can_generate(bundle)
    heads = list(bundle.model.head_configs)
    source, target = bundle.tokenizers.source, bundle.tokenizers.target
    several = writes and bundle.model.encoder is not None and has_several_languages(bundle)
    return {
        "name": name,
        "conditions": describe_conditions(bundle),
        "live": {
            "language": bundle.languages[0],
            "target_languages": list(language_tags(source) or list_languages(target)) * several,
            "source_languages": list(list_languages(source)) if several else [],
            "source_language": template_language(source) if several else "",
            "heads": heads if len(heads) > 1 else [],
            "writes": writes,
            "reads_pairs": bool(source.is_present and source.template.pair) and not writes,
            "continues": writes and bundle.model.encoder is None,
            "compares": None,
        },
    }
