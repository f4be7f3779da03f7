"""What a beam search considered for a text, as JSON values."""

from collections.abc import Sequence
from typing import Any

from pellucid.explain.beams import BeamNode, log_beams
from pellucid.explain.rows import Rows, Writing
from pellucid.formats.bundle import Bundle
from pellucid.inference.languages import choose_languages
from pellucid.text.tokenizer import Tokenizer


def describe_search(bundle: Bundle, rows: Rows, writing: Writing) -> dict[str, Any] | None:
    """Return the tree of the beam search that wrote a text, and the settings of its scores.

    None if there was none: the model does not read one text to write another, its search is no
    tree, or the text is not the search's own.
    """
    config = bundle.decoding
    is_tree = config.method == "beam" and config.beam > 1 and config.groups == 1
    if rows.source is None or rows.target is None or rows.inputs.ids is None or not is_tree:
        return None
    bundle = choose_languages(bundle, writing.to, writing.source_language)
    nodes = log_beams(bundle, rows.inputs.ids[0].tolist())
    if tuple(node.token for node in nodes if node.is_best) != rows.next_ids:
        return None
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
        "token": tokenizer.display([node.token])[0],
        "text": tokenizer.decode_output(ids[::-1]),
        "log_prob": node.log_prob,
        "score": node.score,
        "fate": node.fate,
        "is_best": node.is_best,
    }
