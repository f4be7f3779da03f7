"""What a beam search considered for a text, as JSON values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError
from pellucid.explain.beams import BeamNode, log_beams
from pellucid.explain.rows import Rows, Writing, read_rows
from pellucid.formats.bundle import Bundle
from pellucid.inference.languages import choose_languages
from pellucid.inference.methods import can_generate
from pellucid.text.tokenizer import Tokenizer

MAX_BEAM = 10
"""Of the widest search that a reader can ask for."""
USUAL_BEAM = 4
"""Where the model's own search keeps one text."""


@dataclass(frozen=True)
class SearchRequest:
    """What a reader chooses of a search."""

    beam: int = 0
    """0 is left to the model."""
    prefix: tuple[int, ...] = ()
    """Ids of tokens with which every text begins."""

    def __post_init__(self) -> None:
        if not 0 <= self.beam <= MAX_BEAM:
            raise UsageError(f"beam={self.beam}: the page draws searches of 1 to {MAX_BEAM} texts.")


def describe_search(bundle: Bundle, rows: Rows, writing: Writing) -> dict[str, Any] | None:
    """Return the tree of the beam search that wrote a text, and the settings of its scores.

    None if there was none: the model does not read one text to write another, its search is no
    tree, or the text is not the search's own.
    """
    config = bundle.decoding
    is_tree = config.method == "beam" and config.beam > 1 and config.groups == 1
    if not (can_generate(bundle) and is_tree):
        return None
    if rows.source is None or rows.target is None or rows.inputs.ids is None:
        return None
    bundle = choose_languages(bundle, writing.to, writing.source_language)
    nodes = log_beams(bundle, rows.inputs.ids[0].tolist())
    if tuple(node.token for node in nodes if node.is_best) != rows.next_ids:
        return None
    return _describe_tree(bundle, nodes, config)


def search_again(
    bundle: Bundle, text: str, writing: Writing, settings: SearchRequest
) -> dict[str, Any]:
    """Return the tree of a beam search with a reader's settings; see `describe_search`.

    A decoder-only model continues the text with at most `writing.max_new` tokens.
    Raises: UsageError if the model does not write, or as `log_beams`.
    """
    if not can_generate(bundle):
        raise UsageError("this model writes no text, so it searches for none.")
    continues = bundle.model.encoder is None
    # Nothing is written yet: the search below does that.
    unwritten = replace(writing, target=None if continues else "", max_new=0)
    rows = read_rows(bundle, text, unwritten)
    config = _choose_config(bundle.decoding, settings.beam)
    if continues:
        config = replace(config, max_length=max(1, writing.max_new) + len(settings.prefix))
    bundle = choose_languages(bundle, writing.to, writing.source_language)
    nodes = log_beams(bundle, rows.inputs.ids[0].tolist(), config, settings.prefix)
    return {**_describe_tree(bundle, nodes, config), "forced": len(settings.prefix)}


def _choose_config(config: DecodingConfig, beam: int) -> DecodingConfig:
    """Return the settings of a search that is a tree; beam=0: as wide as the model's."""
    if config.method != "beam" or config.groups > 1:
        config = DecodingConfig()
    usual = config.beam if config.beam > 1 else USUAL_BEAM
    return replace(config, beam=beam or min(usual, MAX_BEAM), n_best=1)


def _describe_tree(
    bundle: Bundle, nodes: Sequence[BeamNode], config: DecodingConfig
) -> dict[str, Any]:
    return {
        "beam": config.beam,
        "length_norm": config.length_norm,
        "alpha": config.alpha,
        "nodes": [_describe_node(bundle.tokenizers.target, nodes, i) for i in range(len(nodes))],
    }


def _describe_node(tokenizer: Tokenizer, nodes: Sequence[BeamNode], i: int) -> dict[str, Any]:
    node, ids = nodes[i], list[int]()
    while i >= 0:
        ids.append(nodes[i].token)
        i = nodes[i].parent
    return {
        "step": node.step,
        "parent": node.parent,
        "id": node.token,
        "token": tokenizer.display([node.token])[0],
        "text": tokenizer.decode_output(ids[::-1]),
        "log_prob": node.log_prob,
        "score": node.score,
        "status": node.status,
        "is_best": node.is_best,
    }
