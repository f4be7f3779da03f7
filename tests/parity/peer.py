"""Random models of `transformers`, and comparing ours with them in both directions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.families.family import Family
from pellucid.formats.huggingface import PublishedModel, open_published, write_published
from pellucid.nn.heads import pool_states
from pellucid.nn.masks import keep_from
from pellucid.nn.model import Transformer, build
from pellucid.nn.weights import read_tensors

IDS = torch.tensor([[5, 9, 7, 3, 11, 2], [8, 4, 6, 2, 1, 1], [5, 12, 2, 1, 1, 1]])
KEEP = IDS != 1
SEGMENTS = torch.tensor([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])

Model = TypeVar("Model", bound=nn.Module)


def randomized(model: Model, seed: int = 0) -> Model:
    """Every parameter random, gains and biases too: an untouched one hides a wrong mapping."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in [*model.named_parameters(), *model.named_buffers()]:
            # A frozen parameter is a fact, such as sinusoids, that no file need hold.
            if name.endswith("final_logits_bias") or parameter.requires_grad:
                parameter.normal_(0, 0.3, generator=rng)
    return model.eval()


@torch.no_grad()
def talkative(model: Model, seed: int = 0) -> Model:
    """Random, with gains near 1 and large embeddings: what it writes hangs on what it reads.

    Its output must not be tied, or it says one word for ever.
    """
    randomized(model, seed)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name.endswith("weight"):
            if parameter.dim() == 1:
                parameter.add_(1.0)
            elif any(part in name for part in ("embed", "att", "cross")):
                parameter.mul_(4.0)
    return model


def opened(theirs: Any, directory: Path, **save: Any) -> PublishedModel:
    """Their model, saved by them and opened by us."""
    theirs.save_pretrained(directory, **save)
    return open_published(directory)


def returned(published: PublishedModel, kind: Any, directory: Path) -> Any:
    """Our model, saved by us and opened by them with nothing missing and nothing left over."""
    directory.mkdir()
    write_published(directory, published)
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
    ours: Callable[[PublishedModel, str], Tensor],
) -> PublishedModel:
    """Their model here, and ours there: the same numbers from each head.

    outputs: head name -> their logits; ours: our logits of a head. Both pick real places only.
    """
    randomized(theirs)
    published = opened(theirs, directory / "theirs")
    wanted = outputs(theirs)
    assert set(wanted) == set(published.heads)
    for head, logits in wanted.items():
        close(ours(published, head), logits)
    again = returned(published, type(theirs), directory / "ours")
    for head, logits in outputs(again).items():
        close(logits, wanted[head])
    return published


def head_logits(published: PublishedModel, head: str, segments: Tensor | None = None) -> Tensor:
    """Ours of a model of one stack, at real places; of a head for texts, one row a text."""
    state, module = published.model(IDS, KEEP, segments=segments), published.model.heads[head]
    h = published.heads[head]
    if h.kind == "sequence":
        return module(pool_states(state, KEEP, None, h.pool))
    return module(state)[KEEP]


@torch.no_grad()
def same_states(theirs: Any, base: str, directory: Path, segments: Tensor | None = None) -> None:
    """A base class, whose files lack the prefix `base`: the same states here, and there again."""
    randomized(theirs)
    published = opened(theirs, directory / "theirs")
    names = read_tensors(directory / "theirs" / "model.safetensors")
    assert not any(name.startswith(base) for name in names)
    given = {} if segments is None else {"token_type_ids": segments}
    wanted = theirs(IDS, attention_mask=KEEP.long(), **given).last_hidden_state[KEEP]
    close(published.model(IDS, KEEP, segments=segments)[KEEP], wanted)
    again = returned(published, type(theirs), directory / "ours")
    close(again(IDS, attention_mask=KEEP.long(), **given).last_hidden_state[KEEP], wanted)


def gradients_reach_all(
    family: Family, config: Mapping[str, Any], segments: Tensor | None = None
) -> None:
    """A weight that is used has a gradient, under the sum of all heads."""
    heads = {head.name: head.config for found in family.heads.values() for head in found}
    model = randomized(build(family.read_config(config, "CONFIG"), seed=0, heads=heads))
    published = PublishedModel(family, model, heads, "", {})
    sums = [head_logits(published, head, segments).square().sum() for head in heads]
    torch.stack(sums).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith(".k.bias"):  # the same for all keys, which softmax ignores
            assert parameter.grad.any(), name


def same_texts(ours: Transformer, theirs: Any, special_ids: SpecialIds, **settings: Any) -> None:
    """Beam search here and there writes the same for each of many sources, padded in a batch."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 9, (24,), generator=rng)
    ids = torch.randint(4, 30, (24, 8), generator=rng)
    keep = keep_from(lengths, 8)
    assert keep is not None
    sources = [row[:n] for row, n in zip(ids.tolist(), lengths.tolist(), strict=True)]
    config = DecodingConfig(beam=4, max_length=12, batch_size=24)
    found = [list(best.ids) for best, *_ in generate(ours, Request(sources), special_ids, config)]
    written = theirs.generate(
        ids.where(keep, theirs.config.pad_token_id),
        attention_mask=keep.long(),
        num_beams=4,
        early_stopping=True,
        max_new_tokens=12,
        **settings,
    )
    ends = (special_ids.end, theirs.config.pad_token_id)
    assert found == [[i for i in row[1:] if i not in ends] for row in written.tolist()]
    assert len({tuple(text) for text in found}) > 6, "equal texts prove little"
    assert len({len(text) for text in found}) > 1, "texts of one length prove little"
