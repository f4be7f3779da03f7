"""Check that CTranslate2 computes the same outputs from a directory as our model."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import VerificationError
from pellucid.formats.bundle import Bundle
from pellucid.formats.ctranslate_spec import find_pooler
from pellucid.nn.model import Transformer

TOLERANCE = 1e-4
"""Absolute, and relative to the largest output if that is above 1."""
LENGTHS = (7, 4)
Rows = list[list[int]]
Vocabularies = tuple[list[str], list[str]]
"""The pieces of source and target, by id."""


@torch.inference_mode()
def check_outputs(directory: Path, bundle: Bundle, start: int, vocabularies: Vocabularies) -> None:
    """Compare the outputs of both for two random sources and targets of different lengths.

    start: the first token that the decoder reads.
    Raises: VerificationError if the outputs differ.
    """
    model = bundle.model
    assert isinstance(model, Transformer)
    rng = torch.Generator().manual_seed(0)
    sources, targets = (
        [torch.randint(len(vocabulary), (n,), generator=rng).tolist() for n in lengths]
        for vocabulary, lengths in zip(vocabularies, (LENGTHS, LENGTHS[::-1]), strict=True)
    )
    if model.decoder is None:
        expected = [_compute_states(model, row) for row in sources]
    elif model.encoder is None:
        expected = [model.heads["lm"](model(torch.tensor([row])))[0] for row in sources]
    else:
        end = bundle.tokenizers.target.id(bundle.roles.end)
        targets = [[*(i for i in target if i != end), end] for target in targets]
        pairs = zip(sources, targets, strict=True)
        expected = [_log_probs(model, source, target, start) for source, target in pairs]
    outputs = _run_ctranslate2(directory, vocabularies, model, sources, targets)
    for reference, output in zip(expected, outputs, strict=True):
        difference = float((reference - output).abs().max())
        if not difference <= TOLERANCE * max(1.0, float(reference.abs().max())):
            raise VerificationError(
                f"CTranslate2 gives other numbers than this model ({difference:.2g} apart), so"
                " nothing was written. Its version may not know this kind of model: try another."
            )


def _compute_states(model: Transformer, source: list[int]) -> Tensor:
    """Return the states (S, D), and the output (D,) of the pooling layer as one more if any."""
    states, pooler = model(torch.tensor([source]))[0], find_pooler(model)
    if pooler is None:
        return states
    head: Any = model.heads[pooler]
    return torch.cat([states, head.activation(head.transform(states[:1]))])


def _log_probs(model: Transformer, source: list[int], target: list[int], start: int) -> Tensor:
    """Return the log-probabilities of a target's tokens: (T,)."""
    state = model(torch.tensor([source]), None, torch.tensor([[start, *target[:-1]]]))  # (1, T, D)
    log_probs = model.heads["lm"](state).log_softmax(-1)  # (1, T, V)
    return log_probs[0].gather(-1, torch.tensor(target)[:, None])[:, 0]


def _run_ctranslate2(
    directory: Path, vocabularies: Vocabularies, model: Transformer, sources: Rows, targets: Rows
) -> Any:
    """Return the outputs of CTranslate2.

    Log-probabilities of the targets (T,); without an encoder logits (S, V); without a decoder as
    `_compute_states`.
    """
    import ctranslate2

    options: Any = {"compute_type": "float32", "intra_threads": 1}
    if model.encoder is not None and model.decoder is not None:
        source_pieces = [[vocabularies[0][i] for i in row] for row in sources]
        target_pieces = [[vocabularies[1][i] for i in row[:-1]] for row in targets]
        translator = ctranslate2.Translator(str(directory), **options)
        results = translator.score_batch(source_pieces, target_pieces)
        return [torch.tensor(result.log_probs) for result in results]
    if model.decoder is not None:
        output = ctranslate2.Generator(str(directory), **options).forward_batch(sources)
        return _remove_padding(output, sources)
    result = ctranslate2.Encoder(str(directory), **options).forward_batch(sources)
    rows = _remove_padding(result.last_hidden_state, sources)
    if find_pooler(model) is None:
        return rows
    pooled = torch.from_numpy(np.array(result.pooler_output))  # (B, D)
    return [torch.cat([row, vector[None]]) for row, vector in zip(rows, pooled, strict=True)]


def _remove_padding(output: Any, sources: Rows) -> list[Tensor]:
    """Return the rows of an output (B, S, V or D), each with the length of its source."""
    padded = torch.from_numpy(np.array(output))
    return [row[: len(source)] for row, source in zip(padded, sources, strict=True)]
