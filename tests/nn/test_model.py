"""The whole model: against NumPy float64, against torch's own, and its three shapes and ties."""

import copy

import pytest
import torch
from torch import nn

from nn.reference import part, stack, transformer, weights_of
from nn.samples import (
    DECODER,
    ENCODER,
    SMALL,
    batch,
    build_random,
    max_difference,
    randomize,
    small,
)
from pellucid.config.head import LANGUAGE_MODEL
from pellucid.errors import ConfigError, UsageError
from pellucid.nn import kernels
from pellucid.nn.model import Transformer, build
from pellucid.nn.weights import tie

SHAPES = {
    "post": small(),
    "pre": small(norm_place="pre", positions="sinusoid-halves", activation="gelu"),
    "learned": small(positions="learned", tie_embeddings="decoder", scale_embeddings=False),
    "slice": small(head_split="slice", activation="swish", tie_embeddings="none"),
    "nowhere": small(positions="none", activation="gelu-tanh", norm_place="pre", norm_eps=1e-3),
    "uneven": small(n_encoder_layers=1, n_decoder_layers=3, n_heads=1),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("explicit", [False, True])
def test_logits_are_the_papers(name, explicit, monkeypatch):  # authority: NumPy float64
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: explicit)
    c, inputs = SHAPES[name], batch()
    model = build_random(c)
    logits = model.heads["lm"](model(inputs.source, inputs.keep, inputs.target))
    exact = transformer(c, weights_of(model), *(x.numpy() for x in inputs))
    assert max_difference(logits, torch.from_numpy(exact)) <= 1e-5


@pytest.mark.parametrize("place", ["post", "pre"])
def test_halves_are_the_papers(place):  # authority: NumPy float64
    source, keep, _ = batch()
    c = small(n_decoder_layers=0, norm_place=place)
    model = build_random(c)
    seen = keep[:, None, :].expand(-1, source.shape[1], -1).numpy()
    exact = stack(c, part(weights_of(model), "encoder"), source.numpy(), seen)
    assert max_difference(model(source, keep), torch.from_numpy(exact)) <= 1e-5
    c = small(n_encoder_layers=0, norm_place=place)
    model = build_random(c)
    seen = torch.ones(seen.shape).tril().bool()
    exact = stack(c, part(weights_of(model), "decoder"), source.numpy(), seen.numpy())
    assert max_difference(model(source), torch.from_numpy(exact)) <= 1e-5


@pytest.mark.parametrize("positions", ["sinusoid", "learned", "buckets"])
def test_padding_on_either_side_changes_nothing(positions):  # authority: algebra
    model = build_random(small(n_encoder_layers=0, positions=positions))
    texts = [torch.tensor([[4, 7, 9, 5, 3]]), torch.tensor([[6, 8]])]
    left = torch.tensor([[4, 7, 9, 5, 3], [1, 1, 1, 6, 8]])
    right = torch.tensor([[4, 7, 9, 5, 3], [6, 8, 1, 1, 1]])
    keep = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]).bool()
    for states, where in ((model(left, keep), keep), (model(right, keep.flip(1)), keep.flip(1))):
        for row, text in enumerate(texts):
            assert max_difference(states[row, where[row]], model(text)[0]) <= 2e-6


@torch.inference_mode()
def test_a_beginning_padded_on_the_left_is_continued_as_if_alone():  # authority: algebra
    for positions in ("sinusoid", "learned", "buckets"):
        model = build_random(small(n_encoder_layers=0, positions=positions))
        texts = [torch.tensor([[4, 7, 9, 5, 3]]), torch.tensor([[6, 8]])]
        left = torch.tensor([[4, 7, 9, 5, 3], [1, 1, 1, 6, 8]])
        keep = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]).bool()
        cache = model.prefill(left, keep, 2)
        cache.expand(2)
        cache.reorder(torch.tensor([1, 0, 3, 2]))
        ids = torch.tensor([[5, 4], [6, 4], [9, 8], [3, 8]])
        logits = [model.step(ids, cache).logits]
        cache.keep_rows(torch.tensor([2, 3]))
        logits.append(model.step(ids[2:], cache).logits)
        for row, text in ((0, texts[0]), (1, texts[0]), (2, texts[1]), (3, texts[1])):
            whole = torch.cat([text, ids[row : row + 1], ids[row : row + 1]], 1)
            expected = model.heads["lm"](model(whole))[0]
            assert max_difference(logits[0][row], expected[-4:-2]) <= 1e-5
            if row > 1:
                assert max_difference(logits[1][row - 2], expected[-2:]) <= 1e-5
    with pytest.raises(UsageError, match="padded on the left"):
        model.prefill(left, keep.flip(1), 2)


