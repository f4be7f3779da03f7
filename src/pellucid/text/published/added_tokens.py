"""Special and added tokens of published tokenizers, and their templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import AddedToken
from tokenizers import Tokenizer as Library
from tokenizers.processors import TemplateProcessing

from pellucid.errors import DataError, VerificationError
from pellucid.text.library import library_errors
from pellucid.text.published.classes import CLASSES
from pellucid.text.published.settings import Settings, read_table
from pellucid.text.template import build_template_processor
from pellucid.text.tokenizer import Tokenizer

FLAGS = ("single_word", "lstrip", "rstrip", "normalized")
TEMPLATE_FROM_FLAGS = {"GPT2Tokenizer", "OpenAIGPTTokenizer", ""}
"""Classes whose template depends on add_bos_token and add_eos_token."""


class AddedTokenEntry(NamedTuple):
    """A token that a file adds to a vocabulary."""

    id: int
    content: str
    special: bool
    flags: Mapping[str, bool]


def with_special_tokens(library: Library, settings: Settings, kind: str, path: Path) -> Tokenizer:
    """Add the added tokens, mark the special ones, and set the template."""
    with library_errors(path):
        roles = settings.tokens.values()
        for token in read_added_tokens(settings):
            is_special = token.special or token.content in roles
            library.add_tokens([AddedToken(token.content, special=is_special, **token.flags)])
            check_id(settings, token, library.token_to_id(token.content))
        mark_special_tokens(library, settings)
        vocab = library.get_vocab(with_added_tokens=True)
        library.post_processor = build_processor(settings, vocab)
    return with_roles(library, settings, kind, path)


def mark_special_tokens(library: Library, settings: Settings) -> None:
    """Mark the special tokens that the files name, except tokens that are already added."""
    vocab = library.get_vocab(with_added_tokens=True)
    roles = [token for token in settings.tokens.values() if token in vocab]
    added = {token.content for token in library.get_added_tokens_decoder().values()}
    missing = [token for token in (*roles, *settings.extra_tokens) if token not in added]
    library.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False, **settings.flags.get(token, {}))
            for token in missing
        ]
    )


def with_roles(library: Library, settings: Settings, kind: str, path: Path) -> Tokenizer:
    """Raises: VerificationError if the vocabulary lacks a special token that the files name."""
    vocab = library.get_vocab(with_added_tokens=True)
    try:
        return Tokenizer(library, settings.roles(vocab), kind)
    except DataError as error:
        raise VerificationError(f"{path}: {error} Download the directory again.") from error


def build_processor(settings: Settings, vocab: Mapping[str, int]) -> TemplateProcessing | None:
    """Build the template of the class, or of add_bos_token and add_eos_token.

    Raises: VerificationError if a token of the template is not in the vocabulary.
    """
    kind = settings.tokenizer_class
    language = settings.config.get("src_lang", kind.language)
    tokens = {**settings.tokens, "lang": kind.language_token.format(language)}
    single, pair = kind.single, kind.pair
    if settings.config.get("legacy_behaviour"):  # of NLLB: texts are as in mBART
        single, pair = CLASSES["MBartTokenizer"].single, CLASSES["MBartTokenizer"].pair
    start, end = (bool(settings.config.get(f"add_{role}_token")) for role in ("bos", "eos"))
    if settings.class_name in TEMPLATE_FROM_FLAGS:
        before = ("bos",) if start and "bos" in tokens else ()
        after = ("eos",) if end and "eos" in tokens else ()
        single = (*before, "A", *after)
        pair = (*single, *(f"{slot}:1" for slot in (*before, "B", *after)))
    elif settings.class_name == "AlbertTokenizer" and {"add_bos_token", "add_eos_token"} & {
        *settings.config
    }:
        raise VerificationError(
            f"{settings.directory / 'tokenizer_config.json'}: add_bos_token and add_eos_token take"
            " ALBERT's special tokens away in transformers, which is not supported here. Remove"
            " them."
        )
    if (single, pair) == (("A",), ("A", "B:1")):
        return None
    used = {tokens[slot] for slot in single if slot != "A"}
    if missing := sorted(used - vocab.keys()):
        raise VerificationError(
            f"{settings.directory}: the vocabulary lacks {missing[0][:40]!r}, which a"
            f" {settings.class_name} adds to texts. Name another in its tokenizer_config.json."
        )

    return build_template_processor(single, pair, tokens, vocab)


def read_added_tokens(settings: Settings) -> list[AddedTokenEntry]:
    """Read the added tokens, sorted by id.

    They are in added_tokens_decoder of tokenizer_config.json, or else in added_tokens.json.
    Raises: VerificationError if an entry is not as `transformers` writes it.
    """
    if "added_tokens_decoder" in settings.config:
        entries = settings.config["added_tokens_decoder"].items()
        tokens = [_decoder_token(settings, key, entry) for key, entry in entries]
    else:
        special = {*settings.named_tokens.values(), *settings.extra_tokens}
        path = settings.directory / "added_tokens.json"
        tokens = []
        for content, i in read_table(path).items():
            if type(i) is not int:
                raise VerificationError(
                    f"{path}: the id of {content[:40]!r} is {str(i)[:20]!r}. Download it again."
                )
            is_special = content in special
            flags = dict.fromkeys(FLAGS, False) | {"normalized": not is_special}
            tokens.append(AddedTokenEntry(i, content, is_special, flags))
    return sorted(tokens, key=lambda token: token.id)


def _decoder_token(settings: Settings, key: str, entry: Any) -> AddedTokenEntry:
    path = settings.directory / "tokenizer_config.json"
    if not key.isdecimal() or not isinstance(entry, dict) or not entry.get("content"):
        raise VerificationError(
            f"{path}: entry {key[:20]!r} of added_tokens_decoder is no id with a token. Download"
            " the file again."
        )
    special = entry.get("special", False)
    flags = {flag: entry.get(flag, flag == "normalized" and not special) for flag in FLAGS}
    if any(type(value) is not bool for value in (special, *flags.values())):
        raise VerificationError(
            f"{path}: a flag of {str(entry['content'])[:40]!r} is neither true nor false. Correct"
            " it."
        )
    return AddedTokenEntry(int(key), str(entry["content"]), special, flags)


def check_id(settings: Settings, token: AddedTokenEntry, i: int | None) -> None:
    """Raises: VerificationError if an added token has another id than its file says."""
    if i != token.id:
        in_config = "added_tokens_decoder" in settings.config
        name = "tokenizer_config.json" if in_config else "added_tokens.json"
        raise VerificationError(
            f"{settings.directory / name}: {token.content[:40]!r} should be {token.id}, but would"
            f" be {i}: it belongs to another vocabulary. Download the directory again."
        )
