"""One decoding step as a function of tensors alone, so that it can be traced for any sizes."""

import torch
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.nn.attention import KeysValues, Memory
from pellucid.nn.masks import Mask
from pellucid.nn.model import Transformer
from pellucid.nn.traced_copy import FiniteMask, copy_for_tracing

AXES = ("sources", "rows", "capacity", "source_length")
"""Sizes that differ between calls: number of sources, of rows of each, of tokens for which the
buffer has room, of tokens of the sources."""
Sizes = tuple[int, int, int, int]


class StepGraph(nn.Module):
    """(ids, padding, length, past, distances, source_keep, cross) -> (logits, states, new states).

    For k rows of each of B sources: ids (B, k), the next tokens; padding (B, k), the number of
    padded tokens at the left. past (B, k, layers, 2, C, H, K): keys and values of the `length` (1,)
    earlier tokens, in a buffer for C. distances (1, H, 1, C + 1), if the model has relative
    positions: those of the buffer, then of the new token. With an encoder, source_keep (B, S),
    True = real token, and cross (B, layers, 2, H, S, K).

    Logits (B * k, 1, V), states (B * k, 1, D), keys and values of the new token (B * k, layers, 2,
    1, H, K). Arithmetic is that of the model's own modules.
    """

    def __init__(self, model: Transformer, dtype: torch.dtype = torch.float32) -> None:
        """Raises: UsageError if a step of this model depends on more than these tensors."""
        super().__init__()
        check_supported(model)
        copied = copy_for_tracing(model).to(dtype)
        assert isinstance(copied, Transformer)
        self.decoder, self.head = copied.decoder, copied.heads["lm"]
        self.has_source = copied.encoder is not None
        self.has_distances = model.config.positions == "buckets"

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ids, padding, length, past, *others = tensors
        assert self.decoder is not None
        memories = None
        if self.has_source:
            *others, source_keep, cross = others
            source_mask = FiniteMask(Mask(keep=source_keep))
            memories = [Memory(KeysValues(*kv.unbind(1)), source_mask) for kv in cross.unbind(1)]
        slots = [TokenSlot(layer) for layer in past.flatten(0, 1).unbind(1)]
        padding = padding.reshape(-1, 1)
        x = self.decoder.embedding(ids.reshape(-1, 1), positions=length - padding)
        capacity = past.shape[4]
        index = torch.arange(capacity + 1)
        holds_token = (index < length) & (index >= padding)  # (R, C + 1)
        mask = Mask(keep=holds_token | (index == capacity))  # the new token is the last one
        state = self.decoder.run_layers(x, mask, memories, slots, others[0] if others else None)
        return self.head(state).float(), state, torch.stack([slot.new for slot in slots], 1)


class TokenSlot:
    """One layer's keys and values, the new token's after those of the buffer; see `Slots`."""

    new: Tensor  # (R, 2, 1, H, K)

    def __init__(self, past: Tensor) -> None:
        """past: (R, 2, C, H, K)."""
        self.past = past

    def append(self, kv: Tensor) -> KeysValues:
        self.new = kv.transpose(1, 2)
        return KeysValues(*torch.cat((self.past, self.new), 2).transpose(2, 3).unbind(1))


def check_supported(model: Transformer) -> None:
    """Raises: UsageError naming why a step of this model is no graph of tensors of any size."""
    if model.decoder is None or "lm" not in model.head_configs:
        raise UsageError("only models that generate text have decoding steps. Leave compile out.")
    if any(model.decoder.windows):
        raise UsageError(
            "this model attends to windows of tokens, for which no step is compiled. Leave compile"
            " out."
        )


def example_inputs(model: Transformer, sizes: Sizes, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return random inputs of `StepGraph`. sizes: as `AXES`. dtype: of keys and values."""
    n_sources, rows, capacity, length = sizes
    c = model.config
    n_layers, n_heads, width = c.n_decoder_layers, c.n_heads, c.head_width
    tensors = [
        torch.randint(c.target_vocab_size or c.vocab_size, (n_sources, rows)),
        torch.arange(rows).expand(n_sources, -1).contiguous(),
        torch.tensor([max(rows, capacity // 2)]),
        torch.randn(n_sources, rows, n_layers, 2, capacity, n_heads, width),
    ]
    if c.positions == "buckets":
        tensors.append(torch.randn(1, n_heads, 1, capacity + 1))
    if model.encoder is not None:
        tensors.append(torch.ones(n_sources, length, dtype=torch.bool))
        tensors.append(torch.randn(n_sources, n_layers, 2, n_heads, length, width))
    return tuple(x.to(dtype) if x.is_floating_point() else x for x in tensors)
