"""Properties that hold for any text (specs/reliability.md, part D).

Authority: algebra. Hypothesis looks for a text, a shape or a sequence of steps that breaks one.
"""

from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.samples import DECODER, ENCODER, build_random, max_difference, small
from nn.test_cache import Texts
from pellucid.nn import kernels
from pellucid.nn.model import Transformer
from pellucid.taps import edit, record

SHAPES = {
    "post": small(),
    "pre": small(norm_place="pre", positions="learned", head_split="slice", activation="swish"),
    "halves": small(positions="sinusoid-halves", tie_embeddings="none", n_heads=2),
    "nowhere": small(norm_place="pre", positions="none", activation="gelu"),
}
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=4)
SEEDS = st.integers(0, 2**31)
# D1 and D5 say 2e-6 and 1e-6 for ordinary weights; over 3,000 cases these wilder ones came to
# 1.7e-6 and 0.9e-6, and a bound that chance can reach is none.
NEAR = 5e-6
quick = settings(max_examples=60, deadline=None, print_blob=True)


@cache
def model_of(name: str) -> Transformer:
    """One of the shapes above, `decoder`, `encoder`, or `encoder-` and its positions."""
    if name.startswith("encoder-"):
        return build_random(replace(ENCODER, positions=name.removeprefix("encoder-")))  # type: ignore
    return build_random({"encoder": ENCODER, "decoder": DECODER, **SHAPES}[name])


