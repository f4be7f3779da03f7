"""The language token in a tokenizer's template."""

import json

import tokenizers

from pellucid.errors import UsageError
from pellucid.text.published.file_tokenizer import FileTokenizer
from pellucid.text.tokenizer import Tokenizer


def with_language(tokenizer: Tokenizer, code: str) -> Tokenizer:
    """Return a tokenizer with another language token in its template.

    Raises: UsageError if the code is unknown or the template has no language token.
    """
    template = tokenizer.template
    used = {i for slot in (*template.single, *template.pair) for i in slot.ids}
    current = [token for token, i in tokenizer.extra.items() if i in used]
    if len(current) != 1 or code not in tokenizer.extra:
        known = ", ".join(list(tokenizer.extra)[:60]) if current else "none"
        raise UsageError(f"texts cannot be marked as {code[:40]!r} here. Known: {known}.")
    if isinstance(tokenizer, FileTokenizer):
        return tokenizer.with_language(current[0], code)
    description = json.loads(tokenizer.to_json())
    processor = description["post_processor"]
    marks = processor["special_tokens"]
    del marks[current[0]]
    marks[code] = {"id": code, "ids": [tokenizer.extra[code]], "tokens": [code]}
    for slot in (*processor["single"], *processor["pair"]):
        if slot.get("SpecialToken", {}).get("id") == current[0]:
            slot["SpecialToken"]["id"] = code
    library = tokenizers.Tokenizer.from_str(json.dumps(description))
    return Tokenizer(library, tokenizer.tokens, tokenizer.kind)
