"""Activation patching: which state of one run, put into another, restores its output.

Source: Vig et al. 2020, section 4; Meng et al. 2022, section 2.1.
"""

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.attribution import Output
from pellucid.explain.names import name_array
from pellucid.explain.trace import Trace
from pellucid.taps import edit, taps


@torch.inference_mode()
def patch_states(output: Output, other: Trace, side: str) -> tuple[list[str], np.ndarray]:
    """Put each state of another run into the run of an output, one at a time.

    output: of the run that is changed. other: a trace of a text with as many tokens in this stack.
    side: the stack whose states are replaced, encoder or decoder.
    Returns the names of the states, embedding first, and the change of the log-probability of the
    output's token (L + 1, T): for each name and each position, where only that state is replaced.
    Raises: UsageError if the texts differ in their numbers of tokens.
    """
    model = output.bundle.model
    paths = {name_array(path): path for path in taps(model)}
    names = [f"{side}.embedding.output"]
    names += [
        name
        for name in other.arrays
        if name.startswith(f"{side}.layers.") and name.endswith(".feed_forward.output")
    ]
    original, changes = float(output.score()), []
    for name in names:
        states = torch.from_numpy(other[name])  # (T, D)

        def patch(_: str, x: Tensor, states: Tensor = states) -> Tensor:
            n = len(states)
            if x.shape[1] != n:
                raise UsageError(
                    f"the texts have {x.shape[1]} and {n} tokens. Patching needs texts of one"
                    " length: change single words."
                )
            x, positions = x.clone(), torch.arange(n)
            x[positions, positions] = states.to(x)
            return x

        with edit(model, paths[name], patch):
            changes.append(output.score(len(states)).cpu().numpy() - original)
    return names, np.stack(changes)
