"""Logits processors: penalties, for every method, and filters, for sampling only.

A penalty depends on the tokens read so far. A filter is temperature, or keeps the likeliest tokens.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.search_state import NO_TOKEN

INF = float("inf")
Penalty = Callable[[Tensor, Tensor], Tensor]
"""(scores (R, V), texts (R, T) read so far) -> scores (R, V)."""
Filter = Callable[[Tensor], Tensor]
"""logits (R, V) -> logits (R, V)."""


def build_penalties(
    config: DecodingConfig, banned: Sequence[Sequence[int]] = ()
) -> tuple[Penalty, ...]:
    """Return the penalties that the config sets, in the order of their use.

    banned: sequences of ids, as of `SpecialIds.banned_sequences`.
    """
    chain: list[Penalty] = []
    if config.repetition_penalty != 1:
        chain.append(partial(repetition_penalty, penalty=config.repetition_penalty))
    if config.no_repeat_ngram:
        chain.append(partial(no_repeat_ngram, n=config.no_repeat_ngram))
    if banned:
        chain.append(partial(no_sequences, sequences=banned))
    return tuple(chain)


def build_filters(config: DecodingConfig) -> tuple[Filter, ...]:
    """Return the filters that the config sets, in the order of their use."""
    chain: list[Filter] = []
    if config.temperature != 1:
        chain.append(partial(torch.div, other=config.temperature))
    if config.top_k:
        chain.append(partial(top_k, k=config.top_k))
    if config.top_p < 1:
        chain.append(partial(top_p, mass=config.top_p))
    if config.min_p:
        chain.append(partial(min_p, share=config.min_p))
    if config.typical_p < 1:
        chain.append(partial(typical, mass=config.typical_p))
    return tuple(chain)


def repetition_penalty(scores: Tensor, texts: Tensor, penalty: float) -> Tensor:
    """Divide the scores of tokens that are in their text by `penalty`; multiply them if below 0.

    Source: Keskar et al. 2019, section 4.1; the dependence on the sign: the released code.
    """
    seen = _mark_ids(texts, scores)  # (R, V)
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def no_repeat_ngram(scores: Tensor, texts: Tensor, n: int) -> Tensor:
    """Set every token that would repeat an n-gram of its text to -inf.

    Source: Paulus et al. 2018, section 2.5.
    """
    if texts.shape[1] < n:
        return scores
    windows = texts.unfold(1, n, 1)  # (R, T - n + 1, n)
    prefix = texts[:, None, texts.shape[1] - n + 1 :]  # (R, 1, n - 1)
    again = (windows[:, :, :-1] == prefix).all(-1)  # (R, T - n + 1)
    return scores.masked_fill(_mark_ids(windows[:, :, -1].where(again, NO_TOKEN), scores), -INF)


def no_sequences(scores: Tensor, texts: Tensor, sequences: Sequence[Sequence[int]]) -> Tensor:
    """Set every token that would complete one of these sequences (2 ids or more) to -inf."""
    scores = scores.clone()
    for *prefix, last in sequences:
        if len(prefix) <= texts.shape[1]:
            latest = texts[:, texts.shape[1] - len(prefix) :]  # (R, n - 1)
            scores[(latest == latest.new_tensor(prefix)).all(-1), last] = -INF
    return scores


def top_k(logits: Tensor, k: int) -> Tensor:
    """Set all tokens below the k-th greatest logit to -inf.  Source: Fan et al. 2018."""
    least = logits.topk(min(k, logits.shape[1])).values[:, -1:]  # (R, 1)
    return logits.masked_fill(logits < least, -INF)


def top_p(logits: Tensor, mass: float) -> Tensor:
    """Keep the smallest set of most probable tokens whose probabilities sum to `mass`.

    Source: Holtzman et al. 2020, section 3.1.
    """
    rising, indices = logits.sort(dim=-1)
    # Ascending sums have smaller rounding errors than descending ones.
    out = rising.softmax(-1).cumsum(-1) <= 1 - mass  # (R, V)
    out[:, -1] = False
    return logits.masked_fill(out.scatter(1, indices, out), -INF)


def min_p(logits: Tensor, share: float) -> Tensor:
    """Set tokens less probable than `share` of the most probable to -inf.

    Source: Nguyen et al. 2025, section 3.
    """
    probs = logits.softmax(-1)
    least = share * probs.amax(-1, keepdim=True)  # (R, 1)
    return logits.masked_fill(probs < least, -INF)


def typical(logits: Tensor, mass: float) -> Tensor:
    """Keep the smallest set of tokens nearest to the entropy whose probabilities sum to `mass`.

    Source: Meister et al. 2023, eq. 10.
    """
    log_probs = logits.log_softmax(-1)
    probs = log_probs.exp()
    entropy = -(log_probs * probs).nansum(-1, keepdim=True)  # (R, 1); 0 log 0 counts nothing
    distance = (log_probs + entropy).abs()  # (R, V)
    ranked, indices = distance.sort(dim=-1)
    before = probs.gather(1, indices).cumsum(-1) < mass  # (R, V)
    last = before.sum(-1, keepdim=True).clamp(max=logits.shape[1] - 1)  # (R, 1)
    return logits.masked_fill(distance > ranked.gather(1, last), -INF)


def _mark_ids(tokens: Tensor, scores: Tensor) -> Tensor:
    """Return (R, V), True for the tokens (R, N) of each row; NO_TOKEN is ignored."""
    size = scores.shape[1]
    marked = torch.zeros(len(tokens), size + 1, dtype=torch.bool, device=scores.device)
    # Ids outside the vocabulary go to an extra column.
    marked.scatter_(1, tokens.where((tokens >= 0) & (tokens < size), size), True)
    return marked[:, :size]
