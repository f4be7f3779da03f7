"""What one call may bring beside the settings of its search, and the ids that it means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pellucid.decoding.search import SpecialIds
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.text.guard import clean_text


@dataclass(frozen=True, kw_only=True)
class Call:
    """All of it may be left out."""

    ensemble: Sequence[Bundle] = ()
    """Models that write together with the one that is asked: probabilities are averaged."""
    draft: Bundle | None = None
    """A smaller model that guesses ahead; the text is of the other's distribution."""
    stop_at: Sequence[str] = ()
    """Strings that end a text, and are no part of it."""
    prefix: str | Sequence[str] = ""
    """What texts begin with: one string for all of them, or one for each."""
    banned: Sequence[str] = ()
    """Strings that are not written, as the tokenizer cuts them."""
    first: int = 0
    """Number of the first text: what is drawn for a text hangs on its number."""
    progress: Callable[[int], None] | None = None
    """Called with how many more texts are done."""

    def __post_init__(self) -> None:
        for name, strings in (("stop_at", self.stop_at), ("banned", self.banned)):
            if not _are_strings(strings):
                raise UsageError(
                    f"{name}={strings!r:.60} is no list of strings. Write {name}=[text]."
                )
        if not (isinstance(self.prefix, str) or _are_strings(self.prefix)):
            raise UsageError(
                f"prefix={self.prefix!r:.60} is neither a string nor a list of strings. Write"
                " prefix=text, or prefix=[text, ...] with one for each text."
            )
        if type(self.first) is not int or self.first < 0:
            raise UsageError(
                f"first={self.first!r:.60} is the number of a call's first text. Use 0 or more."
            )


def most_places(directory: Bundle, call: Call) -> int:
    """For `Request.bound`: the places that every model of a call has; 0 where none is bound."""
    drafts = () if call.draft is None else (call.draft,)
    bounds = [m.model_config.most_tokens for m in (directory, *call.ensemble, *drafts)]
    return min(filter(None, bounds), default=0)


def prefixes(directory: Bundle, call: Call, n: int) -> list[list[int]]:
    """For `Request.prefixes`: the ids that each of n texts begins with; empty if none is asked.

    Raises: UsageError if there are fewer or more strings than texts, or unknown characters.
    """
    if not call.prefix:
        return []
    if isinstance(call.prefix, str):
        return [_beginning(directory, call.prefix)] * n
    if len(call.prefix) != n:
        raise UsageError(
            f"{len(call.prefix)} prefixes for {n} texts. Give one for each, empty where a text may"
            " begin as it likes, or one string for all."
        )
    return [_beginning(directory, text) if text else [] for text in call.prefix]


def with_banned(directory: Bundle, special_ids: SpecialIds, call: Call) -> SpecialIds:
    """Special ids that also ban the pieces of each banned string, and of a space before it.

    One piece is not written at all, several are not written one after another.
    Raises: UsageError if a string has no piece.
    """
    target, rows = directory.tokenizers.target, dict[tuple[int, ...], None]()
    for text in call.banned:
        found = target.encode_batch([text] if text[:1].isspace() else [text, f" {text}"])
        if not found[0]:
            raise UsageError(f"banned={text!r:.60} is nothing to this tokenizer. Leave it out.")
        rows |= dict.fromkeys(map(tuple, found))
    return replace(
        special_ids,
        banned=(*special_ids.banned, *(row[0] for row in rows if len(row) == 1)),
        banned_sequences=tuple(row for row in rows if len(row) > 1),
    )


def _beginning(directory: Bundle, text: str) -> list[int]:
    """The ids of a prefix, behind those that a decoder writes before any text."""
    target = directory.tokenizers.target
    (ids,) = target.encode_batch([text])
    if target.roles.get("unk") in ids:
        raise UsageError(
            f"prefix {clean_text(text)!r:.60} has characters that the tokenizer does not know, and"
            " unknown ones cannot be written. Leave them out."
        )
    if directory.model.encoder is None or directory.special_ids.forced_first is not None:
        return ids
    return [*template_ids(target)[0], *ids]


def _are_strings(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(each, str) for each in values)


ALONE = Call()  # down here, for what checks it must be there
