"""Options of one call that are no search settings, and their ids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pellucid.decoding.search import SpecialIds
from pellucid.decoding.session import Session
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.text.guard import clean_text


@dataclass(frozen=True, kw_only=True)
class CallOptions:
    """Options of one call to a verb that generates text."""

    ensemble: Sequence[Bundle] = ()
    """Models whose probabilities are averaged with the first one's."""
    draft: Bundle | None = None
    """A smaller model that proposes tokens; the distribution stays that of the first one."""
    stop_at: Sequence[str] = ()
    """Strings that end a text; they are not part of it."""
    prefix: str | Sequence[str] = ""
    """What texts begin with: one string for all, or one for each."""
    banned: Sequence[str] = ()
    """Strings that are not generated, as the tokenizer splits them."""
    code: str = ""
    """Control code before each prompt; empty means none."""
    to: str = ""
    """Target language of a translator with several; "" means the one that the model names."""
    source_language: str = ""
    """Language of the texts, for a translator that marks them with it."""
    first: int = 0
    """Number of the first text. Samples depend on the text's number and the seed."""
    progress: Callable[[int], None] | None = None
    """Called with how many more texts are done."""
    session: Session | None = None
    """Takes the search to a decoder that other calls share; None means it runs by itself."""

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


def max_positions(bundle: Bundle, call: CallOptions) -> int:
    """Return the number of positions that every model of a call has; 0 means no limit."""
    drafts = () if call.draft is None else (call.draft,)
    limits = [m.model_config.max_positions for m in (bundle, *call.ensemble, *drafts)]
    return min(filter(None, limits), default=0)


def prefix_rows(bundle: Bundle, call: CallOptions, n: int) -> list[list[int]]:
    """Return the ids with which each of n texts starts; an empty list without a prefix.

    Raises: UsageError if there are fewer or more strings than texts, or unknown characters.
    """
    if not call.prefix:
        return []
    if isinstance(call.prefix, str):
        return [_prefix_row(bundle, call.prefix)] * n
    if len(call.prefix) != n:
        raise UsageError(
            f"{len(call.prefix)} prefixes for {n} texts. Give one for each, empty where a text may"
            " begin as it likes, or one string for all."
        )
    return [_prefix_row(bundle, text) if text else [] for text in call.prefix]


def ban_strings(bundle: Bundle, special_ids: SpecialIds, call: CallOptions) -> SpecialIds:
    """Return special ids that also ban each string, with and without a space before it.

    A string of one piece is never generated, one of several pieces not as that sequence.
    Raises: UsageError if a string has no piece.
    """
    target, rows = bundle.tokenizers.target, dict[tuple[int, ...], None]()
    for text in call.banned:
        encoded = target.encode_batch([text] if text[:1].isspace() else [text, f" {text}"])
        if not encoded[0]:
            raise UsageError(f"banned={text!r:.60} is nothing to this tokenizer. Leave it out.")
        rows |= dict.fromkeys(map(tuple, encoded))
    return replace(
        special_ids,
        banned=(*special_ids.banned, *(row[0] for row in rows if len(row) == 1)),
        banned_sequences=tuple(row for row in rows if len(row) > 1),
    )


def _prefix_row(bundle: Bundle, text: str) -> list[int]:
    """Return the ids of a prefix, after those that a decoder generates before any text."""
    target = bundle.tokenizers.target
    (ids,) = target.encode_batch([text])
    if target.roles.get("unk") in ids:
        raise UsageError(
            f"prefix {clean_text(text)!r:.60} has characters that the tokenizer does not know, and"
            " unknown ones cannot be written. Leave them out."
        )
    if bundle.model.encoder is None or bundle.special_ids.forced_first is not None:
        return ids
    return [*template_ids(target)[0], *ids]


def _are_strings(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(each, str) for each in values)


NO_OPTIONS = CallOptions()  # after the functions that its checks call
