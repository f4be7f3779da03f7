"""Random models of `transformers`, and comparing ours with them in both directions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.families.huggingface import Foreign, open_foreign, save_foreign

IDS = torch.tensor([[5, 9, 7, 3, 11, 2], [8, 4, 6, 2, 1, 1], [5, 12, 2, 1, 1, 1]])
KEEP = IDS != 1
SEGMENTS = torch.tensor([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])


def randomized(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter random, gains and biases too: an untouched one hides a wrong mapping."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith("final_logits_bias") or isinstance(parameter, nn.Parameter):
                parameter.normal_(0, 0.3, generator=rng)
    return model.eval()


def opened(theirs: Any, directory: Path, **save: Any) -> Foreign:
    """Their model, saved by them and opened by us."""
    theirs.save_pretrained(directory, **save)
    return open_foreign(directory)


def returned(foreign: Foreign, kind: Any, directory: Path) -> Any:
    """Our model, saved by us and opened by them with nothing missing and nothing left over."""
    directory.mkdir()
    save_foreign(directory, foreign)
    theirs, info = kind.from_pretrained(directory, output_loading_info=True)
    assert not info["missing_keys"], info["missing_keys"]
    assert not info["unexpected_keys"], info["unexpected_keys"]
    assert not info["mismatched_keys"], info["mismatched_keys"]
    return theirs.eval()


def close(ours: Tensor, theirs: Tensor) -> None:
    """Within 1e-5 x max(1, max|logit|), the error that a right mapping may have in float32."""
    assert ours.shape == theirs.shape
    error = float((ours - theirs).abs().max())
    bound = 1e-5 * max(1.0, float(theirs.abs().max()))
    assert error <= bound, f"{error:.3g} apart, {bound:.3g} allowed"


@torch.no_grad()
def both_ways(
    theirs: Any,
    directory: Path,
    outputs: Callable[[Any], Mapping[str, Tensor]],
    ours: Callable[[Foreign, str], Tensor],
) -> Foreign:
    """Their model here, and ours there: the same numbers from each head.

    outputs: head name -> their logits; ours: our logits of a head. Both pick real places only.
    """
    randomized(theirs)
    foreign = opened(theirs, directory / "theirs")
    wanted = outputs(theirs)
    assert set(wanted) == set(foreign.heads)
    for head, logits in wanted.items():
        close(ours(foreign, head), logits)
    again = returned(foreign, type(theirs), directory / "ours")
    for head, logits in outputs(again).items():
        close(logits, wanted[head])
    return foreign
