"""Compute the output of a head, on which the verbs are built."""

import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import Inputs, head_logits

VERBS = {
    "mlm": "fill",
    "classifier": "classify or similarity",
    "tagger": "tag",
    "span": "answer",
}
"""Names of heads -> what uses them."""


@torch.inference_mode()
def logits(bundle: Bundle, inputs: Inputs, head: str | None = None) -> Tensor:
    """Return the output of a head in float32. `head` may be None if the model has one head.

    Shapes: language model (B, T, V), or (B, U, V) for an encoder-decoder; classifier (B, C); tagger
    (B, T, C); span head (B, T, 2), for start and end; discriminator (B, T).
    Raises: UsageError naming the invalid input.
    """
    name = choose_head(bundle, head)
    return head_logits(bundle, check_inputs(bundle, inputs), name)


def choose_head(bundle: Bundle, head: str | None) -> str:
    """Return the name of the head to use. Raises: UsageError listing the model's heads."""
    names = list(bundle.model.head_configs)
    if head in names:
        return str(head)
    if head is None and len(names) == 1:
        return names[0]
    known = ", ".join(_describe(bundle, name) for name in names)
    known = known or "none: it gives states alone, `.model(ids, keep)`"
    problem = "name one head" if head is None else f"there is no head {head!r}"
    raise UsageError(f"{problem}. Heads of this model: {known}.")


def _describe(bundle: Bundle, head: str) -> str:
    """Return a head's name with the verbs that use it."""
    if head == "lm":
        verbs = "translate, summarize" if bundle.model.encoder is not None else "generate"
    else:
        verbs = VERBS.get(head, "")
    return f"{head} (for {verbs})" if verbs else head


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