def torch_transformer(actual, c) -> nn.Transformer:
    """torch's own model with our weights; post-norm without the final norms that it adds."""
    pre = c.norm_place == "pre"
    hf_model = nn.Transformer(
        *(c.d_model, c.n_heads, c.n_encoder_layers, c.n_decoder_layers, c.d_ff, 0.0),
        activation=c.activation,
        layer_norm_eps=c.norm_eps,
        batch_first=True,
        norm_first=pre,
    )
    if not pre:
        hf_model.encoder.norm = hf_model.decoder.norm = None
    state = hf_model.state_dict()
    for name, tensor in state.items():
        tensor.copy_(ours_by_their_name(dict(actual.named_parameters()), name))
    return hf_model


RENAMES = {
    "self_attn.in_proj_": "attention.inner.{}.",
    "self_attn.out_proj.": "attention.inner.o.",
    "multihead_attn.in_proj_": "cross.inner.{}.",
    "multihead_attn.out_proj.": "cross.inner.o.",
    "linear1.": "feed_forward.inner.up.",
    "linear2.": "feed_forward.inner.down.",
}


def ours_by_their_name(actual: dict, name: str) -> torch.Tensor:
    names = dict(RENAMES)
    last = "3" if name.startswith("decoder") else "2"
    names |= {"norm1.": "attention.norm.", f"norm{last}.": "feed_forward.norm."}
    if last == "3":
        names["norm2."] = "cross.norm."
    for hf_model, mine in names.items():
        name = name.replace(hf_model, mine)
    if "{}" in name:
        return torch.cat([actual[name.format(letter)] for letter in "qkv"])
    return actual[name]


@pytest.mark.parametrize("place", ["post", "pre"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_forward_and_gradients_are_torchs(place, activation):  # authority: torch.nn.Transformer
    c, (source, keep, target) = small(norm_place=place, activation=activation), batch()
    actual = build_random(c).train()
    hf_model = torch_transformer(actual, c).train()
    embed = [
        stack.embedding(ids) for stack, ids in ((actual.encoder, source), (actual.decoder, target))
    ]
    causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1]) < 0
    expected = hf_model(
        *embed, tgt_mask=causal, src_key_padding_mask=~keep, memory_key_padding_mask=~keep
    )
    states = actual(source, keep, target)
    assert max_difference(states, expected) <= 1e-5
    direction = torch.randn(states.shape) / states[0].numel()
    by_name = {n: p for n, p in actual.named_parameters() if n.split(".")[1] in ("layers", "norm")}
    mine = torch.autograd.grad((states * direction).sum(), list(by_name.values()))
    grads = dict(zip(by_name, mine, strict=True))
    named = dict(hf_model.named_parameters())
    other = torch.autograd.grad((expected * direction).sum(), list(named.values()))
    for name, grad in zip(named, other, strict=True):
        assert grad.abs().max() > 0
        assert max_difference(ours_by_their_name(grads, name), grad) <= 1e-5, name
    embeddings = actual.encoder.embedding.weight  # tied: the same leaf on both roads
    a, b = (
        torch.autograd.grad((y * direction).sum(), embeddings)[0] for y in again(actual, hf_model)
    )
    assert max_difference(a, b) <= 1e-5


def again(actual, hf_model) -> tuple[torch.Tensor, torch.Tensor]:
    source, keep, target = batch()
    embed = [
        stack.embedding(ids) for stack, ids in ((actual.encoder, source), (actual.decoder, target))
    ]
    causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1]) < 0
    padding = {"src_key_padding_mask": ~keep, "memory_key_padding_mask": ~keep}
    return actual(source, keep, target), hf_model(*embed, tgt_mask=causal, **padding)


@pytest.mark.parametrize("explicit", [False, True])
def test_autocast_stays_near(explicit, monkeypatch):  # authority: float32; bf16 has 8 bits
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: explicit)
    model, inputs = build_random(small(norm_place="pre")).train(), batch()
    expected = model.heads["lm"](model(*inputs))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.heads["lm"](model(*inputs))
    assert logits.dtype == torch.bfloat16
    assert max_difference(logits, expected) <= 0.05 * float(expected.detach().abs().max())
    logits.float().square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


def test_each_shape_has_its_parts_and_no_more():
    source, keep, target = batch()
    encoder, decoder, both = build_random(ENCODER), build_random(DECODER), build_random()
    assert not any(name.startswith(("decoder", "head")) for name, _ in encoder.named_parameters())
    assert not any("cross" in n or n.startswith("encoder") for n, _ in decoder.named_parameters())
    assert encoder(source, keep).shape == (*source.shape, 16)
    assert decoder.heads["lm"](decoder(source)).shape == (*source.shape, 13)
    assert both.heads["lm"](both(source, keep, target)).shape == (*target.shape, 13)


