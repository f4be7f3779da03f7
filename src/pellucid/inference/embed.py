"""Texts to vectors: near each other where a model finds texts alike."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.config.embedding import EmbeddingConfig
from pellucid.formats.bundle import Bundle
from pellucid.inference.ids import text_rows
from pellucid.nn.masks import Mask
from pellucid.nn.padding import padded


@torch.inference_mode()
def embed(directory: Bundle, texts: Sequence[str], config: EmbeddingConfig | None = None) -> Tensor:
    """A vector for each text, (N, D) in float32 on the CPU, in the order of the texts.

    Of an encoder-decoder the encoder reads. A text longer than `config.longest` is cut.
    """
    config = config or directory.embedding
    limit = config.longest or directory.model_config.most_tokens
    rows = [row.ids or [directory.special_ids.start] for row in text_rows(directory, texts, limit)]
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    found = torch.empty(len(rows), directory.model_config.d_model)
    for at in range(0, len(order), config.batch_size):
        chosen = order[at : at + config.batch_size]
        found[chosen] = _vectors(directory, [rows[i] for i in chosen], config).float().cpu()
    return found


def _vectors(directory: Bundle, rows: Sequence[Sequence[int]], config: EmbeddingConfig) -> Tensor:
    model = directory.model
    pad = directory.tokenizers.source.roles.get("pad", 0)
    ids, keep = padded(rows, pad, next(model.parameters()).device)  # (B, T)
    state = model(ids, keep) if model.encoder is None else model.encoder(ids, Mask(keep=keep))
    keep = torch.ones_like(ids, dtype=torch.bool) if keep is None else keep
    if config.pooling == "first":
        vectors = state[:, 0]  # (B, D)
    elif config.pooling == "max":
        vectors = state.masked_fill(~keep[..., None], float("-inf")).amax(1)
    else:
        vectors = (state * keep[..., None]).sum(1) / keep.sum(1, keepdim=True)
    return F.normalize(vectors, dim=-1) if config.normalize else vectors
