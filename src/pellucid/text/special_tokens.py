"""Special tokens that a tokenizer is trained with, and their positions around texts."""

from collections.abc import Mapping
from typing import NamedTuple

from pellucid.text.template import END_TOKEN_ONLY
from pellucid.text.tokenizer import TOKENS

LANGUAGE = "lang"


class SpecialTokens(NamedTuple):
    """The special tokens of a tokenizer."""

    tokens: Mapping[str, str]
    """Each role's token; their order is that of their ids, from 0."""
    single: tuple[str, ...]
    """Template of one text: "A" is the text, "lang" its language, other words are roles."""
    pair: tuple[str, ...]
    """Template of two texts; ":1" marks the second segment."""
    extra: tuple[str, ...] = ()
    """Tokens without a role, such as control codes. If templates have a language, these are all
    languages, and the first one is that of the templates."""

    @property
    def has_languages(self) -> bool:
        """Whether texts are marked with their language."""
        return LANGUAGE in self.single

    @property
    def names(self) -> dict[str, str]:
        """The token of each name in the templates."""
        return {**self.tokens, **({LANGUAGE: self.extra[0]} if self.has_languages else {})}

    @property
    def all(self) -> list[str]:
        """The tokens in the order of their ids."""
        return [*self.tokens.values(), *self.extra]


TRANSLATION_TOKENS = SpecialTokens(TOKENS, *END_TOKEN_ONLY)
"""A source and a target each end with the end token (Vaswani et al. 2017)."""
PLAIN_TOKENS = SpecialTokens(
    {"pad": "<pad>", "unk": "<unk>", "sep": "<sep>"}, ("A",), ("A", "sep", "B")
)
"""Texts as they are: for models that read no special tokens, except between the texts of a pair."""
BERT_TOKENS = SpecialTokens(
    {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    ("cls", "A", "sep"),
    ("cls", "A", "sep", "B:1", "sep:1"),
)
"""Source: Devlin et al. 2019, section 3."""
ROBERTA_TOKENS = SpecialTokens(
    {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"},
    ("cls", "A", "sep"),
    ("cls", "A", "sep", "sep", "B", "sep"),
)
"""Source: Liu et al. 2019, released vocabulary. Padding has id 1, from which positions count."""
LANGUAGE_MODEL_TOKENS = SpecialTokens(
    {"eos": "<|endoftext|>", "pad": "<pad>", "unk": "<unk>"}, ("A",), ("A", "B")
)
"""One token ends a text and starts the next (Radford et al. 2019); no token is added to a prompt.
"""
BART_TOKENS = SpecialTokens(
    {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"},
    ("bos", "A", "eos"),
    ("bos", "A", "eos", "eos", "B", "eos"),
)
"""Source: Lewis et al. 2020, released vocabulary."""
MBART_TOKENS = BART_TOKENS._replace(single=("A", "eos", LANGUAGE), pair=("A", "B", "eos", LANGUAGE))
"""Source: Liu et al. 2020, section 2.2, and the released vocabulary. `extra` has the languages."""
T5_TOKENS = SpecialTokens(
    {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"},
    ("A", "eos"),
    ("A", "eos", "B", "eos"),
    tuple(f"<extra_id_{i}>" for i in range(100)),
)
"""Padding, which also starts a target, and 100 sentinels (Raffel et al. 2020, released code)."""
