"""Whether CTranslate2 computes from a directory what our model does."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import VerificationError
from pellucid.formats.bundle import Bundle
from pellucid.nn.model import Transformer

CLOSE = 1e-4
"""Of numbers up to 1, and in proportion of larger ones."""
LENGTHS = (7, 4)
Rows = list[list[int]]
Words = tuple[list[str], list[str]]


@torch.inference_mode()
def check_same(directory: Path, parts: Bundle, start: int, words: Words) -> None:
    """Give both two random texts of unequal length; words: the tokens of either side there.

    Raises: VerificationError if the numbers differ.
    """
    model = parts.model
    assert isinstance(model, Transformer)
    rng = torch.Generator().manual_seed(0)
    rows, texts = (
        [torch.randint(len(side), (n,), generator=rng).tolist() for n in lengths]
        for side, lengths in zip(words, (LENGTHS, LENGTHS[::-1]), strict=True)
    )
    if model.decoder is None:
        expected = [model(torch.tensor([row]))[0] for row in rows]
    elif model.encoder is None:
        expected = [model.heads["lm"](model(torch.tensor([row])))[0] for row in rows]
    else:
        end = parts.tokenizers.target.id(parts.roles.end)
        texts = [[*(i for i in text if i != end), end] for text in texts]
        pairs = zip(rows, texts, strict=True)
        expected = [_log_probs(model, row, text, start) for row, text in pairs]
    for reference, row in zip(
        expected, _numbers(directory, words, model, rows, texts), strict=True
    ):
        apart = float((reference - row).abs().max())
        if not apart <= CLOSE * max(1.0, float(reference.abs().max())):
            raise VerificationError(
                f"CTranslate2 gives other numbers than this model ({apart:.2g} apart), so nothing"
                " was written. Its version may not know this kind of model: try another."
            )


def _log_probs(model: Transformer, source: list[int], text: list[int], start: int) -> Tensor:
    """Log-probabilities of a text's tokens, (T,)."""
    state = model(torch.tensor([source]), None, torch.tensor([[start, *text[:-1]]]))  # (1, T, D)
    log_probs = model.heads["lm"](state).log_softmax(-1)  # (1, T, V)
    return log_probs[0].gather(-1, torch.tensor(text)[:, None])[:, 0]


def _numbers(directory: Path, words: Words, model: Transformer, rows: Rows, texts: Rows) -> Any:
    """CTranslate2's numbers: log-probabilities of texts, or logits or states of rows."""
    import ctranslate2

    options: Any = {"compute_type": "float32", "intra_threads": 1}
    if model.encoder is not None and model.decoder is not None:
        read = [[words[0][i] for i in row] for row in rows]
        written = [[words[1][i] for i in text[:-1]] for text in texts]
        output = ctranslate2.Translator(str(directory), **options).score_batch(read, written)
        return [torch.tensor(each.log_probs) for each in output]
    if model.decoder is not None:
        output = ctranslate2.Generator(str(directory), **options).forward_batch(rows)  # (B, T, V)
    else:
        encoder = ctranslate2.Encoder(str(directory), **options)
        output = encoder.forward_batch(rows).last_hidden_state  # (B, T, D)
    padded = torch.from_numpy(np.array(output))
    return [each[: len(row)] for each, row in zip(padded, rows, strict=True)]
