"""Which states of a second text bring back its answers, as JSON values."""

from dataclasses import asdict
from typing import Any

import numpy as np

from pellucid.explain.patching import patch_runs, read_second
from pellucid.explain.prediction import name_output
from pellucid.explain.rows import Rows
from pellucid.explorer.request import TextRequest
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import choose_head

DECIMALS = 4


def describe_patches(
    bundle: Bundle, rows: Rows, request: TextRequest, other: str
) -> dict[str, Any]:
    """Return what patches from another text do to the run of a text; see `Patches`.

    rows: of the request. Shares without a value are None.
    Raises: UsageError as `read_second` and `patch_runs`.
    """
    second = read_second(bundle, rows, (request.text, other), request.writing)
    patches = patch_runs(bundle, rows, second, request.chosen_head)
    config = bundle.model.head_configs[choose_head(bundle, request.chosen_head)]
    texts = {"source": second.source, "target": second.target}
    return {
        "tokens": {
            side: [] if text is None else [asdict(token) for token in text.tokens]
            for side, text in texts.items()
        },
        "pairs": {side: pairs.T.tolist() for side, pairs in patches.pairs.items()},
        "answers": [
            [name_output(bundle, config, i) for i in answers]
            for answers in patches.answers.tolist()
        ],
        "log_probs": _round(patches.log_probs),
        "states": {name: _round(shares) for name, shares in patches.states.items()},
        "heads": {path: _round(shares) for path, shares in patches.heads.items()},
    }


def _round(x: np.ndarray) -> Any:
    """Return an array as lists of what a page can show; None where there is no number."""
    rounded = x.round(DECIMALS).astype(object)
    rounded[~np.isfinite(x)] = None
    return rounded.tolist()
