"""Control codes: tokens that set the kind of a text, as its first token (Keskar et al. 2019)."""

from pellucid.errors import UsageError
from pellucid.text.tokenizer import Tokenizer


def list_codes(tokenizer: Tokenizer) -> dict[str, int]:
    """Return the id of each control code that the tokenizer was trained with."""
    return {
        token[2:-2]: i
        for token, i in tokenizer.extra.items()
        if token.startswith("<|") and token.endswith("|>")
    }


def find_code_id(tokenizer: Tokenizer, code: str) -> int:
    """Return the id of a control code: its own token or, as in CTRL, one word of the vocabulary.

    Raises: UsageError if it has none.
    """
    known = list_codes(tokenizer)
    if code in known:
        return known[code]
    if known:
        raise UsageError(f"{code!r} is not a control code of this model. Use {', '.join(known)}.")
    ids = tokenizer.encode(code).ids
    if len(ids) != 1 or ids[0] == tokenizer.roles.get("unk"):
        raise UsageError(
            f"{code!r} is not a control code of this model: its tokenizer has no token for it. Use"
            " a word that is one token."
        )
    return ids[0]
