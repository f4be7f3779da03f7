"""Prompts to texts, and gaps to words: what a language model says by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate, padded, stop_strings
from pellucid.decoding.search import Hypothesis, Vocabulary
from pellucid.errors import UsageError
from pellucid.families.directory import ModelDirectory
from pellucid.tasks.embedding import wrapped
from pellucid.tasks.logits import Inputs, choose, logits, token_id

NEVER = -1  # no token has it: a model without an end token goes on to the longest length


@dataclass(frozen=True)
class Generated:
    """One text that a model wrote."""

    text: str
    """What was written, without the prompt."""
    score: float
    """Length-normalised log-probability."""
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    finished: bool
    """Whether it ended by an end token or a stop string; if not, it was cut."""


class Filled(NamedTuple):
    """One word for a gap."""

    token: str
    probability: float


def write(
    directory: ModelDirectory,
    prompts: Sequence[str],
    config: DecodingConfig,
    stop: Sequence[str] = (),
) -> list[list[Generated]]:
    """`n_best` texts for each prompt, best first.

    A decoder alone continues the prompt; an encoder-decoder reads it, and writes another text.
    Raises: UsageError if the model writes nothing, or as `generate`.
    """
    if "lm" not in directory.model.head_configs or directory.model.decoder is None:
        raise UsageError("this model has no head that writes text.")
    alone = directory.model.encoder is None
    source, target = directory.tokenizers.source, directory.tokenizers.target
    rows = source.encode_batch(prompts) if alone else wrapped(directory, prompts)
    request = Request(
        rows,
        pad=source.roles.get("pad", 0),
        continued=alone,
        stopped=stop_strings(target.decode, stop) if stop else None,
    )
    found = generate(directory.model, request, vocabulary(directory), config)
    return [[_generated(directory, h, stop) for h in hypotheses] for hypotheses in found]


def vocabulary(directory: ModelDirectory) -> Vocabulary:
    """The ids that a search must know: the directory's own, else the roles' of its family."""
    roles, told = directory.roles, directory.token_ids
    end = token_id(directory, roles.end) if roles.end else None
    start = told.get("decoder_start_token_id")
    start = token_id(directory, roles.start) if start is None and roles.start else start
    banned = [token_id(directory, role) for role in roles.banned]
    return Vocabulary(
        start=(0 if end is None else end) if start is None else start,
        end=NEVER if end is None else end,
        banned=tuple(i for i in banned if i is not None and i != end),
        forced_first=told.get("forced_bos_token_id"),
    )


def fill(directory: ModelDirectory, texts: Sequence[str], top: int = 5) -> list[list[list[Filled]]]:
    """For each gap of each text, the `top` likeliest tokens, best first.

    A gap is the mask token as the tokenizer spells it, e.g. "[MASK]" or "<mask>".
    Raises: UsageError if the model fills no gaps, or a text has none.
    """
    head = choose(directory, "mlm")
    tokenizer = directory.tokenizers.source
    mask, name = tokenizer.id("mask"), tokenizer.tokens["mask"]
    rows = []
    for text in texts:
        before, *after = text.split(name)
        if not after:
            raise UsageError(f"there is no gap in {text[:60]!r}. Write {name} where one is.")
        ids = list(tokenizer.encode(before.rstrip(" ")).ids)
        for part in after:
            ids += [mask, *tokenizer.encode(part).ids]
        rows.append(tokenizer.with_specials(ids).ids)
    ids, keep = padded(rows, tokenizer.roles.get("pad", 0), torch.device("cpu"))
    found = logits(directory, Inputs(ids, keep), head).softmax(-1).cpu()  # (B, T, V)
    return [
        [_best(directory, found[row, place], top) for place in (ids[row] == mask).nonzero()[:, 0]]
        for row in range(len(rows))
    ]


def _best(directory: ModelDirectory, probabilities: torch.Tensor, top: int) -> list[Filled]:
    values, ids = probabilities.topk(min(top, len(probabilities)))
    pieces = directory.tokenizers.source.display(ids.tolist())
    return [Filled(p, v) for p, v in zip(pieces, values.tolist(), strict=True)]


def _generated(directory: ModelDirectory, h: Hypothesis, stop: Sequence[str]) -> Generated:
    tokenizer = directory.tokenizers.target
    text = tokenizer.decode(h.ids)
    for string in stop:
        text = text.split(string)[0]
    return Generated(text, h.score, tuple(tokenizer.pieces(h.ids)), h.ids, h.finished)
