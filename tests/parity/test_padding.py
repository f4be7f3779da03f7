"""Decoders alone, padded on either side.

Authorities: transformers' classes with the same random weights and explicit positions; algebra.
"""

import pytest
import torch
import transformers
from torch import Tensor, nn

from parity.causal import LEFT_IDS, LEFT_KEEP, PLACES
from parity.peer import IDS, KEEP, assert_close, randomize, save_and_open
from pellucid.nn.model import Transformer

SHAPE = {"n_positions": 20, "n_embd": 8, "n_layer": 2, "n_head": 2}
NEO = {
    "max_position_embeddings": 20,
    "hidden_size": 8,
    "num_layers": 2,
    "num_heads": 2,
    "attention_types": [[["global", "local"], 1]],
    "window_size": 2,
}
MODELS = {
    "gpt": (transformers.OpenAIGPTLMHeadModel, transformers.OpenAIGPTConfig, SHAPE),
    "gpt2": (transformers.GPT2LMHeadModel, transformers.GPT2Config, SHAPE),
    "gpt-neo": (transformers.GPTNeoForCausalLM, transformers.GPTNeoConfig, NEO),
    "ctrl": (transformers.CTRLLMHeadModel, transformers.CTRLConfig, {**SHAPE, "dff": 12}),
}


def theirs_of(name: str) -> nn.Module:
    kind, config, shape = MODELS[name]
    return randomize(kind(config(vocab_size=50, pad_token_id=1, **shape)))


@pytest.fixture(params=MODELS)
def model(request, tmp_path) -> Transformer:
    """Build a random model of each family."""
    return save_and_open(theirs_of(request.param), tmp_path).model


def logits(model: Transformer, ids: Tensor, keep: Tensor | None = None) -> Tensor:
    return model.heads["lm"](model(ids, keep))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_left_padding_is_that_of_transformers(name, tmp_path):
    reference = theirs_of(name)
    expected = reference(LEFT_IDS, attention_mask=LEFT_KEEP.long(), position_ids=PLACES)
    actual = logits(save_and_open(reference, tmp_path).model, LEFT_IDS, LEFT_KEEP)
    assert_close(actual[LEFT_KEEP], expected.logits[LEFT_KEEP])


@torch.no_grad()
def test_no_token_sees_a_later_one(model):  # authority: algebra, to the bit
    before = logits(model, IDS)
    for place in range(1, IDS.shape[1]):
        changed = IDS.clone()
        changed[:, place:] = (changed[:, place:] + 17) % 50
        after = logits(model, changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert not torch.equal(after[:, place:], before[:, place:])


@torch.no_grad()
def test_no_token_sees_padding(model):  # authority: algebra
    left, right = logits(model, LEFT_IDS, LEFT_KEEP), logits(model, IDS, KEEP)
    for row, keep in enumerate(KEEP):
        alone = logits(model, IDS[row : row + 1, keep])[0]
        bound = 1e-6 * max(1.0, float(alone.abs().max()))
        assert (left[row, LEFT_KEEP[row]] - alone).abs().max() <= bound
        assert (right[row, keep] - alone).abs().max() <= bound


@torch.no_grad()
def test_cached_is_uncached(model):  # authority: algebra
    inputs = torch.tensor([[3, 8, 40], [9, 4, 2], [5, 1, 6]])  # 1, what texts are padded with, too
    cache = model.prefill(LEFT_IDS, LEFT_KEEP, len(IDS))
    steps = [model.step(ids, cache).logits for ids in (inputs[:, :1], inputs[:, 1:])]
    actual = torch.cat(steps, 1)  # (B, 3, V)
    for row, keep in enumerate(KEEP):
        whole = torch.cat([IDS[row, keep], inputs[row]])[None]
        assert_close(actual[row], logits(model, whole)[0, -3:])
