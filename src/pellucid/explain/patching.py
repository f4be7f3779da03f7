"""Activation patching: which state of one run, put into another, brings back its answer.

A model reads two texts. Each state of the second run is put into the first one, one at a time, and
the rest is computed from it.

Source: Vig et al. 2020, section 4; Meng et al. 2022, section 2.1; normalized differences of logits
as in Wang et al. 2023, section 3.1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.names import Side, name_array
from pellucid.explain.outputs import log_probabilities, run_once
from pellucid.explain.rows import Rows, Writing, read_rows
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import Inputs, head_logits
from pellucid.inference.logits import check_inputs, choose_head
from pellucid.taps import edit, record, taps

EMBEDDED = ".embedding.output"
LAST_STATE = ".feed_forward.output"
"""The end of the tap of a layer's output."""
CONTEXT = ".context"
"""The end of the tap of the outputs of an attention's heads."""


@dataclass(frozen=True)
class Patches:
    """What the states of a second run do in a first one, at each position of the output.

    A share is how far a patch moves the first run to the answer of the second: with d, the
    log-probability of the second answer minus that of the first, (d_patched - d_first) /
    (d_second - d_first). 0 is the first run, 1 the second. NaN where both answer the same.
    """

    answers: np.ndarray
    """Most probable output of both runs, (2, P)."""
    log_probs: np.ndarray
    """In both runs, of both answers, (2, 2, P)."""
    states: Mapping[str, np.ndarray]
    """The share of the state of each pair's token after the embedding and each layer, (N, P)."""
    heads: Mapping[str, np.ndarray]
    """The share of each head's outputs for all tokens, (H, P), by the path of the attention."""
    pairs: Mapping[Side, np.ndarray]
    """Tokens of the first run, and those of the second whose states take their place, (2, N)."""


def read_second(bundle: Bundle, rows: Rows, texts: tuple[str, str], writing: Writing) -> Rows:
    """Return what the model reads for a second text, with what it wrote for the first one.

    So the runs differ in the text that is read alone, and positions of the output correspond.
    rows: of the first of the two texts. Raises: UsageError as `read_rows`, or if both are the same.
    """
    continues = bundle.model.encoder is None
    unwritten = replace(writing, target=None if continues else "", max_new=0)
    first, second = (read_rows(bundle, text, unwritten) for text in texts)
    read, other = first.inputs.ids, second.inputs.ids  # (1, T)
    if torch.equal(read, other):
        raise UsageError("both texts are the same. Change a word of the second one.")
    if continues:
        written = rows.inputs.ids[:, read.shape[1] :]
        ids = torch.cat((other, written), 1)
        assert second.target is not None
        assert rows.target is not None
        tokens = (*second.target.tokens, *rows.target.tokens[read.shape[1] :])
        target = replace(second.target, tokens=tokens)
        return Rows(Inputs(ids), target=target, next_ids=tuple(ids[0, 1:].tolist()))
    if not rows.next_ids:  # it reads, and writes nothing
        return second
    return replace(rows, inputs=rows.inputs._replace(ids=other), source=second.source)


def pair_tokens(first: Sequence[int], second: Sequence[int]) -> np.ndarray:
    """Return pairs of positions of two rows of ids, (2, N).

    Equal ids are paired from the beginning, the rest from the end.
    """
    shorter, start = min(len(first), len(second)), 0
    while start < shorter and first[start] == second[start]:
        start += 1
    ends = np.arange(start - shorter, 0) + np.array([[len(first)], [len(second)]])
    return np.concatenate((np.tile(np.arange(start), (2, 1)), ends), 1)


@torch.inference_mode()
def patch_runs(bundle: Bundle, first: Rows, second: Rows, head: str | None = None) -> Patches:
    """Put the states of a second run into a first one, one at a time; see `read_second`.

    Raises: UsageError if the model has no layers, or reads a text in pieces; if its head gives no
    distribution, or the outputs of the runs differ in number.
    """
    name = choose_head(bundle, head)
    runs = _Runs(bundle, first, second, name)
    pairs = _pair_runs(first, second)
    states, heads = dict[str, np.ndarray](), dict[str, np.ndarray]()
    for path, calls in _record(bundle, second, name).items():
        other = calls[0]
        at, by = torch.from_numpy(pairs["source" if path.startswith("encoder.") else "target"])
        if path.endswith(CONTEXT):
            shares = runs.measure(path, partial(_put_head, other, at, by), len(other))
            heads[name_array(path).removesuffix(CONTEXT)] = shares
        else:
            put = partial(_put_token, other, at, by)
            states[name_array(path)] = runs.measure(path, put, len(at))
    return Patches(runs.answers.cpu().numpy(), runs.log_probs.cpu().numpy(), states, heads, pairs)


