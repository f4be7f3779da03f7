"""Generate texts for sources of any length, in batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ensemble import Ensemble
from pellucid.decoding.search import device_of, search, search_steps
from pellucid.decoding.search_state import Hypothesis, SearchState, SpecialIds, TextLimits
from pellucid.errors import UsageError
from pellucid.nn.base import Model
from pellucid.nn.cache import Cache, Decoder
from pellucid.nn.padding import batches, pad_batch

SLACK = 20
"""Without max_length, a text has at most twice as many tokens as its source plus this."""


@dataclass(frozen=True)
class Request:
    """Sources, and the constraints on their texts."""

    sources: Sequence[Sequence[int]]
    """Ids, their end token included where the model was trained with one."""
    prefixes: Sequence[Sequence[int]] = ()
    """Ids that each text begins with; one for each source, or none."""
    pad: int = 0
    """The id that pads short rows; it is masked."""
    continues_source: bool = False
    """Whether sources are prompts that the texts continue (decoder-only models). An empty prompt is
    replaced by the start token."""
    is_stopped: Callable[[Sequence[int]], bool] | None = None
    """Whether generated ids end a text without an end token (see `stop_strings`)."""
    seed_keys: Sequence[tuple[int, int]] = ()
    """For each source, the number of its text and of its part of that text, which seed its samples.
    Empty: each source is a text."""
    max_positions: int = 0
    """Number of positions of the model, which limits the length of texts. 0: no limit."""

    def seed_key(self, i: int) -> tuple[int, int]:
        """Return the numbers that seed the samples of a source, in addition to `config.seed`."""
        return self.seed_keys[i] if self.seed_keys else (i, 0)


class NewIds(NamedTuple):
    """The ids that a step added to a text."""

    source: int
    ids: tuple[int, ...]
    """New ids; none if the step added only the end token."""
    ended: bool


@torch.inference_mode()
def generate(
    model: Decoder,
    request: Request,
    special_ids: SpecialIds,
    config: DecodingConfig,
    progress: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """Return the n best texts for each source, best first, in the order of the sources.

    With sampling, all texts are returned in the order of sampling.
    progress: called with the number of newly finished sources.
    Raises: UsageError if the numbers of prefixes and sources differ, or as `search`.
    """
    check_request(model, request, special_ids, config)
    results: list[list[Hypothesis]] = [[] for _ in request.sources]
    for chosen in batches([len(s) for s in request.sources], max_rows=config.batch_size):
        repeated = [i for i in chosen for _ in range(config.copies)]
        cache, limits = start_cache(model, request, special_ids, config, repeated)
        texts = search(model, cache, special_ids, config, limits)
        for i, hypotheses in zip(repeated, texts, strict=True):
            results[i] += hypotheses
        if progress is not None:
            progress(len(chosen))
    return [best_of_groups(texts, config) for texts in results]


@torch.inference_mode()
def stream(
    model: Decoder, request: Request, special_ids: SpecialIds, config: DecodingConfig
) -> Iterator[NewIds]:
    """Yield what `generate` returns step by step: greedy search, or one sample per source.

    Raises: UsageError if the config keeps more than one text open, or as `generate`.
    """
    check_single_text(config)
    check_request(model, request, special_ids, config)
    for chosen in batches([len(s) for s in request.sources], max_rows=config.batch_size):
        cache, limits = start_cache(model, request, special_ids, config, chosen)
        open_texts = range(len(chosen))
        for state in search_steps(model, cache, special_ids, config, limits):
            for source in open_texts:
                yield read_new_ids(state, source)._replace(source=chosen[source])
            open_texts = state.active.tolist()


def stop_strings(
    decode: Callable[[Sequence[int]], str], strings: Sequence[str]
) -> Callable[[Sequence[int]], bool]:
    """Return an `is_stopped` that is True once the decoded text contains one of the strings."""
    if not all(strings):
        raise UsageError("an empty stop string would end every text at once. Leave it out.")

    def is_stopped(ids: Sequence[int]) -> bool:
        text = decode(ids)
        return any(string in text for string in strings)

    return is_stopped


def check_single_text(config: DecodingConfig) -> None:
    """Raises: UsageError if the config keeps more than one text of a source open."""
    n = config.width * config.copies
    if n > 1:
        raise UsageError(
            f"streams and drafts need one open text, but method={config.method} here keeps {n}."
            " Use method=beam with beam=1, or method=sample with n_best=1."
        )


def prefill_prompts(model: Decoder, rows: Sequence[Sequence[int]], pad: int) -> Cache:
    """Return a cache of all but the last token of each prompt, padded on the left."""
    read = [row[:-1] for row in rows]
    if not any(read):
        return model.prefill(None, None, len(rows))
    return model.prefill(*pad_batch(read, pad, device_of(model), left=True), len(rows))


def check_request(
    model: Decoder, request: Request, special_ids: SpecialIds, config: DecodingConfig
) -> None:
    """Raises: UsageError if a request contradicts itself, the config or the model."""
    sources, prefixes = request.sources, request.prefixes
    if prefixes and len(prefixes) != len(sources):
        raise UsageError(
            f"{len(prefixes)} prefixes for {len(sources)} sources. Give one for each source, empty"
            " where nothing is forced, or none at all."
        )
    n_forced = (special_ids.forced_first is not None) + (special_ids.forced_last is not None)
    for i, prefix in enumerate(prefixes):
        if prefix and len(prefix) + n_forced >= max_tokens(request, config, i):
            raise UsageError(
                f"a prefix of {len(prefix)} tokens leaves no room in a text of at most"
                f" {max_tokens(request, config, i)}. Shorten it, or raise max_length if the model"
                " has more positions."
            )
    if isinstance(model, Ensemble):
        continues_source = model.continues_source
    elif isinstance(model, Model):
        continues_source = model.encoder is None
    else:
        return
    if continues_source != request.continues_source:
        raise UsageError(
            "this model is decoder-only and continues its source: pass continues_source=True."
            if continues_source
            else "this model reads its source with an encoder: leave out continues_source=True."
        )


def start_cache(
    model: Decoder,
    request: Request,
    special_ids: SpecialIds,
    config: DecodingConfig,
    chosen: Sequence[int],
) -> tuple[Cache, TextLimits]:
    """Return a cache filled with these sources, and the limits of their texts."""
    limits = build_limits(request, special_ids, config, chosen)
    return fill_cache(model, rows_to_read(request, limits, chosen), request), limits


def rows_to_read(
    request: Request, limits: TextLimits, chosen: Sequence[int]
) -> Sequence[Sequence[int]]:
    """Return what a model reads before it generates: these sources, or their prompts."""
    return limits.prompts if request.continues_source else [request.sources[i] for i in chosen]


def fill_cache(model: Decoder, rows: Sequence[Sequence[int]], request: Request) -> Cache:
    """Return a cache filled with rows, as `rows_to_read` returns for requests of this kind."""
    if request.continues_source:
        return prefill_prompts(model, rows, request.pad)
    return model.prefill(*pad_batch(rows, request.pad, device_of(model)), len(rows))


def build_limits(
    request: Request, special_ids: SpecialIds, config: DecodingConfig, chosen: Sequence[int]
) -> TextLimits:
    """Return the limits of the texts of these sources."""
    batch = [request.sources[i] for i in chosen]
    return TextLimits(
        max_lengths=[max_tokens(request, config, i) for i in chosen],
        prefixes=[request.prefixes[i] for i in chosen] if request.prefixes else (),
        prompts=[s or (special_ids.start,) for s in batch] if request.continues_source else (),
        is_stopped=request.is_stopped,
        seed_keys=[
            (n, part * config.copies + index % config.copies)
            for index, (n, part) in enumerate(map(request.seed_key, chosen))
        ],
    )


def max_tokens(request: Request, config: DecodingConfig, i: int) -> int:
    """Return the maximum number of tokens of source i's text, at most the model's positions."""
    n, prefix = len(request.sources[i]), len(request.prefixes[i]) if request.prefixes else 0
    configured = config.max_length or 2 * n + SLACK + prefix
    if not request.max_positions:
        return configured
    before = n if request.continues_source and n else 1  # the start token replaces an empty prompt
    # The last token is never read. transformers gives it a position unless max_length is set.
    return max(1, min(configured, request.max_positions - before + bool(config.max_length)))


def best_of_groups(texts: list[Hypothesis], config: DecodingConfig) -> list[Hypothesis]:
    """Return the n best texts of all groups; equal scores in the order of the groups.

    All texts stay if there is one group.
    """
    return sorted(texts, key=lambda h: -h.score)[: config.n_best] if config.groups > 1 else texts


def read_new_ids(state: SearchState, source: int) -> NewIds:
    """Return what the last step added to the only text of a source."""
    ended = state.ended[source]
    if ended:
        ids = () if ended[0].token == state.end else (ended[0].token,)
        return NewIds(source, ids, True)
    active, kept = state.steps[-1]
    if source not in active:
        state.best_hypotheses(source)  # raises an error: the source has no text
    index = active.searchsorted(source)
    return NewIds(source, (int(kept.tokens[index, 0]),), False)
