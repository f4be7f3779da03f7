"""The settings of a published tokenizer.

They are in tokenizer_config.json, special_tokens_map.json and config.json.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import VerificationError
from pellucid.json_files import read_json
from pellucid.text.library import MAX_FILE_BYTES, read_roles
from pellucid.text.published.classes import (
    ALIASES,
    CLASS_BY_MODEL_TYPE,
    CLASSES,
    GENERIC,
    JSON_ONLY_CLASSES,
    TokenizerClass,
)

SETTING_TYPES = {
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
    "offset": int,
    "mask_token_sent": str,
    "src_lang": str,
    "language_codes": str,
    "legacy_behaviour": bool,
    "added_tokens_decoder": dict,
    "sp_model_kwargs": dict,
    "truncation_side": str,
}
"""The settings of tokenizer_config.json that affect ids, and their types."""
MAX_SENTINELS = 10_000


@dataclass(frozen=True)
class Settings:
    """A published tokenizer's class, special tokens and settings."""

    directory: Path
    class_name: str
    """Empty if tokenizer.json alone determines the ids."""
    config: Mapping[str, Any]
    """Contents of tokenizer_config.json, without null values."""
    named_tokens: Mapping[str, str]
    """Role -> special token, as the files name them."""
    extra_tokens: tuple[str, ...]
    """Special tokens without a role, as the files name them."""
    flags: Mapping[str, Mapping[str, bool]]
    """Token -> flags such as `lstrip`, for the tokens whose flags the files set."""

    @property
    def tokenizer_class(self) -> TokenizerClass:
        return CLASSES[self.class_name]

    @property
    def tokens(self) -> dict[str, str]:
        """Role -> special token; the defaults of the class where the files name none."""
        return {**self.tokenizer_class.tokens, **self.named_tokens}

    def roles(self, vocab: Mapping[str, int]) -> dict[str, str]:
        """Return role -> token, without default tokens that the vocabulary lacks."""
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


def read_settings(directory: Path, default_class: str = "", has_json: bool = False) -> Settings:
    """Read tokenizer_config.json and the files with it.

    default_class: used if neither the files nor the model type name a class.
    has_json: whether the directory has a tokenizer.json.
    Raises: VerificationError if the class is unknown or a setting has a wrong type.
    """
    config = _read_config(directory / "tokenizer_config.json")
    model = read_table(directory / "config.json")
    name = str(config.get("tokenizer_class") or model.get("tokenizer_class") or "")
    name = name.removesuffix("Fast")
    if has_json and name in JSON_ONLY_CLASSES:
        name = ""
    elif name in GENERIC:
        name = CLASS_BY_MODEL_TYPE.get(str(model.get("model_type")), default_class)
    name = ALIASES.get(name, name)
    if name not in CLASSES:
        raise _unknown_class_error(directory, name, has_json)
    tables = [read_table(directory / "special_tokens_map.json"), config]
    named: dict[str, str] = {}
    for table in tables:
        named.update(read_roles(table, directory / "tokenizer_config.json"))
    flags = {content: flags for table in tables for content, flags in _read_flags(table)}
    extra = dict.fromkeys(token for table in tables for token in _read_extra_tokens(table))
    return Settings(directory, name, config, named, tuple(extra), flags)


def _unknown_class_error(directory: Path, name: str, has_json: bool) -> VerificationError:
    known = ", ".join(sorted({*CLASSES, *ALIASES, *(JSON_ONLY_CLASSES if has_json else ())} - {""}))
    fix = (
        'If its tokenizer.json alone decides the ids of a text, write "tokenizer_class":'
        ' "PreTrainedTokenizerFast".'
        if has_json
        else "Convert it to a tokenizer.json with the `tokenizers` library."
    )
    return VerificationError(
        f"{directory}: tokenizer_class {name[:80]!r} is not known here. Known: {known}. {fix}"
    )


def _read_flags(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield token and flags of entries like "mask_token": {"content": "<mask>", "lstrip": true}."""
    for key, token in table.items():
        if key.endswith("_token") and isinstance(token, dict) and "content" in token:
            flags = {flag: token.get(flag) is True for flag in ("lstrip", "rstrip", "single_word")}
            yield str(token["content"]), flags


def _read_extra_tokens(table: Mapping[str, Any]) -> list[str]:
    tokens = table.get("extra_special_tokens") or table.get("additional_special_tokens") or ()
    if isinstance(tokens, Mapping):
        tokens = tokens.values()
    contents = [token.get("content") if isinstance(token, dict) else token for token in tokens]
    return [token for token in contents if isinstance(token, str)]


def _read_config(path: Path) -> dict[str, Any]:
    """Read tokenizer_config.json without null values. Raises: VerificationError at a wrong type."""
    config = {key: value for key, value in read_table(path).items() if value is not None}
    for key, kind in SETTING_TYPES.items():
        if key in config and type(config[key]) is not kind:
            raise VerificationError(
                f"{path}: {key}={str(config[key])[:40]!r} should be a {kind.__name__}. Correct it."
            )
    for key in ("extra_ids", "offset"):
        if not 0 <= config.get(key, 0) <= MAX_SENTINELS:
            raise VerificationError(f"{path}: {key} should be 0 to {MAX_SENTINELS:,}. Correct it.")
    if config.get("sp_model_kwargs", {}).get("enable_sampling"):
        raise VerificationError(
            f"{path}: sp_model_kwargs asks for enable_sampling, so that a text has other ids each"
            " time, which is not supported here. Remove it."
        )
    return config


def list_unsupported(directory: Path) -> tuple[str, ...]:
    """Return a note per setting of tokenizer_config.json that is read and not supported.

    Raises: VerificationError at a wrong type.
    """
    side = _read_config(directory / "tokenizer_config.json").get("truncation_side", "right")
    note = f"truncation_side={side[:40]}: a text that is too long is cut at its end"
    return () if side == "right" else (note,)


def read_table(path: Path) -> dict[str, Any]:
    """Read a JSON object; return {} if there is no such file. Raises: VerificationError."""
    table = read_json(path, limit=MAX_FILE_BYTES) if path.exists() else {}
    if not isinstance(table, dict):
        raise VerificationError(f"{path} is not a table of settings. Download the directory again.")
    return table
