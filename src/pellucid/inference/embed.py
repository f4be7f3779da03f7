"""Texts to vectors."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pellucid.config.embedding import EmbeddingConfig
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import project_vectors
from pellucid.inference.ids import Row, text_rows
from pellucid.nn.heads import pool_states
from pellucid.nn.masks import Mask
from pellucid.nn.padding import batches, pad_batch
from pellucid.text.guard import clean_text


@torch.inference_mode()
def embed(
    bundle: Bundle,
    texts: Sequence[str],
    config: EmbeddingConfig | None = None,
    on_cut: Callable[[int], None] | None = None,
) -> Tensor:
    """Return a vector for each text, (N, D) in float32 on the CPU, in the order of the texts.

    An encoder-decoder uses its encoder. A text of more tokens than `config.longest`, or than
    the model reads, is cut. on_cut: called with the number of such texts if there are any.
    """
    config = config or bundle.embedding
    read = _rows(bundle, texts, config)
    n_cut = sum(row.n_cut > 0 for row in read)
    if on_cut is not None and n_cut:
        on_cut(n_cut)
    rows = [row.ids or [bundle.special_ids.start] for row in read]
    skipped = 0 if config.pool_prompt else _prompt_length(bundle, config)
    vectors = torch.empty(len(rows), bundle.model_config.d_model)  # (N, D)
    for batch in batches([len(row) for row in rows], max_rows=config.batch_size):
        pooled = _pool(bundle, [rows[i] for i in batch], config, skipped)
        vectors[batch] = pooled.float().cpu()
    return project_vectors(bundle, vectors, config.normalize)


def _rows(bundle: Bundle, texts: Sequence[str], config: EmbeddingConfig) -> list[Row]:
    """Return the ids of each text, with its prompt and the special tokens of the model."""
    prompted = [_prepare_text(text, config) for text in texts]
    limit = min((n for n in (config.longest, bundle.model_config.max_positions) if n), default=0)
    return text_rows(bundle, prompted, limit)


def _prepare_text(text: str, config: EmbeddingConfig) -> str:
    """Return the text with its prompt, in lower case if the model needs it."""
    text = config.prompt + clean_text(text)
    # Each character by itself, as the tokenizers library does: Python gives sigma two forms.
    return "".join(map(str.lower, text)) if config.lowercase else text


def _prompt_length(bundle: Bundle, config: EmbeddingConfig) -> int:
    """Return the number of tokens of the prompt, special tokens before it included."""
    if not config.prompt:
        return 0
    (row,) = _rows(bundle, [""], config)
    tokenizer = bundle.tokenizers.source
    special = {*tokenizer.roles.values(), *tokenizer.extra.values()}
    return len(row.ids) - (row.ids[-1] in special)


def _pool(
    bundle: Bundle, rows: Sequence[Sequence[int]], config: EmbeddingConfig, skipped: int
) -> Tensor:
    """Return one vector (B, D) for the states of each row, without its first `skipped` tokens."""
    model = bundle.model
    pad = bundle.tokenizers.source.roles.get("pad", 0)
    ids, keep = pad_batch(rows, pad, next(model.parameters()).device)  # (B, T)
    state = model(ids, keep) if model.encoder is None else model.encoder(ids, Mask(keep=keep))
    keep = torch.ones_like(ids, dtype=torch.bool) if keep is None else keep
    keep = keep & (torch.arange(ids.shape[1], device=ids.device) >= skipped)
    if config.pooling == "first":
        first = keep.int().argmax(1)  # (B,)
        return state[torch.arange(len(state), device=ids.device), first]
    # A text that was cut within its prompt has a mean of zeros, as in sentence-transformers.
    return pool_states(state, keep, None, config.pooling)