def test_what_a_shape_cannot_do_is_a_usage_error():
    source, keep, _ = batch()
    with pytest.raises(UsageError, match="needs target_ids"):
        build_random()(source, keep)
    with pytest.raises(UsageError, match="needs source ids"):
        build_random().prefill(None, None, 3)
    with pytest.raises(UsageError, match="an encoder only"):
        build_random(ENCODER).prefill(source, keep, 3)
    with pytest.raises(ConfigError, match="vocab_size is 0"):
        build(small(vocab_size=0))
    with pytest.raises(UsageError, match="65 tokens"):
        build_random(small(positions="learned"))(source, keep, torch.zeros(3, 65, dtype=torch.long))


def test_target_vocabulary_of_its_own():
    model = build_random(small(target_vocab_size=7, tie_embeddings="decoder"))
    assert model.encoder.embedding.weight.shape == (13, 16)
    assert model.heads["lm"].output.weight is model.decoder.embedding.weight
    assert model.heads["lm"].output.weight.shape == (7, 16)


def matrices(model) -> list[int]:
    """Which of encoder's, decoder's and output's matrix are one: equal numbers for one matrix."""
    names = ("encoder.embedding.weight", "decoder.embedding.weight", "heads.lm.output.weight")
    seen: list[int] = [id(model.get_parameter(name)) for name in names]
    return [seen.index(one) for one in seen]


@pytest.mark.parametrize("target_vocab_size", [0, 7])
@pytest.mark.parametrize("missing", [{}, {"n_encoder_layers": 0}, {"n_decoder_layers": 0}])
@pytest.mark.parametrize("tied", ["all", "inputs", "decoder", "none"])
def test_every_tie_that_a_config_allows_fits(tied, missing, target_vocab_size):
    """Authority: the shapes that the parts have before they are tied."""
    try:
        c = small(tie_embeddings=tied, target_vocab_size=target_vocab_size, **missing)
    except ConfigError:
        return  # tests/config has which, and that the advised way out is none of these
    with torch.device("meta"):
        model = Transformer(c, {"lm": LANGUAGE_MODEL})
    for kept, alias in model.ties():
        assert model.get_parameter(kept).shape == model.get_parameter(alias).shape, (kept, alias)


@pytest.mark.parametrize(
    ("tied", "which"), [("all", [0, 0, 0]), ("decoder", [0, 1, 1]), ("none", [0, 1, 2])]
)
def test_ties_are_what_the_config_says(tied, which):
    model = build(small(tie_embeddings=tied), seed=0)
    assert matrices(model) == which
    assert len(list(model.parameters())) == len({id(p) for p in model.parameters()})
    before = {name: id(p) for name, p in model.named_parameters(remove_duplicate=False)}
    tie(model)
    tie(model)
    assert {n: id(p) for n, p in model.named_parameters(remove_duplicate=False)} == before
    model.load_state_dict(copy.deepcopy(model.state_dict()))
    assert matrices(model) == which
    assert matrices(copy.deepcopy(model)) == which
    for kept, alias in model.ties():
        assert model.get_parameter(kept) is model.get_parameter(alias)


def test_gradients_of_ties_accumulate_into_one():  # authority: the sum over an untied copy's three
    inputs = batch()
    tied = build_random(SMALL).train()
    untied = build_random(small(tie_embeddings="none")).train()
    untied.load_state_dict(tied.state_dict())
    for model in (tied, untied):
        model.heads["lm"](model(*inputs)).square().mean().backward()
    output = untied.heads["lm"].output.weight
    three = (untied.encoder.embedding.weight, untied.decoder.embedding.weight, output)
    assert all(weight.grad.abs().max() > 1e-4 for weight in three)
    assert (
        max_difference(tied.heads["lm"].output.weight.grad, sum(weight.grad for weight in three))
        <= 1e-5
    )


def test_every_weight_is_used():  # authority: a weight without gradient has no effect
    for c in (*SHAPES.values(), DECODER, ENCODER):
        model, (source, keep, target) = build_random(c).train(), batch()
        states = model(source, keep, target if c.n_decoder_layers and c.n_encoder_layers else None)
        logits = model.heads["lm"](states) if model.heads else states
        logits.square().mean().backward()
        silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert not silent


def test_randomize_reaches_every_weight():
    model = build_random(SMALL)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    randomize(model, 1)
    assert all(max_difference(p, before[n]) > 0.01 for n, p in model.named_parameters())
