"""The ids behind a directory's roles: where a text begins and ends, for search, score and loss."""

from collections.abc import Sequence

from pellucid.decoding.search import Vocabulary
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.text.tokenizer import Tokenizer

NEVER = -1  # no token has it: a model without an end token goes on to the longest length


def vocabulary(directory: Bundle) -> Vocabulary:
    """The ids that a search must know: the directory's own, else the roles' of its family.

    Raises: UsageError if the decoder of an encoder-decoder has nothing to read first.
    """
    roles, told = directory.roles, directory.token_ids
    end = token_id(directory, roles.end) if roles.end else None
    start = _start(directory)
    if start is None and directory.model.encoder is not None:
        raise UsageError(
            "what the decoder reads first is not known here. Write decoder_start_token_id into the"
            " directory's generation_config.json, or put the tokenizer's files beside it."
        )
    first = told.get("forced_bos_token_id")
    if first is None and roles.forced_first:
        first = directory.tokenizers.target.id(roles.forced_first)
    banned = [token_id(directory, role) for role in roles.banned]
    return Vocabulary(
        start=(0 if end is None else end) if start is None else start,
        end=NEVER if end is None else end,
        banned=(*(i for i in banned if i not in (None, end)), *directory.banned),
        forced_first=first,
        forced_last=told.get("forced_eos_token_id"),
    )


def source_row(directory: Bundle, ids: Sequence[int]) -> list[int]:
    """A text as the model was trained to read it."""
    tokenizer = directory.tokenizers.source
    before, after = around(directory, tokenizer, "eos")
    return [*before, *ids, *after]


def target_row(directory: Bundle, ids: Sequence[int]) -> list[int]:
    """A text as the decoder writes it, to the end token; what stands behind that is not written."""
    tokenizer, role = directory.tokenizers.target, directory.roles.end
    before, after = around(directory, tokenizer, role)
    end = tokenizer.id(role)
    return [*before, *ids, *after[: after.index(end)], end] if end in after else [*before, *ids]


def around(directory: Bundle, tokenizer: Tokenizer, end: str) -> tuple[list[int], list[int]]:
    """The ids before and behind a text: our own translators' texts have an end token alone."""
    if directory.task and directory.roles.start != "last":
        return [], [tokenizer.id(end)]
    return template_ids(tokenizer)


def template_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids that a tokenizer's template has before and behind one text."""
    found: tuple[list[int], list[int]] = ([], [])
    behind = False
    for slot in tokenizer.template.single:
        if slot.text:
            behind = True
        else:
            found[behind].extend(slot.ids)
    return found


def token_id(directory: Bundle, role: str) -> int | None:
    """The id of a role's token: as the directory says, else as its tokenizer does, else None."""
    if f"{role}_token_id" in directory.token_ids:
        return directory.token_ids[f"{role}_token_id"]
    tokenizer = directory.tokenizers.target
    return tokenizer.roles.get(role) if tokenizer.there else None


def _start(directory: Bundle) -> int | None:
    """What the decoder reads first."""
    told, role = directory.token_ids.get("decoder_start_token_id"), directory.roles.start
    if told is not None or not role:
        return told
    if role != "last":
        return token_id(directory, role)
    tokenizer = directory.tokenizers.target
    # Where it is a text's last token, the target's template knows it: a language, or the end.
    return tokenizer.with_specials([]).ids[-1] if tokenizer.there else None
