"""The known classes of published tokenizers, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TokenizerClass:
    """A class's special tokens by role, and its templates for one text and for two.

    In a template "A" and "B" are the texts, "lang" is a language, the others are roles; ":1" marks
    the second segment.
    """

    tokens: Mapping[str, str]
    single: tuple[str, ...] = ("A",)
    pair: tuple[str, ...] = ("A", "B:1")
    language: str = "en_XX"
    """The setting `src_lang` where the files have none."""
    language_token: str = "{}"
    """The token of a language, made from the setting."""


_BERT = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
_FAIRSEQ = {
    "bos": "<s>",
    "eos": "</s>",
    "sep": "</s>",
    "cls": "<s>",
    "unk": "<unk>",
    "pad": "<pad>",
    "mask": "<mask>",
}
_ALBERT = {
    "bos": "[CLS]",
    "eos": "[SEP]",
    "unk": "<unk>",
    "sep": "[SEP]",
    "pad": "<pad>",
    "cls": "[CLS]",
    "mask": "[MASK]",
}
_ENDED = {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
_GPT2 = "<|endoftext|>"
_CLS_SEP = ("cls", "A", "sep"), ("cls", "A", "sep", "B:1", "sep:1")

CLASSES = {
    "": TokenizerClass({}),  # tokenizer.json alone decides
    "BertTokenizer": TokenizerClass(_BERT, *_CLS_SEP),
    "AlbertTokenizer": TokenizerClass(_ALBERT, *_CLS_SEP),
    "RobertaTokenizer": TokenizerClass(
        _FAIRSEQ, ("cls", "A", "sep"), ("cls", "A", "sep", "sep", "B", "sep")
    ),
    **dict.fromkeys(
        ("XLMRobertaTokenizer", "CamembertTokenizer"),
        TokenizerClass(_FAIRSEQ, ("bos", "A", "eos"), ("bos", "A", "eos", "eos", "B", "eos")),
    ),
    "GPT2Tokenizer": TokenizerClass({"bos": _GPT2, "eos": _GPT2, "unk": _GPT2}),
    "OpenAIGPTTokenizer": TokenizerClass({"unk": "<unk>"}),
    "CTRLTokenizer": TokenizerClass({"unk": "<unk>"}, pair=("A", "B")),
    "TransfoXLTokenizer": TokenizerClass({"unk": "<unk>", "eos": "<eos>"}),
    "T5Tokenizer": TokenizerClass(_ENDED, ("A", "eos"), ("A", "eos", "B", "eos")),
    "MBartTokenizer": TokenizerClass(_FAIRSEQ, ("A", "eos", "lang"), ("A", "B", "eos", "lang")),
    "MBart50Tokenizer": TokenizerClass(_FAIRSEQ, ("lang", "A", "eos"), ("lang", "A", "B", "eos")),
    "NllbTokenizer": TokenizerClass(
        _FAIRSEQ, ("lang", "A", "eos"), ("lang", "A", "B", "eos"), "eng_Latn"
    ),
    "M2M100Tokenizer": TokenizerClass(
        {role: token for role, token in _FAIRSEQ.items() if role not in ("cls", "mask")},
        ("lang", "A", "eos"),
        ("lang", "A", "B", "eos"),
        "en",
        "__{}__",
    ),
    "MarianTokenizer": TokenizerClass(_ENDED, ("A", "eos"), ("A", "B", "eos")),
    "PegasusTokenizer": TokenizerClass(
        {**_ENDED, "mask": "<mask_2>"}, ("A", "eos"), ("A", "B", "eos")
    ),
}
ALIASES = {
    "DistilBertTokenizer": "BertTokenizer",
    "ElectraTokenizer": "BertTokenizer",
    "BartTokenizer": "RobertaTokenizer",
    "MT5Tokenizer": "T5Tokenizer",
}
"""Other name of a class -> the class."""

GENERIC = ("", "PreTrainedTokenizer", "TokenizersBackend")
"""Class names (without "Fast") that any tokenizer may have."""
JSON_ONLY_CLASSES = GENERIC[1:]
"""Class names with which tokenizer.json alone determines the ids."""

CLASS_BY_MODEL_TYPE = {
    "bert": "BertTokenizer",
    "distilbert": "BertTokenizer",
    "electra": "BertTokenizer",
    "albert": "AlbertTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
    "camembert": "CamembertTokenizer",
    "bart": "RobertaTokenizer",
    "gpt2": "GPT2Tokenizer",
    "gpt_neo": "GPT2Tokenizer",
    "openai-gpt": "OpenAIGPTTokenizer",
    "ctrl": "CTRLTokenizer",
    "transfo-xl": "TransfoXLTokenizer",
    "t5": "T5Tokenizer",
    "mt5": "T5Tokenizer",
    "mbart": "MBartTokenizer",
    "m2m_100": "M2M100Tokenizer",
    "marian": "MarianTokenizer",
    "pegasus": "PegasusTokenizer",
}
"""model_type -> tokenizer class, for directories that name none."""
