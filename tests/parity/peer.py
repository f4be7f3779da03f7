"""Random models of `transformers`, compared with pellucid in both directions."""

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


def randomize(model: Model, seed: int = 0) -> Model:
    """Make every parameter random, gains and biases too, so that a wrong rename shows."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in [*model.named_parameters(), *model.named_buffers()]:
            # Frozen parameters, such as sinusoids, are fixed and need not be in a file.
            if name.endswith("final_logits_bias") or parameter.requires_grad:
                parameter.normal_(0, 0.3, generator=rng)
    return model.eval()


@torch.no_grad()
def vary_weights(model: Model, seed: int = 0) -> Model:
    """Make weights random, with gains near 1 and large embeddings: outputs depend on inputs.

    The output must not be tied to the embedding, or the model repeats one word.
    """
    randomize(model, seed)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name.endswith("weight"):
            if parameter.dim() == 1:
                parameter.add_(1.0)
            elif any(part in name for part in ("embed", "att", "cross")):
                parameter.mul_(4.0)
    return model


def save_and_open(reference: Any, directory: Path, **save: Any) -> PublishedModel:
    """Save a model with transformers and open it with pellucid."""
    reference.save_pretrained(directory, **save)
    return open_published(directory)


def export_and_open(published: PublishedModel, kind: Any, directory: Path) -> Any:
    """Save a model with pellucid and open it with transformers; all names must match."""
    directory.mkdir()
    write_published(directory, published)
    reference, info = kind.from_pretrained(directory, output_loading_info=True)
    assert not info["missing_keys"], info["missing_keys"]
    assert not info["unexpected_keys"], info["unexpected_keys"]
    assert not info["mismatched_keys"], info["mismatched_keys"]
    return reference.eval()


def assert_close(actual: Tensor, expected: Tensor) -> None:
    """Allow 1e-5 x max(1, max|logit|), the rounding error of a correct model in float32."""
    assert actual.shape == expected.shape
    error = float((actual - expected).abs().max())
    bound = 1e-5 * max(1.0, float(expected.abs().max()))
    assert error <= bound, f"{error:.3g} apart, {bound:.3g} allowed"


@torch.no_grad()
def check_both_ways(
    reference: Any,
    directory: Path,
    outputs: Callable[[Any], Mapping[str, Tensor]],
    compute_logits: Callable[[PublishedModel, str], Tensor],
) -> PublishedModel:
    """Check that every head gives the same numbers after import, and after export.

    outputs: head name -> logits of transformers. compute_logits: logits of a head in pellucid.
    Both return real positions only.
    """
    randomize(reference)
    published = save_and_open(reference, directory / "imported")
    expected = outputs(reference)
    assert set(expected) == set(published.heads)
    for head, logits in expected.items():
        assert_close(compute_logits(published, head), logits)
    exported = export_and_open(published, type(reference), directory / "exported")
    for head, logits in outputs(exported).items():
        assert_close(logits, expected[head])
    return published


def head_logits(published: PublishedModel, head: str, segments: Tensor | None = None) -> Tensor:
    """Return the logits of a model with one stack: at real positions, or one row per text."""
    state, module = published.model(IDS, KEEP, segments=segments), published.model.heads[head]
    h = published.heads[head]
    if h.kind == "sequence":
        return module(pool_states(state, KEEP, None, h.pool))
    return module(state)[KEEP]


@torch.no_grad()
def check_states(
    reference: Any, base: str, directory: Path, segments: Tensor | None = None
) -> None:
    """Check the states of a base class, whose files lack the prefix `base`, in both directions."""
    randomize(reference)
    published = save_and_open(reference, directory / "imported")
    names = read_tensors(directory / "imported" / "model.safetensors")
    assert not any(name.startswith(base) for name in names)
    inputs = {} if segments is None else {"token_type_ids": segments}
    expected = reference(IDS, attention_mask=KEEP.long(), **inputs).last_hidden_state[KEEP]
    assert_close(published.model(IDS, KEEP, segments=segments)[KEEP], expected)
    exported = export_and_open(published, type(reference), directory / "exported")
    states = exported(IDS, attention_mask=KEEP.long(), **inputs).last_hidden_state[KEEP]
    assert_close(states, expected)


def gradients_reach_all(
    family: Family, config: Mapping[str, Any], segments: Tensor | None = None
) -> None:
    """Check that every weight has a gradient of the sum of all heads."""
    heads = {h.name: h.config for published in family.heads.values() for h in published}
    model = randomize(build(family.read_config(config, "CONFIG"), seed=0, heads=heads))
    published = PublishedModel(family, model, heads, "", {})
    sums = [head_logits(published, head, segments).square().sum() for head in heads]
    torch.stack(sums).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith(".k.bias"):  # the same for all keys, which softmax ignores
            assert parameter.grad.any(), name


def check_texts(
    model: Transformer, reference: Any, special_ids: SpecialIds, **settings: Any
) -> None:
    """Check that beam search gives the same texts for many sources, padded in a batch."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 9, (24,), generator=rng)
    ids = torch.randint(4, 30, (24, 8), generator=rng)
    keep = keep_from(lengths, 8)
    assert keep is not None
    sources = [row[:n] for row, n in zip(ids.tolist(), lengths.tolist(), strict=True)]
    config = DecodingConfig(beam=4, max_length=12, batch_size=24)
    hypotheses = generate(model, Request(sources), special_ids, config)
    actual = [list(best.ids) for best, *_ in hypotheses]
    expected = reference.generate(
        ids.where(keep, reference.config.pad_token_id),
        attention_mask=keep.long(),
        num_beams=4,
        early_stopping=True,
        max_new_tokens=12,
        **settings,
    )
    ends = (special_ids.end, reference.config.pad_token_id)
    assert actual == [[i for i in row[1:] if i not in ends] for row in expected.tolist()]
    assert len({tuple(text) for text in actual}) > 6, "equal texts prove little"
    assert len({len(text) for text in actual}) > 1, "texts of one length prove little"
