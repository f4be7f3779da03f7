"""Authority: the model that a copy was prepared from."""

import pytest
import torch

from nn.samples import batch, build_random, max_difference, small
from pellucid.nn import packed_linear
from pellucid.nn.model import build
from pellucid.nn.pack_model import pack_model

SHAPES = {
    "post": small(),
    "pre": small(norm_place="pre", positions="learned", activation="gelu", tie_embeddings="none"),
    "slice": small(head_split="slice", scale_embeddings=False),
    "decoder": small(n_encoder_layers=0),
}


def logits_of(model) -> torch.Tensor:
    """By steps, as a search makes them."""
    source, keep, target = batch()
    with torch.inference_mode():
        both = model.encoder is not None
        cache = model.prefill(source if both else None, keep if both else None, len(target))
        steps = [model.step(ids, cache).logits for ids in (target[:, :2], target[:, 2:3])]
        cache.reorder(torch.tensor([0, 1, 2]))
        return torch.cat([*steps, model.step(target[:, 3:], cache).logits], 1)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("dtype", "bound"), [("fp32", 1e-5), ("bf16", 0.1)])
def test_a_prepared_copy_says_the_same(name, dtype, bound):
    model = build_random(SHAPES[name])
    expected = logits_of(model)
    got = logits_of(pack_model(model, dtype))
    assert max_difference(got, expected) <= bound * max(1, float(expected.abs().max()))


@pytest.mark.parametrize("name", SHAPES)
def test_int8_stays_near(name):
    if not packed_linear.can_pack("int8"):
        pytest.skip("no int8 products on this machine")
    model = build_random(SHAPES[name])
    expected, got = logits_of(model), logits_of(pack_model(model, "int8"))
    assert float((got - expected).abs().mean()) <= 0.05 * float(expected.abs().mean())


def test_the_model_itself_is_left_alone():
    model = build(small(), seed=0).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    prepared = pack_model(model)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in prepared.parameters())
    assert not prepared.training
