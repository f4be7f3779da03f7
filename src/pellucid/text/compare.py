"""Compare tokenizers."""

from pellucid.text.tokenizer import Tokenizer

PROBE = "The Quick  brown fox's 2 ÉCLAIRS, naïve ﬁne-tuning… 中文字 ひらがな Привет!"
"""A text whose ids differ with case, accents, spaces, digits, punctuation or script."""


def describe_vocabulary_difference(first: Tokenizer, other: Tokenizer) -> str:
    """Return a description of the first id with two meanings, or an empty string."""
    if first is other or first.pieces_by_id == other.pieces_by_id:
        return ""
    a, b = first.pieces_by_id, other.pieces_by_id
    i = min(i for i in a.keys() | b.keys() if a.get(i) != b.get(i))
    here, there = (repr(d[i]) if i in d else "nothing" for d in (a, b))
    return f"its token {i} is {there}, not {here}"


def describe_difference(first: Tokenizer, other: Tokenizer) -> str:
    """Return a description of a difference in ids of texts, or an empty string.

    Compares the vocabularies, the special tokens around a text, and the ids of a text.
    """
    vocabulary = describe_vocabulary_difference(first, other)
    if vocabulary:
        return vocabulary
    if first.add_special_tokens([]).ids != other.add_special_tokens([]).ids:
        a, b = (t.pieces(t.add_special_tokens([]).ids) for t in (first, other))
        return f"it puts {' '.join(b) or 'nothing'} around a text, not {' '.join(a) or 'nothing'}"
    (a,), (b,) = (t.encode_batch([PROBE]) for t in (first, other))
    if a != b:
        return f"it splits {PROBE!r} into {len(b)} other tokens, by its case, spaces or accents"
    return ""
