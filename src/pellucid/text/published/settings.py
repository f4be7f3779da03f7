"""tokenizer_config.json, special_tokens_map.json and config.json of a published tokenizer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import VerificationError
from pellucid.json_files import read_json
from pellucid.text.library import LARGEST, roles_of
from pellucid.text.published.classes import (
    ALIASES,
    CLASS_OF_MODEL,
    CLASSES,
    GENERIC,
    WHOLE_IN_JSON,
    TokenizerClass,
)

TYPES = {
    "do_lower_case": bool,
    "lower_case": bool,
    "strip_accents": bool,
    "tokenize_chinese_chars": bool,
    "keep_accents": bool,
    "add_prefix_space": bool,
    "add_bos_token": bool,
    "add_eos_token": bool,
    "separate_vocabs": bool,
    "extra_ids": int,
    "src_lang": str,
    "added_tokens_decoder": dict,
    "sp_model_kwargs": dict,
}
"""The settings in tokenizer_config.json that decide ids."""
MAX_SENTINELS = 10_000


@dataclass(frozen=True)
class Settings:
    """A published tokenizer's class, special tokens and settings."""

    directory: Path
    class_name: str
    """Empty if no file names a class, or only the class of any tokenizer.json."""
    config: Mapping[str, Any]
    """tokenizer_config.json."""
    named_tokens: Mapping[str, str]
    """Role to token, of the roles that the files name."""
    more_tokens: tuple[str, ...]
    """The special tokens without a role that the files name."""
    flags: Mapping[str, Mapping[str, bool]]
    """Flags such as `lstrip`, for each token that has them in the files."""

    @property
    def tokenizer_class(self) -> TokenizerClass:
        return CLASSES[self.class_name]

    @property
    def tokens(self) -> dict[str, str]:
        """Role to token, the class's own where the files name none."""
        return {**self.tokenizer_class.tokens, **self.named_tokens}

    def roles(self, vocab: Mapping[str, int]) -> dict[str, str]:
        """The tokens that are in the vocabulary; one that the files name must be."""
        return {r: t for r, t in self.tokens.items() if t in vocab or r in self.named_tokens}

    def check_tokens(self, vocab: Mapping[str, int], path: Path, *roles: str) -> None:
        """Raises: VerificationError if a token of these roles or of the template is missing."""
        for role in (*roles, *self.tokenizer_class.single):
            token = self.tokens.get(role)
            if token is not None and token not in vocab:
                raise VerificationError(
                    f"{path} lacks {token!r}, the {role} token of a {self.class_name}. Name the"
                    f" right one in {self.directory / 'special_tokens_map.json'}, or download the"
                    " file again."
                )


def read_settings(directory: Path, default_class: str = "", whole: bool = False) -> Settings:
    """Read tokenizer_config.json and the files with it.

    default_class: where neither they nor the model type name one. whole: there is a tokenizer.json.
    Raises: VerificationError at a class that is not known here, or a setting of a wrong type.
    """
    config = _read_config(directory / "tokenizer_config.json")
    model = read_table(directory / "config.json")
    name = str(config.get("tokenizer_class") or model.get("tokenizer_class") or "")
    name = name.removesuffix("Fast")
    if whole and name in WHOLE_IN_JSON:
        name = ""
    elif name in GENERIC:
        name = CLASS_OF_MODEL.get(str(model.get("model_type")), default_class)
    name = ALIASES.get(name, name)
    if name not in CLASSES:
        raise _unknown_class(directory, name, whole)
    tables = [read_table(directory / "special_tokens_map.json"), config]
    named: dict[str, str] = {}
    for table in tables:
        named.update(roles_of(table, directory / "tokenizer_config.json"))
    flags = {content: flags for table in tables for content, flags in _flags(table)}
    more = dict.fromkeys(token for table in tables for token in _more_tokens(table))
    return Settings(directory, name, config, named, tuple(more), flags)


def _unknown_class(directory: Path, name: str, whole: bool) -> VerificationError:
    known = ", ".join(sorted({*CLASSES, *ALIASES, *(WHOLE_IN_JSON if whole else ())} - {""}))
    fix = (
        'If its tokenizer.json alone decides the ids of a text, write "tokenizer_class":'
        ' "PreTrainedTokenizerFast".'
        if whole
        else "Convert it to a tokenizer.json with the `tokenizers` library."
    )
    return VerificationError(
        f"{directory}: tokenizer_class {name[:80]!r} is not known here. Known: {known}. {fix}"
    )


def _flags(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, bool]]]:
    """Flags of entries such as "mask_token": {"content": "<mask>", "lstrip": true}."""
    for key, token in table.items():
        if key.endswith("_token") and isinstance(token, dict) and "content" in token:
            flags = {flag: token.get(flag) is True for flag in ("lstrip", "rstrip", "single_word")}
            yield str(token["content"]), flags


def _more_tokens(table: Mapping[str, Any]) -> list[str]:
    tokens = table.get("extra_special_tokens") or table.get("additional_special_tokens") or ()
    if isinstance(tokens, Mapping):
        tokens = tokens.values()
    contents = [token.get("content") if isinstance(token, dict) else token for token in tokens]
    return [token for token in contents if isinstance(token, str)]


def _read_config(path: Path) -> dict[str, Any]:
    """tokenizer_config.json without what is null. Raises: VerificationError at a wrong type."""
    config = {key: value for key, value in read_table(path).items() if value is not None}
    for key, kind in TYPES.items():
        if key in config and type(config[key]) is not kind:
            raise VerificationError(
                f"{path}: {key}={str(config[key])[:40]!r} should be a {kind.__name__}. Correct it."
            )
    if not 0 <= config.get("extra_ids", 0) <= MAX_SENTINELS:
        raise VerificationError(f"{path}: extra_ids should be 0 to {MAX_SENTINELS:,}. Correct it.")
    if config.get("sp_model_kwargs", {}).get("enable_sampling"):
        raise VerificationError(
            f"{path}: sp_model_kwargs asks for enable_sampling, so that a text has other ids each"
            " time, which is not supported here. Remove it."
        )
    return config


def read_table(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one if there is no such file. Raises: VerificationError."""
    table = read_json(path, limit=LARGEST) if path.exists() else {}
    if not isinstance(table, dict):
        raise VerificationError(f"{path} is not a table of settings. Download the directory again.")
    return table