class _Runs:
    """Both runs, and what a patch changes in the first."""

    def __init__(self, bundle: Bundle, first: Rows, second: Rows, head: str) -> None:
        self.bundle, self.rows, self.head = bundle, first, head
        self.original, self.n_rows = run_once(bundle, first, head)  # (P, V)
        changed = log_probabilities(bundle, second, 1, head)[0]
        if changed.shape != self.original.shape:
            raise UsageError(
                f"the outputs for the texts have {len(self.original)} and {len(changed)} positions"
                " that do not correspond. Change single words, so that both have as many tokens."
            )
        both = torch.stack((self.original, changed))
        self.answers = both.argmax(-1)  # (2, P)
        self.log_probs = both.gather(2, self.answers.T.expand(2, -1, -1)).mT  # (2, 2, P)
        self.d_first, self.d_second = self.log_probs[:, 1] - self.log_probs[:, 0]  # (P,)

    def measure(self, path: str, put: Callable[[Tensor, Tensor], Tensor], n: int) -> np.ndarray:
        """Return the shares (N, P) of n patches at a tap. put: called with numbers and tensor."""
        shares = []
        for chosen in torch.arange(n).split(self.n_rows):
            with edit(self.bundle.model, path, lambda _, x, chosen=chosen: put(chosen, x)):
                shares.append(self._share(len(chosen)))
        return np.concatenate(shares)

    def _share(self, n: int) -> np.ndarray:
        log_probs = log_probabilities(self.bundle, self.rows, n, self.head)  # (N, P, V)
        positions = torch.arange(len(self.original), device=log_probs.device)
        first, second = (log_probs[:, positions, each] for each in self.answers)  # (N, P)
        return ((second - first - self.d_first) / (self.d_second - self.d_first)).cpu().numpy()


def _put_token(other: Tensor, at: Tensor, by: Tensor, chosen: Tensor, x: Tensor) -> Tensor:
    """Return states (N, T, D) with one token of a pair in each row from other states (T, D)."""
    x = x.clone()
    x[torch.arange(len(chosen)), at[chosen]] = other[by[chosen]].to(x)
    return x


def _put_head(other: Tensor, at: Tensor, by: Tensor, chosen: Tensor, x: Tensor) -> Tensor:
    """Return outputs of heads (N, H, T, K) with one head in each row from others (H, T, K)."""
    x, heads = x.clone(), chosen[:, None]
    x[torch.arange(len(chosen))[:, None], heads, at] = other[heads, by].to(x)
    return x


def _pair_runs(first: Rows, second: Rows) -> dict[Side, np.ndarray]:
    """Return the pairs of tokens that each stack reads."""
    (a, _, c, _), (b, _, d, _) = first.inputs, second.inputs
    if first.source is None:
        return {"target": pair_tokens(a[0].tolist(), b[0].tolist())}
    pairs: dict[Side, np.ndarray] = {"source": pair_tokens(a[0].tolist(), b[0].tolist())}
    if c is not None and d is not None:
        pairs["target"] = pair_tokens(c[0].tolist(), d[0].tolist())
    return pairs


def _record(bundle: Bundle, rows: Rows, head: str) -> dict[str, Tensor]:
    """Return the states of a run after the embeddings and each layer, and outputs of heads.

    Raises: UsageError as `patch_runs`.
    """
    if not any(path.endswith(LAST_STATE) for path in taps(bundle.model)):
        raise UsageError("this model is recurrent: it has no layers whose states can be exchanged.")
    with record(bundle.model, lambda path: path.endswith((EMBEDDED, LAST_STATE, CONTEXT))) as read:
        head_logits(bundle, check_inputs(bundle, rows.inputs), head)
    if any(len(calls) > 1 for calls in read.values()):
        raise UsageError("this model reads the text in pieces. Use a shorter text.")
    return {path: x for path, (x,) in read.items()}
