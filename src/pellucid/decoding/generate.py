"""Sources in any order, of any length: batched for speed, given back as they came."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ensemble import Ensemble
from pellucid.decoding.ledger import Hypothesis, Ledger, Limits, SpecialIds
from pellucid.decoding.search import device_of, search, walk
from pellucid.errors import UsageError
from pellucid.nn.base import Model
from pellucid.nn.cache import Cache, Decoder
from pellucid.nn.padding import batches, pad_batch

SLACK = 20
"""Tokens that a text may have beyond twice its source's, where no longest length is set."""


@dataclass(frozen=True)
class Request:
    """What to generate from."""

    sources: Sequence[Sequence[int]]
    """Ids, their end token included where the model was trained with one."""
    prefixes: Sequence[Sequence[int]] = ()
    """Ids that each text begins with; one for each source, or none."""
    pad: int = 0
    """An id to fill short rows with; it is masked."""
    continued: bool = False
    """Whether a source is a prompt, that is, the beginning of the text itself, as for a decoder
    alone; an empty one is the start token."""
    stopped: Callable[[Sequence[int]], bool] | None = None
    """Whether generated ids are a whole text, though without an end token (see `stop_strings`)."""
    keys: Sequence[tuple[int, int]] = ()
    """For each source the number of its text, and of its part there; what is drawn hangs on both.
    None: each source is a text."""
    bound: int = 0
    """Most places that the model has, to which a text is cut; 0 where nothing bounds it."""

    def key(self, i: int) -> tuple[int, int]:
        """What the draws for a source hang on, beside the seed."""
        return self.keys[i] if self.keys else (i, 0)


class Piece(NamedTuple):
    """What a step added to a text."""

    source: int
    ids: tuple[int, ...]
    """New ids; none if all that came was the end token."""
    ended: bool


