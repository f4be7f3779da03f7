"""Find the special ids of a model, and add them to texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pellucid.decoding.search import SpecialIds
from pellucid.errors import UsageError
from pellucid.text.language_tags import find_tag
from pellucid.text.tokenizer import Tokenizer

if TYPE_CHECKING:  # a bundle computes its special ids here, once
    from pellucid.formats.bundle import Bundle

NO_END = -1  # no token has this id: without an end token a text grows to its maximum length


def find_special_ids(bundle: "Bundle") -> SpecialIds:
    """Return the ids that a search needs, from the directory's configs or else the family's roles.

    Raises: UsageError if an encoder-decoder does not define the decoder's start token.
    """
    roles, ids = bundle.roles, bundle.token_ids
    # A model may have an end token although its family has none; its id is in the configs.
    end = find_token_id(bundle, roles.end) if roles.end else ids.get("eos_token_id")
    start = _find_start(bundle)
    if start is None and bundle.model.encoder is not None:
        raise UsageError(
            "the decoder's start token is unknown. Write decoder_start_token_id into the"
            " directory's generation_config.json, or add the tokenizer's files to the directory."
        )
    first = ids.get("forced_bos_token_id")
    if first is None and roles.forced_first:
        first = bundle.tokenizers.target.id(roles.forced_first)
    banned = [find_token_id(bundle, role) for role in roles.banned]
    return SpecialIds(
        start=(0 if end is None else end) if start is None else start,
        end=NO_END if end is None else end,
        banned=(*(i for i in banned if i not in (None, end)), *bundle.banned),
        forced_first=first,
        forced_last=ids.get("forced_eos_token_id"),
    )


def find_token_id(bundle: "Bundle", role: str) -> int | None:
    """Return the id of a role's token from the configs, else from the tokenizer, else None."""
    if f"{role}_token_id" in bundle.token_ids:
        return bundle.token_ids[f"{role}_token_id"]
    tokenizer = bundle.tokenizers.target
    return tokenizer.roles.get(role) if tokenizer.is_present else None


def find_role_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Return the ids for config.json of padding, start and end, as far as there are such tokens."""
    roles = [role for role in ("pad", "bos", "eos") if role in tokenizer.roles]
    return {f"{role}_token_id": tokenizer.roles[role] for role in roles}


def wrap_source(bundle: "Bundle", ids: Sequence[int]) -> list[int]:
    """Add the special tokens that the model reads around a source text.

    Raises: UsageError if they mark the target's language and the bundle does not name it.
    """
    tokenizer = bundle.tokenizers.source
    before, after = template_ids(tokenizer)
    return [*before, *find_tag(tokenizer, bundle.languages[1]), *ids, *after]


def wrap_target(bundle: "Bundle", ids: Sequence[int]) -> list[int]:
    """Add the special tokens that the decoder generates around a target text, end included."""
    tokenizer, role = bundle.tokenizers.target, bundle.roles.end
    before, after = template_ids(tokenizer)
    end = tokenizer.id(role)
    return [*before, *ids, *after[: after.index(end)], end] if end in after else [*before, *ids]


def template_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special ids before and after one text in the tokenizer's template."""
    before, after = list[int](), list[int]()
    side = before
    for slot in tokenizer.template.single:
        if slot.text:
            side = after
        else:
            side.extend(slot.ids)
    return before, after


def _find_start(bundle: "Bundle") -> int | None:
    """Return the id of the decoder's start token, or None."""
    start, role = bundle.token_ids.get("decoder_start_token_id"), bundle.roles.start
    if start is not None:
        return start
    if not role:
        return bundle.token_ids.get("bos_token_id")
    if role != "last":
        return find_token_id(bundle, role)
    tokenizer = bundle.tokenizers.target
    # The last token of the target's template starts the decoder: a language, or the end token.
    return tokenizer.add_special_tokens([]).ids[-1] if tokenizer.is_present else None
