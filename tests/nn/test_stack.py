import pytest
import torch

from nn.samples import SMALL, batch, max_difference, randomize, small
from pellucid.nn.attention import Memory
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.stack import Decoder, Encoder
from pellucid.taps import record


def made(kind: type, **changes: object):
    stack = kind(small(**changes))
    randomize(stack)
    return stack


@pytest.mark.parametrize("place", ["post", "pre"])
def test_a_stack_applies_its_layers_one_by_one(place):  # authority: composition of the parts
    source, keep, target = batch()
    encoder, decoder = made(Encoder, norm_place=place), made(Decoder, norm_place=place)
    source_mask, causal = MaskTensors(Mask(keep=keep)), Mask(causal=True)
    x = encoder.embedding(source)
    for layer in encoder.layers:
        x = layer(x, source_mask)
    memory = encoder(source, Mask(keep=keep))
    assert max_difference(memory, encoder.norm(x)) <= 2e-6
    x = decoder.embedding(target)
    for layer in decoder.layers:
        x = layer(x, MaskTensors(causal), None, None, Memory(memory, source_mask))
    states = decoder(target, causal, Memory(memory, source_mask))
    assert max_difference(states, decoder.norm(x)) <= 2e-6
    read = [Memory(layer.cross.inner.read(memory), source_mask) for layer in decoder.layers]
    assert max_difference(decoder(target, causal, read), states) <= 2e-6


@pytest.mark.parametrize("place", ["post", "pre"])
def test_every_layer_ends_normalised_or_the_stack_does(place):  # authority: Xiong et al. 2020
    source, *_ = batch()
    encoder = Encoder(small(norm_place=place))
    randomize(encoder)
    for module in encoder.modules():
        if type(module).__name__ == "LayerNorm":
            torch.nn.init.ones_(module.weight)
            torch.nn.init.zeros_(module.bias)
    memory = encoder(source, Mask())
    assert max_difference(memory.mean(-1), torch.zeros(source.shape)) <= 1e-5
    assert max_difference(memory.var(-1, unbiased=False), torch.ones(source.shape)) <= 1e-3


def test_the_offset_reaches_the_positions():  # authority: the same ids further on in a longer text
    decoder = made(Decoder, n_encoder_layers=0)
    with record(decoder, "embedding.position_vectors") as seen:
        decoder(batch().target, Mask(causal=True, offset=3), slots=None)
        decoder(torch.zeros(3, 9, dtype=torch.long), Mask(causal=True))
    moved, whole = seen["embedding.position_vectors"]
    assert torch.equal(moved, whole[3:])


def test_numbers_of_layers_and_the_output_tap():
    encoder = made(Encoder, n_encoder_layers=3)
    assert len(encoder.layers) == 3
    assert len(Decoder(SMALL).layers) == 2
    with record(encoder, "output") as seen:
        memory = encoder(batch().source, Mask())
    assert torch.equal(seen["output"][0], memory)
