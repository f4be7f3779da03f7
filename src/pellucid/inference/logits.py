"""Compute the output of a head, on which the verbs are built."""

from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import find_token_id
from pellucid.nn.heads import pool_states, shift_right


class Inputs(NamedTuple):
    """The input tensors of a model."""

    ids: Tensor  # (B, T), integers
    keep: Tensor | None = None  # (B, T), True = real token; None = all
    target_ids: Tensor | None = None  # (B, U), decoder input of an encoder-decoder
    segments: Tensor | None = None  # (B, T), index of the text of each token: 0 or 1


@torch.inference_mode()
def logits(bundle: Bundle, inputs: Inputs, head: str | None = None) -> Tensor:
    """Return the output of a head in float32. `head` may be None if the model has one head.

    Shapes: language model (B, T, V), or (B, U, V) for an encoder-decoder; classifier (B, C); tagger
    (B, T, C); span head (B, T, 2), for start and end; discriminator (B, T).
    Raises: UsageError naming the invalid input.
    """
    name = choose_head(bundle, head)
    return head_logits(bundle, check_inputs(bundle, inputs), name)


def head_logits(bundle: Bundle, checked: Inputs, name: str) -> Tensor:
    """Return the output of a head as `logits` does, for inputs of `check_inputs`."""
    config = bundle.model.head_configs[name]
    if config.kind != "lm":
        checked = add_decoder_ids(bundle, checked)
    state = bundle.model(*checked)  # (B, T, D)
    if config.kind == "sequence":
        end = find_token_id(bundle, "eos")
        is_end = None if end is None else checked.ids == end
        state = pool_states(state, checked.keep, is_end, config.pool)
    return bundle.model.heads[name](state).float()


def choose_head(bundle: Bundle, head: str | None) -> str:
    """Return the name of the head to use. Raises: UsageError listing the model's heads."""
    names = list(bundle.model.head_configs)
    if head in names:
        return str(head)
    if head is None and len(names) == 1:
        return names[0]
    known = ", ".join(names) or "none: it gives states alone, `.model(ids, keep)`"
    problem = "name one head" if head is None else f"there is no head {head!r}"
    raise UsageError(f"{problem}. Heads of this model: {known}.")


def check_inputs(bundle: Bundle, inputs: Inputs) -> Inputs:
    """Return the inputs as int64 and bool on the model's device.

    Raises: UsageError naming a tensor of the wrong type or shape, or an id out of range.
    """
    c = bundle.model_config
    _check_tensors(inputs)
    shape = tuple(inputs.ids.shape)
    target_size = c.target_vocab_size or c.vocab_size
    rows = (
        ("ids", inputs.ids, c.vocab_size, None),
        ("target_ids", inputs.target_ids, target_size, None),
        ("segments", inputs.segments, c.n_segments, shape),
    )
    for name, tensor, size, expected in rows:
        if tensor is None:
            continue
        if not size:
            raise UsageError(f"{name} were given, but this model has no segments.")
        if tensor.dim() != 2 or tensor.is_floating_point() or tensor.dtype == torch.bool:
            raise UsageError(
                f"{name} is {tensor.dtype} {tuple(tensor.shape)}: give integers (B, T)."
            )
        if tensor.shape[0] != shape[0] or expected not in (None, tuple(tensor.shape)):
            raise UsageError(f"{name} is {tuple(tensor.shape)}, but ids are {shape}.")
        if tensor.numel() and not 0 <= int(tensor.min()) <= int(tensor.max()) < size:
            raise UsageError(
                f"{name} holds {int(tensor.min())} to {int(tensor.max())}, but this model knows"
                f" 0 to {size - 1}. Are they another tokenizer's?"
            )
    if inputs.keep is not None and (tuple(inputs.keep.shape) != shape):
        raise UsageError(f"keep is {tuple(inputs.keep.shape)}, but ids are {shape}.")
    if inputs.target_ids is not None and not (c.n_encoder_layers and c.n_decoder_layers):
        raise UsageError("target_ids were given, but this model is no encoder-decoder.")
    device = next(bundle.model.parameters()).device
    ids, keep, target_ids, segments = (None if x is None else x.to(device) for x in inputs)
    assert ids is not None
    return Inputs(
        ids.long(),
        None if keep is None else keep.bool(),
        None if target_ids is None else target_ids.long(),
        None if segments is None else segments.long(),
    )


def _check_tensors(inputs: Inputs) -> None:
    """Raises: UsageError if a value is not a tensor."""
    for name, value in inputs._asdict().items():
        if not (value is None or isinstance(value, Tensor)):
            raise UsageError(
                f"{name} is {type(value).__name__}, but must be a tensor. Write torch.tensor(...)."
            )


def add_decoder_ids(bundle: Bundle, inputs: Inputs) -> Inputs:
    """Add decoder inputs for heads that read a text with an encoder-decoder: ids shifted right.

    Raises: UsageError if the id that the decoder reads first is not known.
    """
    c = bundle.model_config
    if not (c.n_encoder_layers and c.n_decoder_layers) or inputs.target_ids is not None:
        return inputs
    first = None
    if bundle.roles.start != "last":
        first = bundle.token_ids.get("decoder_start_token_id")
        first = find_token_id(bundle, bundle.roles.start) if first is None else first
        if first is None:
            raise UsageError("the id that the decoder reads first is not known. Give target_ids.")
    return inputs._replace(target_ids=shift_right(inputs.ids, inputs.keep, first))
