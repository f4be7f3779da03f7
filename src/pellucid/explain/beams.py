"""The tree of a beam search: every text that was considered, and what became of it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, start_cache
from pellucid.decoding.search import search_steps
from pellucid.decoding.search_state import SearchState, length_norm
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.options import NO_OPTIONS, max_positions

Fate = Literal["kept", "ended", "pruned", "open"]


@dataclass(frozen=True)
class BeamNode:
    """A text that was considered: a token after the text of another node."""

    step: int
    parent: int
    """Index of the node before it; -1 for a first token."""
    token: int
    text: str
    """The token, readable."""
    log_prob: float
    """Sum over the tokens so far."""
    score: float
    """The same, normalized by length, by which finished texts are ranked."""
    fate: Fate
    """kept: it was continued. ended: it is a finished text. pruned: better ones filled the beam.
    open: it was not continued, because no text could become better than the finished ones."""
    is_best: bool = False
    """Whether it is part of the best text."""


def log_beams(
    bundle: Bundle, source: list[int], config: DecodingConfig | None = None
) -> list[BeamNode]:
    """Return all texts that a beam search for a source considers, in the order of the steps.

    source: ids as the model reads them. Each step has twice as many candidates as beams.
    Raises: UsageError if the settings do not search with beams of one group.
    """
    config = config or bundle.decoding
    if config.method != "beam" or config.groups > 1:
        raise UsageError("only a beam search of one group is a tree. Use method=beam, groups=1.")
    request = Request(
        [source],
        pad=bundle.tokenizers.source.roles.get("pad", 0),
        continued=bundle.model.encoder is None,
        bound=max_positions(bundle, NO_OPTIONS),
    )
    model, special_ids = bundle.model, bundle.special_ids
    cache, limits = start_cache(model, request, special_ids, config, [0])
    nodes: list[BeamNode] = []
    open_texts = [-1]  # the node of each row
    for state in search_steps(model, cache, special_ids, config, limits):
        added = _list_candidates(bundle, config, state, open_texts)
        first = len(nodes)
        nodes += added
        rows = state.steps[-1][1]
        open_texts = [
            first + _find(added, open_texts[parent], int(token))
            for parent, token in zip(*(x.reshape(-1) for x in rows[1:3]), strict=True)
        ]
    return _mark_best(nodes)


def _list_candidates(
    bundle: Bundle, config: DecodingConfig, state: SearchState, open_texts: list[int]
) -> list[BeamNode]:
    """Return the candidates of the last step as nodes."""
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
        fate: Fate = "ended" if key in ended else "kept" if key in continued else "pruned"
        if fate == "pruned" and not len(active) and len(nodes) < config.width:
            fate = "open"
        nodes.append(
            BeamNode(
                step=step,
                parent=open_texts[key[0]],
                token=key[1],
                text=bundle.tokenizers.target.output_pieces([key[1]])[0],
                log_prob=float(value),
                score=float(value) / norm,
                fate=fate,
            )
        )
    return nodes


def _find(nodes: list[BeamNode], parent: int, token: int) -> int:
    """Return the index of the node of a token after another node."""
    return next(i for i, node in enumerate(nodes) if (node.parent, node.token) == (parent, token))


def _mark_best(nodes: list[BeamNode]) -> list[BeamNode]:
    """Return the nodes with those of the best finished text marked."""
    ended = [i for i, node in enumerate(nodes) if node.fate == "ended"]
    i = max(ended, key=lambda i: nodes[i].score)
    marked = list(nodes)
    while i >= 0:
        marked[i] = replace(marked[i], is_best=True)
        i = marked[i].parent
    return marked