@torch.inference_mode()
def generate(
    model: Decoder,
    request: Request,
    special_ids: SpecialIds,
    config: DecodingConfig,
    progress: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """The n best texts for each source, best first, in the order of the sources.

    Drawn texts come in the order of drawing, all of them. progress: called with how many more
    sources are done.
    Raises: UsageError if there are fewer or more prefixes than sources, or as `search`.
    """
    check(model, request, config)
    results: list[list[Hypothesis]] = [[] for _ in request.sources]
    for chosen in batches([len(s) for s in request.sources], max_rows=config.batch_size):
        repeated = [i for i in chosen for _ in range(config.copies)]
        cache, limits = begun(model, request, special_ids, config, repeated)
        found = search(model, cache, special_ids, config, limits)
        for i, hypotheses in zip(repeated, found, strict=True):
            results[i] += hypotheses
        if progress is not None:
            progress(len(chosen))
    return [_best(found, config) for found in results] if config.groups > 1 else results


@torch.inference_mode()
def stream(
    model: Decoder, request: Request, special_ids: SpecialIds, config: DecodingConfig
) -> Iterator[Piece]:
    """What `generate` gives, piece by piece as it comes: greedy search, or one draw a source.

    Raises: UsageError if the config asks for more than one open text a source, or as `generate`.
    """
    one_text(config)
    check(model, request, config)
    for chosen in batches([len(s) for s in request.sources], max_rows=config.batch_size):
        cache, limits = begun(model, request, special_ids, config, chosen)
        open_texts = range(len(chosen))
        for book in walk(model, cache, special_ids, config, limits):
            for source in open_texts:
                yield _piece(book, source)._replace(source=chosen[source])
            open_texts = book.active.tolist()


def stop_strings(
    decode: Callable[[Sequence[int]], str], strings: Sequence[str]
) -> Callable[[Sequence[int]], bool]:
    """For `Request.stopped`: a text ends with the token that completes one of the strings."""
    if not all(strings):
        raise UsageError("an empty stop string would end every text at once. Leave it out.")

    def stopped(ids: Sequence[int]) -> bool:
        text = decode(ids)
        return any(string in text for string in strings)

    return stopped


def one_text(config: DecodingConfig) -> None:
    """Raises: UsageError if the config asks for more than one open text a source."""
    n = config.width * config.copies
    if n > 1:
        raise UsageError(
            f"streams and drafts go with one open text, but method={config.method} here keeps {n}."
            " Use method=beam with beam=1, or method=sample with n_best=1."
        )


def begin(model: Decoder, rows: Sequence[Sequence[int]], pad: int) -> Cache:
    """A cache that has read all but the last token of each prompt, padded on the left."""
    read = [row[:-1] for row in rows]
    if not any(read):
        return model.prefill(None, None, len(rows))
    return model.prefill(*pad_batch(read, pad, device_of(model), left=True), len(rows))


def check(model: Decoder, request: Request, config: DecodingConfig) -> None:
    """Raises: UsageError if a request is at odds with itself, with the config or the model."""
    sources, prefixes = request.sources, request.prefixes
    if prefixes and len(prefixes) != len(sources):
        raise UsageError(
            f"{len(prefixes)} prefixes for {len(sources)} sources. Give one for each source, empty"
            " where nothing is forced, or none at all."
        )
    for i, prefix in enumerate(prefixes):
        if prefix and len(prefix) >= longest(request, config, i):
            raise UsageError(
                f"a prefix of {len(prefix)} tokens leaves no room in a text of at most"
                f" {longest(request, config, i)}. Shorten it, or raise max_length if that is"
                " what bounds it, and not the model's places."
            )
    if isinstance(model, Ensemble):
        continues = model.continues
    elif isinstance(model, Model):
        continues = model.encoder is None
    else:
        return
    if continues != request.continued:
        raise UsageError(
            "this model is a decoder alone, which continues its source: pass continued=True."
            if continues
            else "this model reads its source apart and continues none: leave out continued=True."
        )


def begun(
    model: Decoder,
    request: Request,
    special_ids: SpecialIds,
    config: DecodingConfig,
    chosen: Sequence[int],
) -> tuple[Cache, Limits]:
    """A cache that has read these sources, and what is asked of each one's text."""
    limits = limits_of(request, special_ids, config, chosen)
    if request.continued:
        return begin(model, limits.beginnings, request.pad), limits
    batch = [request.sources[i] for i in chosen]
    return model.prefill(*pad_batch(batch, request.pad, device_of(model)), len(batch)), limits


def limits_of(
    request: Request, special_ids: SpecialIds, config: DecodingConfig, chosen: Sequence[int]
) -> Limits:
    """What is asked of the texts of these sources."""
    batch = [request.sources[i] for i in chosen]
    return Limits(
        max_lengths=[longest(request, config, i) for i in chosen],
        prefixes=[request.prefixes[i] for i in chosen] if request.prefixes else (),
        beginnings=[s or (special_ids.start,) for s in batch] if request.continued else (),
        stopped=request.stopped,
        keys=[
            (n, part * config.copies + place % config.copies)
            for place, (n, part) in enumerate(map(request.key, chosen))
        ],
    )


def longest(request: Request, config: DecodingConfig, i: int) -> int:
    """Most tokens of the text of source number i: as many as are asked for, or have places."""
    n, prefix = len(request.sources[i]), len(request.prefixes[i]) if request.prefixes else 0
    asked = config.max_length or 2 * n + SLACK + prefix
    if not request.bound:
        return asked
    before = n if request.continued and n else 1  # an empty beginning is the start token
    # The last token is never read, and needs a place only where transformers gives it one.
    return max(1, min(asked, request.bound - before + bool(config.max_length)))


def _best(found: Sequence[Hypothesis], config: DecodingConfig) -> list[Hypothesis]:
    """Of all groups; equal scores in the order of the groups."""
    return sorted(found, key=lambda h: -h.score)[: config.n_best]


def _piece(book: Ledger, source: int) -> Piece:
    """What the last step of a book of single texts added to one that was open before it."""
    ended = book.ended[source]
    if ended:
        ids = () if ended[0].token == book.end else (ended[0].token,)
        return Piece(source, ids, True)
    active, onward = book.steps[-1]
    if source not in active:
        book.best(source)  # says why it has neither ended nor gone on
    place = active.searchsorted(source)
    return Piece(source, (int(onward.tokens[place, 0]),), False)
