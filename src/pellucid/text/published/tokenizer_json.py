"""Open the tokenizer.json of a published directory with the settings of the other files."""

from collections.abc import Callable, Mapping

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

from pellucid.errors import VerificationError
from pellucid.text.library import library_errors, read_library
from pellucid.text.published import pipelines
from pellucid.text.published.added_tokens import (
    AddedTokenEntry,
    build_processor,
    mark_special_tokens,
    read_added_tokens,
    with_roles,
)
from pellucid.text.published.settings import Settings
from pellucid.text.tokenizer import Tokenizer

Library = tokenizers.Tokenizer


def open_json(settings: Settings) -> Tokenizer:
    """Build the tokenizer that transformers builds from tokenizer.json and the settings.

    Raises: VerificationError if the file is damaged, or the two disagree.
    """
    path = settings.directory / "tokenizer.json"
    if isinstance(settings.config.get("kind"), str):
        return Tokenizer.load(settings.directory)  # written by `Tokenizer.save`
    library = read_library(path)
    with library_errors(path):
        if settings.class_name in APPLY_SETTINGS:
            APPLY_SETTINGS[settings.class_name](library, settings)
        _check_added_tokens(library, settings)
        mark_special_tokens(library, settings)
        if settings.tokenizer_class.single != ("A",):
            vocab = library.get_vocab(with_added_tokens=True)
            library.post_processor = build_processor(settings, vocab)
        return with_roles(library, settings, _recognize_kind(library), path)


def _recognize_kind(library: Library) -> str:
    model = library.model
    if isinstance(model, models.BPE):
        if isinstance(library.decoder, decoders.ByteLevel):
            return "byte-bpe"
        return "bpe" if model.end_of_word_suffix == "</w>" else ""
    if isinstance(model, models.Unigram):
        return "unigram"
    return "wordpiece" if isinstance(model, models.WordPiece) else ""


def _apply_bert_settings(library: Library, settings: Settings) -> None:
    is_bert = isinstance(library.normalizer, normalizers.BertNormalizer)
    if not is_bert or not isinstance(library.pre_tokenizer, pre_tokenizers.BertPreTokenizer):
        raise _other_pipeline_error(settings)
    library.normalizer = pipelines.build_bert_normalizer(settings.config)


def _apply_byte_level_settings(library: Library, settings: Settings) -> None:
    if library.normalizer or not isinstance(library.pre_tokenizer, pre_tokenizers.ByteLevel):
        raise _other_pipeline_error(settings)
    library.pre_tokenizer = pipelines.build_byte_level(settings.config)


def _check_albert(library: Library, settings: Settings) -> None:
    steps = library.normalizer.__getstate__() if library.normalizer else b""
    expected = {
        "do_lower_case": (b'"Lowercase"' in steps, True),
        "keep_accents": (b'"StripAccents"' not in steps, False),
    }
    for name, (value, default) in expected.items():
        if settings.config.get(name, default) != value:
            raise VerificationError(
                f"{settings.directory}: tokenizer.json is made for {name}={value}, but"
                f" tokenizer_config.json has {name}={not value}. Write the right one into it."
            )


APPLY_SETTINGS: Mapping[str, Callable[[Library, Settings], None]] = {
    "BertTokenizer": _apply_bert_settings,
    "GPT2Tokenizer": _apply_byte_level_settings,
    "RobertaTokenizer": _apply_byte_level_settings,
    "AlbertTokenizer": _check_albert,
}
"""Classes for which transformers uses the settings where tokenizer.json differs."""


def _other_pipeline_error(settings: Settings) -> VerificationError:
    return VerificationError(
        f"{settings.directory}: tokenizer.json does not split text as a {settings.class_name} does,"
        ' which its tokenizer_class names. If the file is right, write "tokenizer_class":'
        ' "PreTrainedTokenizerFast" into tokenizer_config.json.'
    )


def _check_added_tokens(library: Library, settings: Settings) -> None:
    """Raises: VerificationError if the settings have other added tokens than tokenizer.json."""
    added = library.get_added_tokens_decoder()
    in_config = "added_tokens_decoder" in settings.config
    listed = read_added_tokens(settings)
    for token in listed:
        if token.id not in added or not _is_same(token, added[token.id], in_config):
            raise _other_token(settings, token.content)
    if in_config and settings.class_name in APPLY_SETTINGS:
        words = {i: token.content for i, token in added.items() if not token.special}
        for i in words.keys() - {token.id for token in listed}:
            raise _other_token(settings, words[i])


def _is_same(token: AddedTokenEntry, added: AddedToken, with_flags: bool) -> bool:
    if token.content != added.content or not with_flags:
        return token.content == added.content
    if token.special or added.special:  # never matched in a text, so flags change nothing
        return token.special == added.special
    return all(getattr(added, flag) == value for flag, value in token.flags.items())


def _other_token(settings: Settings, content: str) -> VerificationError:
    in_config = "added_tokens_decoder" in settings.config
    name = "added_tokens_decoder in tokenizer_config.json" if in_config else "added_tokens.json"
    return VerificationError(
        f"{settings.directory}: tokenizer.json and {name} disagree about the added token"
        f" {content[:40]!r}. Delete the wrong one's entry."
    )