@pytest.fixture(autouse=True, params=["fused", "explicit"])
def path(request):
    """Every property on both paths of attention."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "prefers_matmul", lambda *_: request.param == "explicit")
        yield request.param


def ids_of(rows: int, n: int, seed: int) -> torch.Tensor:
    return torch.randint(13, (rows, n), generator=torch.Generator().manual_seed(seed))


@quick
@given(name=st.sampled_from([*SHAPES]), lengths=LENGTHS, t=st.integers(1, 6), seed=SEEDS)
def test_padding_changes_nothing(name, lengths, t, seed):  # D1 and D2
    model, size = model_of(name), max(lengths) + seed % 3
    source, garbage = ids_of(len(lengths), size, seed), ids_of(len(lengths), size, seed + 1)
    target = ids_of(len(lengths), t, seed + 2)
    keep = torch.arange(size) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        states = model(source, keep, target)
        assert torch.equal(model(torch.where(keep, source, garbage), keep, target), states)
        for b, n in enumerate(lengths):
            alone = model(source[b : b + 1, :n], None, target[b : b + 1])
            assert max_difference(states[b : b + 1], alone) <= NEAR * max(
                1, float(alone.abs().max())
            )
        longer = torch.cat((target, garbage[:, :2]), 1)  # targets are padded on the right
        assert max_difference(model(source, keep, longer)[:, :t], states) <= 1e-5
        turned = model(source.flip(0), keep.flip(0), target.flip(0)).flip(0)
        assert max_difference(turned, states) <= 1e-5


@quick
@given(name=st.sampled_from(["encoder", "decoder"]), lengths=LENGTHS, seed=SEEDS)
def test_padding_of_halves_changes_nothing(name, lengths, seed):
    model, size = model_of(name), max(lengths) + seed % 3
    ids = ids_of(len(lengths), size, seed)
    keep = torch.arange(size) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        states = model(ids, keep)
        for b, n in enumerate(lengths):
            alone = model(ids[b : b + 1, :n])
            assert max_difference(states[b : b + 1, :n], alone) <= NEAR * max(
                1, float(alone.abs().max())
            )


@quick
@given(lengths=LENGTHS, seed=SEEDS)
def test_padding_on_the_left_changes_nothing_without_positions(lengths, seed):
    model, size = model_of("encoder-none"), max(lengths) + seed % 3
    ids, garbage = ids_of(len(lengths), size, seed), ids_of(len(lengths), size, seed + 1)
    keep = torch.arange(size) >= size - torch.tensor(lengths)[:, None]
    with torch.no_grad():
        states = model(torch.where(keep, ids, garbage), keep)
        for b, n in enumerate(lengths):
            alone = model(ids[b : b + 1, -n:])
            assert max_difference(states[b : b + 1, -n:], alone) <= NEAR * max(
                1, float(alone.abs().max())
            )


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("sssserkt"), st.integers(1, 5), SEEDS), min_size=1, max_size=12
)


@quick
@given(name=st.sampled_from(["decoder", *SHAPES]), lengths=LENGTHS, operations=OPERATIONS)
def test_cached_equals_uncached_whatever_search_does(name, lengths, operations):  # D3
    texts = Texts(SHAPES.get(name, DECODER), tuple(lengths))
    for kind, n, seed in operations:
        rng = torch.Generator().manual_seed(seed)
        rows, group = texts.cache.rows, texts.cache.rows // texts.cache.sources
        if kind == "s":
            texts.step(n)
        elif kind == "e" and rows * n <= 12:
            texts.expand(n)
        elif kind == "r":
            within = torch.randint(group, (rows,), generator=rng)
            texts.reorder((torch.arange(rows) // group * group + within).tolist())
        elif kind == "k":
            left = torch.randperm(rows // group, generator=rng)[:n].sort().values
            texts.keep_rows((left[:, None] * group + torch.arange(group)).flatten().tolist())
        elif kind == "t":
            texts.truncate(seed % (texts.cache.length + 1))
    texts.step()


@quick
@given(name=st.sampled_from(["decoder", *SHAPES]), n=st.integers(2, 9), seed=SEEDS)
def test_the_future_is_not_seen(name, n, seed):  # D4: exactly, values and gradients
    model, ids, j = model_of(name), ids_of(2, n, seed), seed % n
    other = ids.clone()
    other[:, j] = (other[:, j] + 1) % 13
    source = (ids_of(2, 4, seed), None) if model.encoder else ()
    before, after = model(*source, ids), model(*source, other)
    assert torch.equal(before[:, :j], after[:, :j])
    assert (before[:, j:] != after[:, j:]).any(-1).all()
    with record(model, "decoder.embedding.tokens") as seen:
        states = model(*source, ids)
    (tokens,) = seen["decoder.embedding.tokens"]
    direction = torch.randn(2, 16, generator=torch.Generator().manual_seed(seed))
    (grad,) = torch.autograd.grad((states[:, j] * direction).sum(), tokens)
    assert (grad[:, j + 1 :] == 0).all()
    assert grad[:, : j + 1].abs().amax(-1).min() > 0


@quick
@given(n=st.integers(2, 9), seed=SEEDS)
def test_order_is_seen_through_positions_only(n, seed):  # D5
    ids, turn = ids_of(2, n, seed), torch.roll(torch.arange(n), 1)
    ids[:, :2] = torch.tensor([0, 1])  # two tokens differ, so that there is an order
    with torch.no_grad():
        for positions in ("none", "sinusoid", "sinusoid-halves", "learned"):
            encoder = model_of(f"encoder-{positions}")
            turned = encoder(ids[:, turn])
            distance = max_difference(encoder(ids)[:, turn], turned) / float(turned.abs().max())
            assert distance <= NEAR if positions == "none" else distance > 1e-3


@quick
@given(name=st.sampled_from([*SHAPES]), lengths=LENGTHS, seed=SEEDS)
def test_a_listener_changes_nothing(name, lengths, seed):  # D7
    model, size = model_of(name), max(lengths)
    source, target = ids_of(len(lengths), size, seed), ids_of(len(lengths), 4, seed + 1)
    keep = torch.arange(size) < torch.tensor(lengths)[:, None]
    states = model(source, keep, target)
    with record(model) as seen:
        listened = model(source, keep, target)
    assert max_difference(states, listened) <= 1e-5
    weights = seen["decoder.layers.1.cross.inner.weights"][0]
    assert (weights.masked_select(~keep[:, None, None]) == 0).all()
    with edit(model, "*", lambda path, x: x):
        assert torch.equal(model(source, keep, target), listened)


@quick
@given(name=st.sampled_from([*SHAPES]), t=st.integers(1, 5), seed=SEEDS)
def test_sources_without_a_token_are_harmless(name, t, seed):  # D6
    model, source, target = model_of(name), ids_of(3, 4, seed), ids_of(3, t, seed + 1)
    keep = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]).bool()
    states = model(source, keep, target)
    assert states.isfinite().all()
    grads = torch.autograd.grad(model.heads["lm"](states).square().mean(), list(model.parameters()))
    assert all(grad.isfinite().all() for grad in grads)
    assert torch.equal(states[1], model(source.flip(1), keep, target)[1])  # it reads nothing
