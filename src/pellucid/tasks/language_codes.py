"""Language codes in the texts of a batch, such as de_DE in mBART (Liu et al. 2020)."""

from collections.abc import Sequence

import numpy as np

from pellucid.text.published.language import find_language, template_language
from pellucid.text.tokenizer import Tokenizer


def find_code_ids(tokenizer: Tokenizer, languages: Sequence[str]) -> list[int]:
    """Return the id of each language's code. Raises: UsageError naming a language without one."""
    return [tokenizer.extra[find_language(tokenizer, language)] for language in languages]


def set_language(ids: np.ndarray, tokenizer: Tokenizer, codes: np.ndarray) -> np.ndarray:
    """Return texts (B, T) with codes (B,) in place of the code in the tokenizer's template."""
    current = tokenizer.extra[template_language(tokenizer)]
    return np.where(ids == current, codes[:, None], ids)
