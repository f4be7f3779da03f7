"""Decoders small enough to know everything about, and searches simple enough to be believed."""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.decoding.search import SpecialIds, TextLimits
from pellucid.errors import UsageError
from pellucid.nn.cache import Cache, Step
from pellucid.nn.model import Transformer, build

START, END = 0, 1
SPECIAL_IDS = SpecialIds(start=START, end=END)
MODULUS = 10_007

Found = list[tuple[tuple[int, ...], float, bool]]  # (ids, score, finished), best first


class RunningHash:
    """A decoder whose cache is one number per row, which determines the logits.

    logits: (MODULUS, V), what follows a text whose hash is the row's index.
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self.rows_seen: list[int] = []

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> "HashCache":
        assert source is not None
        keep = torch.ones_like(source, dtype=torch.bool) if keep is None else keep
        hashes = [_hash(row[real].tolist()) for row, real in zip(source, keep, strict=True)]
        return HashCache(torch.tensor(hashes))

    def step(self, ids: Tensor, cache: Cache) -> Step:
        assert isinstance(cache, HashCache)
        self.rows_seen.append(len(ids))
        logits = []
        for column in ids.T:
            cache.state = _onward(cache.state, column)
            logits.append(self.logits[cache.state])
        cache.length += ids.shape[1]
        return Step(torch.stack(logits, 1), cache.state[:, None, None].float())


class HashCache:
    """The running hash of source and text of each row."""

    def __init__(self, state: Tensor) -> None:
        self.state, self.length, self.rows = state, 0, len(state)

    def expand(self, k: int) -> None:
        self.state = self.state.repeat_interleave(k)
        self.rows *= k

    def reorder(self, parents: Tensor) -> None:
        assert len(parents) == self.rows
        self.state = self.state[parents]

    def keep_rows(self, rows: Tensor) -> None:
        self.state = self.state[rows]
        self.rows = len(rows)

    def truncate(self, n: int) -> None:
        raise UsageError("a hash cannot go back.")


class Recomputing:
    """A decoder that caches ids only and computes the whole text at each step.

    logits: (source (R, S), keep (R, S) or None, ids (R, T)) -> (R, V).
    """

    def __init__(self, logits: Callable[[Tensor, Tensor | None, Tensor], Tensor]) -> None:
        self.logits = logits

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> "IdsCache":
        assert source is not None
        return IdsCache(source, keep)

    def step(self, ids: Tensor, cache: Cache) -> Step:
        assert isinstance(cache, IdsCache)
        cache.ids = torch.cat((cache.ids, ids), 1)
        cache.length += ids.shape[1]
        logits = self.logits(cache.source, cache.keep, cache.ids)
        return Step(logits[:, None], logits[:, None])


class IdsCache:
    """All ids read by each row."""

    def __init__(self, source: Tensor, keep: Tensor | None) -> None:
        self.source, self.keep = source, keep
        self.length, self.rows = 0, len(source)
        self.ids = torch.empty(self.rows, 0, dtype=torch.int64)

    def expand(self, k: int) -> None:
        self._take(torch.arange(self.rows).repeat_interleave(k))

    def reorder(self, parents: Tensor) -> None:
        self.ids = self.ids[parents]

    def keep_rows(self, rows: Tensor) -> None:
        self._take(rows)

    def truncate(self, n: int) -> None:
        self.ids, self.length = self.ids[:, :n], n

    def _take(self, rows: Tensor) -> None:
        self.source, self.ids, self.rows = self.source[rows], self.ids[rows], len(rows)
        self.keep = None if self.keep is None else self.keep[rows]


def random_model(vocab_size: int, seed: int, spread: float = 2.0) -> RunningHash:
    rng = torch.Generator().manual_seed(seed)
    return RunningHash(spread * torch.randn(MODULUS, vocab_size, generator=rng))


def random_transformer(seed: int, **changes: int) -> Transformer:
    """Build a small model of 40 tokens whose texts differ and end."""
    layers = {"n_encoder_layers": 1, "n_decoder_layers": 1}
    shape = {"vocab_size": 40, "d_model": 16, "d_ff": 32, "n_heads": 2}
    model = build(ModelConfig(**{**layers, **shape, **changes}), seed=seed)  # type: ignore[arg-type]
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=rng))
    return model.eval()


def random_sources() -> list[list[int]]:
    """Return sources of 1 to 6 tokens for it."""
    rng = torch.Generator().manual_seed(0)
    return [torch.randint(3, 40, (n % 6 + 1,), generator=rng).tolist() for n in range(20)]


def from_scratch(model: RunningHash) -> Recomputing:
    """Return a decoder with the same predictions that recomputes each text."""

    def logits(source: Tensor, keep: Tensor | None, ids: Tensor) -> Tensor:
        cache = model.prefill(source, keep, len(source))
        return model.step(ids, cache).logits[:, -1]

    return Recomputing(logits)


def log_probs(model: RunningHash, source: Sequence[int], text: Sequence[int]) -> list[float]:
    """Return log-probabilities of the next token in double precision."""
    row = model.logits[_hash([*source, START, *text])].double()
    return row.log_softmax(-1).tolist()


def brute_force(
    model: RunningHash,
    source: Sequence[int],
    config: DecodingConfig,
    max_length: int,
    banned: Sequence[int] = (),
) -> Found:
    """Return all possible texts, best first."""
    tokens = [v for v in range(model.logits.shape[1]) if v not in (END, *banned)]
    actual: Found = []
    for length in range(1, max_length + 1):
        for text in itertools.product(tokens, repeat=length - 1):
            if len(text) >= config.min_length:
                actual.append((text, _score(model, source, (*text, END), config), True))
    for text in itertools.product(tokens, repeat=max_length):
        actual.append((text, _score(model, source, text, config), False))
    return sorted(actual, key=lambda one: -one[1])


def plain_search(
    model: RunningHash,
    source: Sequence[int],
    config: DecodingConfig,
    limits: TextLimits,
    special_ids: SpecialIds = SPECIAL_IDS,
) -> Found:
    """Beam search of one source as a textbook would write it: lists, one text at a time."""
    (max_length,), k = limits.max_lengths, config.beam
    prefix = limits.prefixes[0] if limits.prefixes else ()
    forced = [*([] if special_ids.forced_first is None else [special_ids.forced_first]), *prefix]
    open_texts: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    ended: Found = []
    for t in range(max_length):
        candidates = []
        for text, total in open_texts:
            for token, log_prob in enumerate(log_probs(model, source, text)):
                if t + 1 == max_length and special_ids.forced_last is not None:
                    if token == special_ids.forced_last:
                        candidates.append(((*text, token), total))
                elif t < len(forced):
                    if token == forced[t]:
                        candidates.append(((*text, token), total))
                elif token not in special_ids.banned and (token != END or t >= config.min_length):
                    candidates.append(((*text, token), total + log_prob))
        candidates.sort(key=lambda one: -one[1])  # stable: ties stay in order of (beam, token)
        for text, total in candidates[:k]:
            if text[-1] == END or t + 1 == max_length:
                finished = text[-1] == END
                score = total / norm(t + 1, config)
                ended.append((text[:-1] if finished else text, score, finished))
        open_texts = [one for one in candidates[: 2 * k] if one[0][-1] != END][:k]
        if not open_texts or _done(ended, open_texts, config, max_length):
            break
    return sorted(ended, key=lambda one: -one[1])[: config.n_best]


def norm(length: int, config: DecodingConfig) -> float:
    if config.length_norm == "gnmt":
        return math.pow((5 + length) / 6, config.alpha)
    return math.pow(length, config.alpha)


def _done(ended: Found, open_texts: list, config: DecodingConfig, max_length: int) -> bool:
    if config.stop == "first_k":
        return len(ended) >= config.beam
    guess = config.stop == "current"
    n, length = (config.beam, len(open_texts[0][0])) if guess else (config.n_best, max_length)
    best = sorted((score for _, score, _ in ended), reverse=True)[:n]
    return len(best) == n and open_texts[0][1] / norm(length, config) <= best[-1]


def _score(
    model: RunningHash, source: Sequence[int], text: tuple[int, ...], config: DecodingConfig
) -> float:
    parts = (log_probs(model, source, text[:i])[token] for i, token in enumerate(text))
    return sum(parts) / norm(len(text), config)


def _hash(ids: Sequence[int]) -> int:
    state = 1
    for i in ids:
        state = (state * 31 + i + 7) % MODULUS
    return state


def _onward(state: Tensor, ids: Tensor) -> Tensor:
    return (state * 31 + ids + 7) % MODULUS
