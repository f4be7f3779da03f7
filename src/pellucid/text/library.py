"""The `tokenizers` library: its files, its errors, and its Unigram model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tokenizers
from tokenizers import models

from pellucid.errors import VerificationError, is_rust_panic
from pellucid.json_files import read_json

MAX_FILE_BYTES = 1 << 26  # of a tokenizer.json; the largest published one has a third of this


def read_library(path: Path) -> tokenizers.Tokenizer:
    """Read a tokenizer.json. Raises: DataError, VerificationError as `Tokenizer.load` does."""
    read_json(path, limit=MAX_FILE_BYTES)  # bounded and well-formed before the library sees it
    with library_errors(path):
        library = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        library.encode("a \U0010fffe")  # some damage shows at an unknown character only
        return library


def read_roles(config: object, path: Path) -> dict[str, str]:
    """Return role -> token from entries such as "pad_token": "<pad>" or {"content": "<pad>"}."""
    if not isinstance(config, dict):
        raise VerificationError(f"{path} is not a table of settings. Copy the directory again.")
    roles = {}
    for key, value in config.items():
        token = value.get("content") if isinstance(value, dict) else value
        if key.endswith("_token") and isinstance(token, str):
            roles[key.removesuffix("_token")] = token
    return roles


@contextmanager
def library_errors(path: Path) -> Iterator[None]:
    """Replace the library's errors at a damaged file by an error that names the file."""
    try:
        yield
    except BaseException as error:
        # The library raises bare Exceptions, and its Rust panics are no Exceptions at all.
        if type(error) is Exception or is_rust_panic(error):
            raise VerificationError(
                f"{path} is not a tokenizer that this version of `tokenizers` reads ({error})."
                " Copy it again, or train it again."
            ) from error
        raise


def hide_special_pieces(library: tokenizers.Tokenizer) -> models.Unigram:
    """Return a Unigram model that never splits a text into special tokens.

    The special tokens are pieces of its vocabulary. A leading space keeps them from matching: the
    model's input has no spaces (they are written "▁"). Their scores do not change.
    """
    description = json.loads(library.model.__getstate__())
    special = {i for i, t in library.get_added_tokens_decoder().items() if t.special}
    vocab = [
        (f" {text}" if i in special else text, score)
        for i, (text, score) in enumerate(description["vocab"])
    ]
    return models.Unigram(vocab, description["unk_id"], description.get("byte_fallback", False))
