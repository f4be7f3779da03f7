"""Special tokens of published tokenizers: marked, added, and put around texts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Library
from tokenizers.processors import TemplateProcessing

from pellucid.errors import DataError, VerificationError
from pellucid.text.published.classes import Settings, read_table
from pellucid.text.tokenizer import Tokenizer, library_errors


def special(
    library: Library,
    settings: Settings,
    kind: str,
    path: Path,
    extra: tuple[str, ...] = (),
) -> Tokenizer:
    """With its special tokens marked; `extra`: those that have no role."""
    with library_errors(path):
        _add(library, settings, [*settings.tokens.values(), *extra])
        return finished(library, settings, kind, path)


def finished(library: Library, settings: Settings, kind: str, path: Path) -> Tokenizer:
    """With the template of its class, unless the file has its own."""
    vocab = library.get_vocab(with_added_tokens=True)
    if library.post_processor is None:
        library.post_processor = _template(settings, vocab)
    try:
        return Tokenizer(library, settings.roles(vocab), kind)
    except DataError as error:
        raise VerificationError(f"{path}: {error} Get the directory anew.") from error


def _template(settings: Settings, vocab: dict[str, int]) -> TemplateProcessing | None:
    language = settings.config.get("src_lang", "en_XX")
    tokens = {"A": "$A", "B": "$B", "bos": "", **settings.tokens, "lang": language}
    single, pair = settings.kind.single, settings.kind.pair
    if settings.config.get("add_bos_token") and single == ("A",):
        single, pair = ("bos", *single), ("bos", "A", "bos:1", "B:1")
    if single == ("A",):
        return None
    used = {tokens[slot] for slot in single if slot != "A"}
    if missing := sorted(used - vocab.keys()):
        raise VerificationError(
            f"{settings.directory}: the vocabulary lacks {missing[0][:40]!r}, which stands around"
            f" the texts of a {settings.name}. Name another in its tokenizer_config.json."
        )

    def written(slot: str) -> str:
        role, _, segment = slot.partition(":")
        return f"{tokens[role]}:{segment or 0}"

    return TemplateProcessing(
        single=[written(slot) for slot in single],
        pair=[written(slot) for slot in pair],
        special_tokens=[(token, vocab[token]) for token in sorted(used)],
    )


def _add(library: Library, settings: Settings, special: list[str]) -> None:
    """Mark the special tokens, and add those that joined the vocabulary later, under their ids.

    Raises: VerificationError if an id is not the next one.
    """
    vocab = library.get_vocab(with_added_tokens=True)
    library.add_special_tokens([token for token in special if token in vocab])
    path = settings.directory / "added_tokens.json"
    later: dict[str, Any] = {token: (i, True) for token, i in read_table(path).items()}
    if not later:
        path = settings.directory / "tokenizer_config.json"
        later = _decoder(settings.config.get("added_tokens_decoder"), path)
    for token, (i, is_special) in sorted(later.items(), key=lambda each: str(each[1][0]).zfill(9)):
        added = AddedToken(token, special=is_special, normalized=False)
        if is_special or token not in vocab:
            library.add_tokens([added])
        if library.token_to_id(token) != i:
            raise VerificationError(
                f"{path}: {token[:40]!r} should be {str(i)[:20]}, but would be"
                f" {library.token_to_id(token)}: it belongs to another vocabulary. Get the"
                " directory anew."
            )


def _decoder(told: object, path: Path) -> dict[str, tuple[int, bool]]:
    """Token to id, and whether it is special, from entries such as "3": {"content": "<x>"}."""
    entries = told.items() if isinstance(told, Mapping) else ()
    found = {}
    for i, token in entries:
        if not str(i).isdecimal() or not isinstance(token, Mapping):
            raise VerificationError(
                f"{path}: added_tokens_decoder is not a table. The file is damaged: get it anew."
            )
        found[str(token.get("content", ""))] = (int(i), bool(token.get("special", False)))
    return found
