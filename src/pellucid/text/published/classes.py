"""Published tokenizers by their class: what each takes for granted where its files are silent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import VerificationError
from pellucid.manifest import read_json
from pellucid.text.tokenizer import LARGEST, roles_of


@dataclass(frozen=True)
class Class:
    """A tokenizer's special tokens by role, and how they stand around one text and two.

    In a template "A" and "B" are the texts, "lang" is a language, the others are roles; ":1" puts
    what stands before it into the second segment.
    """

    tokens: Mapping[str, str]
    single: tuple[str, ...] = ("A",)
    pair: tuple[str, ...] = ("A", "B:1")


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
    "BertTokenizer": Class(_BERT, *_CLS_SEP),
    "AlbertTokenizer": Class(_ALBERT, *_CLS_SEP),
    "RobertaTokenizer": Class(
        _FAIRSEQ, ("cls", "A", "sep"), ("cls", "A", "sep", "sep", "B", "sep")
    ),
    "GPT2Tokenizer": Class({"bos": _GPT2, "eos": _GPT2, "unk": _GPT2}),
    "OpenAIGPTTokenizer": Class({"unk": "<unk>"}),
    "CTRLTokenizer": Class({"unk": "<unk>"}),
    "TransfoXLTokenizer": Class({"unk": "<unk>", "eos": "<eos>"}),
    "T5Tokenizer": Class(_ENDED, ("A", "eos"), ("A", "eos", "B", "eos")),
    "MBartTokenizer": Class(_FAIRSEQ, ("A", "eos", "lang"), ("A", "B", "eos", "lang")),
    "MBart50Tokenizer": Class(_FAIRSEQ, ("lang", "A", "eos"), ("lang", "A", "B", "eos")),
    "MarianTokenizer": Class(_ENDED, ("A", "eos"), ("A", "B", "eos")),
}
SAME = {
    "DistilBertTokenizer": "BertTokenizer",
    "ElectraTokenizer": "BertTokenizer",
    "BartTokenizer": "RobertaTokenizer",
    "MT5Tokenizer": "T5Tokenizer",
}
"""Classes that are others under another name."""

OF_MODEL = {
    "bert": "BertTokenizer",
    "distilbert": "BertTokenizer",
    "electra": "BertTokenizer",
    "albert": "AlbertTokenizer",
    "roberta": "RobertaTokenizer",
    "bart": "RobertaTokenizer",
    "gpt2": "GPT2Tokenizer",
    "gpt_neo": "GPT2Tokenizer",
    "openai-gpt": "OpenAIGPTTokenizer",
    "ctrl": "CTRLTokenizer",
    "transfo-xl": "TransfoXLTokenizer",
    "t5": "T5Tokenizer",
    "mt5": "T5Tokenizer",
    "mbart": "MBartTokenizer",
    "marian": "MarianTokenizer",
}
"""The class of a model_type, for directories that name none."""

TYPES = {
    "do_lower_case": bool,
    "lower_case": bool,
    "strip_accents": bool,
    "tokenize_chinese_chars": bool,
    "keep_accents": bool,
    "add_prefix_space": bool,
    "add_bos_token": bool,
    "separate_vocabs": bool,
    "extra_ids": int,
    "src_lang": str,
}
"""The settings in tokenizer_config.json that decide ids."""
MOST_SENTINELS = 10_000


@dataclass(frozen=True)
class Settings:
    """What a directory's small files say of its tokenizer."""

    directory: Path
    name: str
    """Its class, or "" if no file tells."""
    config: Mapping[str, Any]
    given: Mapping[str, str]
    """Role to token, of the roles that the files name."""

    @property
    def kind(self) -> Class:
        return CLASSES.get(self.name, Class({}))

    @property
    def tokens(self) -> dict[str, str]:
        """Role to token, the class's own where the files are silent."""
        return {**self.kind.tokens, **self.given}

    def roles(self, vocab: Mapping[str, int]) -> dict[str, str]:
        """The tokens that there are; one that the files name must be there."""
        return {r: t for r, t in self.tokens.items() if t in vocab or r in self.given}

    def check(self, vocab: Mapping[str, int], path: Path, *roles: str) -> None:
        """Raises: VerificationError if a token of these roles or of the template is missing."""
        for role in (*roles, *self.kind.single):
            token = self.tokens.get(role)
            if token is not None and token not in vocab:
                raise VerificationError(
                    f"{path} lacks {token!r}, the {role} token of a {self.name}. Name the token it"
                    f" has in {self.directory / 'special_tokens_map.json'}, or get the file anew."
                )


def read_settings(directory: Path, otherwise: str = "") -> Settings:
    """`otherwise`: the class where no file names one. Raises: VerificationError."""
    config = _checked(directory / "tokenizer_config.json")
    name = str(config.get("tokenizer_class") or "").removesuffix("Fast")
    if SAME.get(name, name) not in CLASSES:
        model_type = read_table(directory / "config.json").get("model_type")
        name = OF_MODEL.get(str(model_type), otherwise)
    given: dict[str, str] = {}
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        given.update(roles_of(read_table(directory / file), directory / file))
    return Settings(directory, SAME.get(name, name), config, given)


def _checked(path: Path) -> dict[str, Any]:
    """The settings, without those that are null. Raises: VerificationError at a wrong type."""
    config = {key: value for key, value in read_table(path).items() if value is not None}
    for key, kind in TYPES.items():
        if key in config and type(config[key]) is not kind:
            raise VerificationError(
                f"{path}: {key}={str(config[key])[:40]!r} should be a {kind.__name__}. Mend it."
            )
    if not 0 <= config.get("extra_ids", 0) <= MOST_SENTINELS:
        raise VerificationError(f"{path}: extra_ids should be 0 to {MOST_SENTINELS:,}. Mend it.")
    return config


def read_table(path: Path) -> dict[str, Any]:
    """A JSON table; an empty one if there is no such file. Raises: VerificationError."""
    found = read_json(path, limit=LARGEST) if path.exists() else {}
    if not isinstance(found, dict):
        raise VerificationError(f"{path} is not a table of settings. Get the directory anew.")
    return found
