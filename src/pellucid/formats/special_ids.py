"""The special ids of a model: what texts begin and end with, for search, scores and exports."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pellucid.decoding.search import SpecialIds
from pellucid.errors import UsageError
from pellucid.text.tokenizer import Tokenizer

if TYPE_CHECKING:  # a bundle computes its special ids here, once
    from pellucid.formats.bundle import Bundle

NEVER = -1  # no token has it: a model without an end token goes on to the longest length


def find_special_ids(bundle: "Bundle") -> SpecialIds:
    """The ids that a search needs: those of the directory's configs, else of its family's roles.

    Raises: UsageError if an encoder-decoder does not define what its decoder reads first.
    """
    roles, ids = bundle.roles, bundle.token_ids
    # A family without an end token may have been given one: then the configs hold its id.
    end = token_id(bundle, roles.end) if roles.end else ids.get("eos_token_id")
    start = _start(bundle)
    if start is None and bundle.model.encoder is not None:
        raise UsageError(
            "what the decoder reads first is not known here. Write decoder_start_token_id into the"
            " directory's generation_config.json, or add the tokenizer's files to it."
        )
    first = ids.get("forced_bos_token_id")
    if first is None and roles.forced_first:
        first = bundle.tokenizers.target.id(roles.forced_first)
    banned = [token_id(bundle, role) for role in roles.banned]
    return SpecialIds(
        start=(0 if end is None else end) if start is None else start,
        end=NEVER if end is None else end,
        banned=(*(i for i in banned if i not in (None, end)), *bundle.banned),
        forced_first=first,
        forced_last=ids.get("forced_eos_token_id"),
    )


def token_id(bundle: "Bundle", role: str) -> int | None:
    """The id of a role's token: by the directory's configs, else by its tokenizer, else None."""
    if f"{role}_token_id" in bundle.token_ids:
        return bundle.token_ids[f"{role}_token_id"]
    tokenizer = bundle.tokenizers.target
    return tokenizer.roles.get(role) if tokenizer.is_present else None


def source_row(bundle: "Bundle", ids: Sequence[int]) -> list[int]:
    """A source text's ids with the special tokens that the model reads around them."""
    before, after = template_ids(bundle.tokenizers.source)
    return [*before, *ids, *after]


def target_row(bundle: "Bundle", ids: Sequence[int]) -> list[int]:
    """A target text's ids as the decoder generates them: up to the end token, that included."""
    tokenizer, role = bundle.tokenizers.target, bundle.roles.end
    before, after = template_ids(tokenizer)
    end = tokenizer.id(role)
    return [*before, *ids, *after[: after.index(end)], end] if end in after else [*before, *ids]


def template_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special ids before and after one text, by the tokenizer's template."""
    before, after = list[int](), list[int]()
    side = before
    for slot in tokenizer.template.single:
        if slot.text:
            side = after
        else:
            side.extend(slot.ids)
    return before, after


def _start(bundle: "Bundle") -> int | None:
    """What the decoder reads first."""
    start, role = bundle.token_ids.get("decoder_start_token_id"), bundle.roles.start
    if start is not None:
        return start
    if not role:
        return bundle.token_ids.get("bos_token_id")
    if role != "last":
        return token_id(bundle, role)
    tokenizer = bundle.tokenizers.target
    # The last token of the target's template starts the decoder: a language, or the end token.
    return tokenizer.add_special_tokens([]).ids[-1] if tokenizer.is_present else None
