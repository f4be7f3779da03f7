"""The tree of a beam search: every text that was considered, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, check_request, start_cache
from pellucid.decoding.search import search_steps
from pellucid.decoding.search_state import SearchState, length_norm
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import Inputs, head_logits
from pellucid.inference.logits import check_inputs
from pellucid.inference.options import NO_OPTIONS, max_positions

NodeStatus = Literal["kept", "ended", "pruned", "open"]
NO_NODE = -1


@dataclass(frozen=True)
class BeamNode:
    """A text that was considered: a token after the text of another node."""

    step: int
    parent: int
    """Index of the node before it; `NO_NODE` for a first token."""
    token: int
    text: str
    """The token, readable."""
    log_prob: float
    """Sum over the tokens so far."""
    score: float
    """The same, normalized by length, by which finished texts are ranked."""
    status: NodeStatus
    """kept: it was continued. ended: it is a finished text. pruned: better ones filled the beam.
    open: it was not continued, because no text could become better than the finished ones."""
    is_best: bool = False
    """Whether it is part of the best text."""


def log_beams(
    bundle: Bundle,
    source: Sequence[int],
    config: DecodingConfig | None = None,
    prefix: Sequence[int] = (),
) -> list[BeamNode]:
    """Return all texts that a beam search for a source considers, in the order of the steps.

    source: ids as the model reads them. Each step has twice as many candidates as beams.
    prefix: ids with which every text begins, after a language code that the model always writes.
    They count in the log-probabilities as if the model had chosen them.
    Raises: UsageError if the settings do not search with beams of one group, the prefix ends a text
    or is too long, or no text is possible.
    """
    config = config or bundle.decoding
    if config.method != "beam" or config.groups > 1:
        raise UsageError("only a beam search of one group is a tree. Use method=beam, groups=1.")
    request = Request(
        [source],
        [prefix] if prefix else (),
        pad=bundle.tokenizers.source.roles.get("pad", 0),
        continues_source=bundle.model.encoder is None,
        max_positions=max_positions(bundle, NO_OPTIONS),
    )
    model, special_ids = bundle.model, bundle.special_ids
    check_request(model, request, special_ids, config)
    forced = _sum_prefix(bundle, source, prefix) if prefix else [0.0]
    cache, limits = start_cache(model, request, special_ids, config, [0])
    nodes: list[BeamNode] = []
    open_texts = [NO_NODE]  # the node of each row
    for state in search_steps(model, cache, special_ids, config, limits):
        extra = forced[min(len(state.steps), len(forced)) - 1]
        added = _list_candidates(bundle, config, state, open_texts, extra)
        first = len(nodes)
        nodes += added
        numbers = {(node.parent, node.token): first + i for i, node in enumerate(added)}
        rows = state.steps[-1][1]
        open_texts = [
            # Rows without a text have no node: where a token is forced, all but one.
            numbers.get((open_texts[parent], int(token)), NO_NODE)
            for parent, token in zip(*(x.reshape(-1) for x in rows[1:3]), strict=True)
        ]
    return _mark_best(nodes)


@torch.inference_mode()
def _sum_prefix(bundle: Bundle, source: Sequence[int], prefix: Sequence[int]) -> list[float]:
    """Return the log-probability of the forced tokens up to each step.

    Raises: UsageError if the prefix holds the end token, or an id that the model does not know.
    """
    special = bundle.special_ids
    if special.end in prefix:
        raise UsageError("the text to go on from is finished. Choose one without an end token.")
    language = [] if special.forced_first is None else [special.forced_first]
    written = [*language, *prefix]
    if bundle.model.encoder is None:
        inputs, start = Inputs(torch.tensor([[*source, *written]])), len(source) - 1
    else:
        read = torch.tensor([[special.start, *written]])
        inputs, start = Inputs(torch.tensor([list(source)]), target_ids=read), 0
    logits = head_logits(bundle, check_inputs(bundle, inputs), "lm")[0, start:-1]  # (P, V)
    ids = torch.tensor(written, device=logits.device)
    steps = logits.double().log_softmax(-1)[torch.arange(len(ids)), ids]
    steps[: len(language)] = 0.0  # as the search counts it
    return steps.cumsum(0).tolist()


def _list_candidates(
    bundle: Bundle, config: DecodingConfig, state: SearchState, open_texts: list[int], extra: float
) -> list[BeamNode]:
    """Return the candidates of the last step as nodes.

    extra: log-probability of forced tokens, which the search counts as 0.
    """
    assert state.candidates is not None
    step, norm = len(state.steps) - 1, length_norm(len(state.steps), config)
    ended = {(e.parent, e.token) for e in state.ended[0] if e.step == step}
    active, kept = state.steps[-1]
    rows = zip(*(x.reshape(-1).tolist() for x in (kept.parents, kept.tokens)), strict=True)
    continued = set(rows)
    nodes = []
    for value, parent, token in zip(*(x[0] for x in state.candidates), strict=True):
        if not np.isfinite(value):
            continue
        key = (int(parent), int(token))
        status: NodeStatus = "ended" if key in ended else "kept" if key in continued else "pruned"
        if status == "pruned" and not len(active) and len(nodes) < config.width:
            status = "open"
        nodes.append(
            BeamNode(
                step=step,
                parent=open_texts[key[0]],
                token=key[1],
                text=bundle.tokenizers.target.output_pieces([key[1]])[0],
                log_prob=float(value) + extra,
                score=(float(value) + extra) / norm,
                status=status,
            )
        )
    return nodes


def _mark_best(nodes: list[BeamNode]) -> list[BeamNode]:
    """Return the nodes with those of the best finished text marked."""
    ended = [i for i, node in enumerate(nodes) if node.status == "ended"]
    if not ended:
        raise UsageError(
            "the search finds no text: every token is banned, or the model's logits are NaN. Check"
            " the model's weights."
        )
    i = max(ended, key=lambda i: nodes[i].score)
    marked = list(nodes)
    while i >= 0:
        marked[i] = replace(marked[i], is_best=True)
        i = marked[i].parent
    return marked
