"""Words as the Penn Treebank splits them, for scores that are defined over them."""

import re

# Each rule: what is replaced, and by what; spaces there split words. In this order.
OPENING_QUOTES = (
    (re.compile("([«“‘„]|`+)"), r" \1 "),
    (re.compile('^"'), "``"),
    (re.compile("(``)"), r" \1 "),
    (re.compile(r"""([ (\[{<])(?:"|'')"""), r"\1 `` "),
    (re.compile(r"(?i)(?<!\w)'(?!(?:re|ve|ll|[mtsdn])\b)(?=\w)"), "' "),
)
PUNCTUATION = (
    (re.compile(r"([:,])(\D)"), r" \1 \2"),  # not before a digit
    (re.compile(r"([:,])$"), r" \1 "),
    (re.compile(r"(\.{2,}|[;@#$%&]|[\u2012-\u2015])"), r" \1 "),
    (re.compile(r"([?!])"), r" \1 "),
    (re.compile(r"([^'])' "), r"\1 ' "),
    (re.compile(r"(\*)"), r" \1 "),
    (re.compile(r"([\[\](){}<>]|--)"), r" \1 "),
)
CLOSING_QUOTES_AND_CLITICS = (
    (re.compile("([»”’])"), r" \1 "),
    (re.compile("''"), " '' "),
    (re.compile('"'), " '' "),
    (re.compile(r"\s+"), " "),
    (re.compile("([^' ])('[sSmMdD]|') "), r"\1 \2 "),
    (re.compile("([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "), r"\1 \2 "),
)
CONTRACTIONS = (
    (re.compile(r"(?i)\b(can)(not)\b"), r" \1 \2 "),
    (re.compile(r"(?i)\b(d)('ye)\b"), r" \1 \2 "),
    (re.compile(r"(?i)\b(gim|lem)(me)\b"), r" \1 \2 "),
    (re.compile(r"(?i)\b(gon)(na)\b"), r" \1 \2 "),
    (re.compile(r"(?i)\b(got)(ta)\b"), r" \1 \2 "),
    (re.compile(r"(?i)\b(more)('n)\b"), r" \1 \2 "),
    (re.compile(r"(?i)\b(wan)(na)(?=\s)"), r" \1 \2 "),
    (re.compile(r"(?i) ('t)(is|was)\b"), r" \1 \2 "),
)
CLOSING = "])}>\"' »”’"


def split_treebank_words(sentence: str) -> list[str]:
    """Return the words of a sentence: clitics (n't, 's), punctuation and quotes are words.

    Equal to NLTK's `NLTKWordTokenizer`, by which CMRC 2018 is scored.
    Source: the conventions of the Penn Treebank (MacIntyre 1995).
    """
    text = _replace(sentence, OPENING_QUOTES)
    text = _replace(_split_last_period(text), PUNCTUATION)
    # Clitics need a space after them.
    return _replace(f" {text} ", CLOSING_QUOTES_AND_CLITICS + CONTRACTIONS).split()


def _replace(text: str, rules: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _split_last_period(text: str) -> str:
    """Separate the period that ends a sentence; others belong to their words (abbreviations)."""
    end = text.rstrip()
    body = end.rstrip(CLOSING)
    if len(body) < 2 or body[-1] != "." or body[-2] == ".":
        return text
    return f"{body[:-1]} . {end[len(body) :]} "
