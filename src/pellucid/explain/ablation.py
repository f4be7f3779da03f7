"""Switch parts of a model off, and measure what changes.

A head that is off adds nothing (its output is 0), a sublayer that is off adds nothing to the
residual stream, an edge that is off cannot be attended to (its score is -inf), and positions that
are off are 0. A query without keys gets weights of 0.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.errors import UsageError
from pellucid.explain.names import name_array
from pellucid.explain.outputs import (
    choose_next_ids,
    choose_outputs,
    compute_logits,
    log_probabilities,
    run_once,
    to_log_probs,
)
from pellucid.explain.prediction import Prediction, Text, predict
from pellucid.explain.rows import Rows
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import choose_head
from pellucid.nn.attention import Attention
from pellucid.taps import edit, taps


@dataclass(frozen=True)
class Switch:
    """A part of a model that is off."""

    path: str
    """An attention or a feed-forward, as in a trace: `decoder.layers.0.cross`. Or what tells
    positions: `encoder.embedding.position_vectors`, see `explain.switches`."""
    head: int | None = None
    """One head of an attention; None means all."""
    query: int | None = None
    """With `key`, the edge from this position; None means from all."""
    key: int | None = None
    """The position that cannot be attended to; None means that the whole part is off."""


@dataclass(frozen=True)
class Effect:
    """What switching parts off changes, at each position of the output."""

    log_probs: tuple[float, ...]
    """Change of the log-probability of the chosen token or label."""
    divergences: tuple[float, ...]
    """Kullback-Leibler divergence of the new distribution from the original one, in nats."""
    instead: tuple[int | None, ...]
    """The output that is most probable then; None where it is the same as with all parts."""


class Changed(NamedTuple):
    """The output without some parts."""

    effect: Effect
    prediction: Prediction


@torch.inference_mode()
def measure_group(
    bundle: Bundle, rows: Rows, group: Sequence[Switch], head: str | None = None, top: int = 10
) -> Changed:
    """Return the effect of a group of switches, and what the head says then.

    top: number of candidates at each position. Raises: UsageError as `measure_effects`.
    """
    name = choose_head(bundle, head)
    original = log_probabilities(bundle, rows, 1, name)[0]  # (T, V)
    with switched_off(bundle.model, [group]):
        logits = compute_logits(bundle, rows, 1, name)  # (1, T, V)
    next_ids = choose_next_ids(bundle, rows, name)
    changed = to_log_probs(bundle, rows, name, logits)
    (effect,) = _compare(original, changed, choose_outputs(original, next_ids))
    is_whole = bundle.model.head_configs[name].kind == "sequence"
    text = Text(next_ids, rows.words)
    return Changed(
        effect, predict(bundle, name, logits[0, 0] if is_whole else logits[0], top, text)
    )


@torch.inference_mode()
def measure_effects(
    bundle: Bundle, rows: Rows, groups: Sequence[Sequence[Switch]], head: str | None = None
) -> Iterator[Effect]:
    """Yield the effect of each group of switches, in their order; groups are run in batches.

    The chosen token of a position is the one that follows in the text, or else the most probable.
    Raises: UsageError if the model lacks a part, or the head gives no distribution.
    """
    name = choose_head(bundle, head)
    original, n_rows = run_once(bundle, rows, name)
    chosen = choose_outputs(original, choose_next_ids(bundle, rows, name))  # (T,)
    for start in range(0, len(groups), n_rows):
        batch = groups[start : start + n_rows]
        with switched_off(bundle.model, batch):
            changed = log_probabilities(bundle, rows, len(batch), name)
        yield from _compare(original, changed, chosen)


def list_heads(model: nn.Module) -> list[Switch]:
    """Return a switch for each head of each attention, in the order of the model."""
    return [
        Switch(name_array(path), head)
        for path, module in model.named_modules()
        if isinstance(module, Attention)
        for head in range(module.n_heads)
    ]


@contextmanager
def switched_off(model: nn.Module, groups: Sequence[Sequence[Switch]]) -> Iterator[None]:
    """Switch parts off while the context is open: group n in row n of a batch.

    A single group counts for all rows. Raises: UsageError naming a part that the model lacks.
    """
    rows: list[int | slice] = [slice(None)] if len(groups) == 1 else list(range(len(groups)))
    by_tap: dict[str, list[tuple[int | slice, Switch]]] = {}
    paths = {name_array(path): path for path in taps(model)}
    for row, group in zip(rows, groups, strict=True):
        for switch in group:
            by_tap.setdefault(_find_tap(switch, paths), []).append((row, switch))
    config = getattr(model, "config", None)
    memory = config.mem_len if isinstance(config, TransformerXLConfig) else 0
    with ExitStack() as stack:
        for path, switches in by_tap.items():
            stack.enter_context(edit(model, path, _Off(switches, len(groups), memory)))
            if path.endswith(".scores"):
                weights = f"{path.removesuffix('scores')}weights"
                stack.enter_context(edit(model, weights, _without_nan))
        yield


def _find_tap(switch: Switch, paths: dict[str, str]) -> str:
    """Return the path of the tap at which a switch acts."""
    if switch.path in paths:
        return paths[switch.path]
    name = "scores" if switch.key is not None else "added" if switch.head is None else "context"
    path = paths.get(f"{switch.path}.{name}")
    if path is None:
        known = sorted(p.removesuffix(f".{name}") for p in paths if p.endswith(f".{name}"))
        raise UsageError(
            f"{switch.path!r} cannot be switched off so. This model has:"
            f" {', '.join(known) or 'no such part'}."
        )
    return path


class _Off:
    """Replaces what passes a tap where a switch is off."""

    def __init__(
        self, switches: Sequence[tuple[int | slice, Switch]], n_rows: int, memory: int
    ) -> None:
        """memory: number of keys before the text."""
        self.switches = switches
        self.n_rows, self.memory = n_rows, memory

    def __call__(self, path: str, x: Tensor) -> Tensor:
        """x: scores (N, H, T, S), contexts (N, H, T, K), or what a sublayer adds (N, T, D).

        Positions may be shared by all rows: vectors (T, D), and biases of scores (1, H, T, S).
        """
        if self.n_rows > 1 and (x.dim() == 2 or len(x) == 1):
            x = x.expand(self.n_rows, *(x.shape if x.dim() == 2 else x.shape[1:]))
        x = x.clone()
        for row, switch in self.switches:
            heads = slice(None) if switch.head is None else switch.head
            if switch.key is not None:
                key = self.memory + switch.key
                if key >= x.shape[-1]:  # while a text is written, not all of its tokens are there
                    continue
                queries = slice(None) if switch.query is None else switch.query
                x[row, heads, queries, key] = float("-inf")
            elif switch.head is not None:
                x[row, heads] = 0.0
            else:
                x[row] = 0.0
        return x


def _without_nan(path: str, weights: Tensor) -> Tensor:
    """Return weights with 0 in rows without keys, whose softmax is 0 / 0."""
    return weights.nan_to_num(0.0)


def _compare(original: Tensor, changed: Tensor, chosen: Tensor) -> list[Effect]:
    """Return the effects of changed log-probabilities (N, T, V) against the original ones (T, V).

    chosen: (T,), the output of each position whose log-probability counts.
    """
    positions = torch.arange(len(chosen), device=chosen.device)
    differences = changed[:, positions, chosen] - original[positions, chosen]  # (N, T)
    divergences = (original.exp() * (original - changed)).nansum(-1)  # (N, T); 0 * inf is 0
    best = original.argmax(-1).tolist()
    columns = (differences.tolist(), divergences.tolist(), changed.argmax(-1).tolist())
    return [
        Effect(
            tuple(difference),
            tuple(divergence),
            tuple(None if new == old else new for new, old in zip(then, best, strict=True)),
        )
        for difference, divergence, then in zip(*columns, strict=True)
    ]
