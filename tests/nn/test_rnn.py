"""The recurrent translator.

Authorities: its papers' equations written out with torch's own cells (nn/recurrent.py); torch's
bidirectional layers on packed sequences; finite differences; algebra.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nn.recurrent import KINDS, SMALL, by_hand, random_translator
from nn.samples import batch, max_difference
from pellucid.config.rnn import RNNConfig
from pellucid.errors import UsageError
from pellucid.nn.init import initialize
from pellucid.nn.masks import Mask
from pellucid.nn.model import build
from pellucid.nn.pack_model import pack_model
from pellucid.taps import record, taps

LENGTHS = (5, 7, 1)


def kind(cell: str, attention: str, feeding: bool, **changes: object) -> RNNConfig:
    return replace(SMALL, cell=cell, attention=attention, input_feeding=feeding, **changes)  # type: ignore[arg-type]


def logits(model, source, keep, target) -> Tensor:
    return model.heads["lm"](model(source, keep, target))


@pytest.mark.parametrize(("cell", "attention", "feeding"), KINDS)
def test_equals_the_papers_equations(cell, attention, feeding):
    model = random_translator(kind(cell, attention, feeding))
    source, keep, target = batch(LENGTHS)  # padded with garbage; by hand there is no padding
    actual = logits(model, source, keep, target)
    for row, length in enumerate(LENGTHS):
        expected = by_hand(model, source[row, :length].tolist(), target[row].tolist())
        assert max_difference(actual[row], torch.from_numpy(expected)) < 1e-5


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("lengths", [LENGTHS, (6, 6)])
def test_encoder_equals_torch_on_packed_sequences(cell, lengths):
    # Authority: torch.nn.LSTM and GRU, bidirectional, two layers, which never see padding.
    encoder = random_translator(kind(cell, "dot", False)).encoder
    reference = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](
        10, 6, num_layers=2, bidirectional=True, batch_first=True
    )
    for i, layer in enumerate(encoder.layers):
        for way, end in (("left_to_right", ""), ("right_to_left", "_reverse")):
            for name, p in layer.get_submodule(way).named_parameters():
                reference.get_parameter(f"{name[:-1]}{i}{end}").data = p.data
    source, keep, _ = batch(lengths)
    x = encoder.embedding(source)
    packed = pack_padded_sequence(x, keep.sum(1), batch_first=True, enforce_sorted=False)
    outputs, last = reference(packed)
    memory, _ = pad_packed_sequence(outputs, batch_first=True)
    last = last[0] if cell == "lstm" else last  # (4, B, 6), the last two of the second layer
    read = encoder.encode(source, Mask(keep=keep))
    assert max_difference(read.memory[keep], memory[keep]) < 1e-6
    assert max_difference(read.vector, torch.cat([last[2], last[3]], -1)) < 1e-6


@pytest.mark.parametrize(("cell", "attention", "feeding"), KINDS)
def test_gradients_equal_finite_differences(cell, attention, feeding):
    small = {"d_model": 4, "d_embedding": 3, "vocab_size": 5}
    c = kind(cell, attention, feeding, n_encoder_layers=1, n_decoder_layers=1, **small)
    model = random_translator(c).double()
    source, keep, target = batch((2, 1), n_target=2)
    names, values = zip(*model.named_parameters(), strict=True)

    def loss(*arguments: Tensor) -> Tensor:
        weights = dict(zip(names, arguments, strict=True))
        inputs = (source % 5, keep, target % 5)
        return functional_call(model, weights, inputs).square().sum()

    # the states alone: of the head there is no question
    used = [v.detach().requires_grad_() for v in values]
    assert torch.autograd.gradcheck(loss, used, fast_mode=True)


@pytest.mark.parametrize(("cell", "attention", "feeding"), KINDS)
def test_cached_equals_uncached(cell, attention, feeding):  # authority: algebra
    model = random_translator(kind(cell, attention, feeding))
    source, keep, target = batch(LENGTHS)
    expected = logits(model, source, keep, target)
    for cut in ([1] * 6, [6], [2, 1, 3]):
        cache = model.prefill(source, keep, 3)
        result = [model.step(part, cache).logits for part in target.split(cut, 1)]
        assert max_difference(torch.cat(result, 1), expected) < 1e-6
        assert cache.length == 6


@pytest.mark.parametrize(("cell", "attention", "feeding"), KINDS)
def test_cache_follows_a_search(cell, attention, feeding):
    # Authority: each text computed from its source. Rows: expanded, reordered, some sources done.
    model = random_translator(kind(cell, attention, feeding))
    source, keep, _ = batch(LENGTHS)
    rng = torch.Generator().manual_seed(1)
    texts = torch.randint(0, 13, (3, 1), generator=rng)  # one row a source
    cache = model.prefill(source, keep, 3)
    model.step(texts, cache)
    cache.expand(2)
    owner, texts = torch.arange(3).repeat_interleave(2), texts.repeat_interleave(2, 0)
    moves = [
        ("reorder", [1, 1, 2, 3, 5, 4]),
        ("keep_rows", [1, 0, 4, 4]),
        ("reorder", [1, 0, 2, 2]),
    ]
    for move, rows in moves:
        new = torch.randint(0, 13, (len(texts), 1), generator=rng)
        texts = torch.cat((texts, new), 1)
        result = model.step(new, cache).logits[:, -1]
        expected = logits(model, source[owner], keep[owner], texts)[:, -1]
        assert max_difference(result, expected) < 1e-6
        getattr(cache, move)(torch.tensor(rows))
        owner, texts = owner[rows], texts[rows]
    assert (cache.rows, cache.length) == (4, 4)
    cache.truncate(4)
    with pytest.raises(UsageError, match="cannot truncate a recurrent state of 4 tokens to 3"):
        cache.truncate(3)


@pytest.mark.parametrize(("cell", "attention", "feeding"), KINDS)
def test_a_batch_equals_its_single_rows(cell, attention, feeding):  # authority: algebra
    model = random_translator(kind(cell, attention, feeding))
    source, keep, target = batch(LENGTHS)
    result = logits(model, source, keep, target)
    for row, length in enumerate(LENGTHS):
        alone = logits(model, source[row : row + 1, :length], None, target[row : row + 1])
        assert max_difference(result[row], alone[0]) < 1e-6
    garbage = torch.where(keep, source, (source + 5) % 13)
    assert torch.equal(logits(model, garbage, keep, target), result)
    later = target.clone()
    later[:, 3:] = (later[:, 3:] + 1) % 13
    assert torch.equal(logits(model, source, keep, later)[:, :3], result[:, :3])  # no look ahead


@pytest.mark.parametrize("attention", ["additive", "dot", "general"])
def test_a_fully_masked_row_gives_zeros(attention):  # authority: DESIGN.md, Mask
    model = random_translator(kind("lstm", attention, True))
    source, keep, target = batch((4, 2))
    keep[1] = False
    with record(model, "*weights") as weights, record(model, "*context") as contexts:
        model(source, keep, target).sum().backward()
    for seen in (*weights["decoder.attention.weights"], *contexts["decoder.attention.context"]):
        assert not seen[1].any()
        assert seen[0].any()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_weights_are_told_by_a_tap():  # authority: softmax sums to 1 over what is real
    model = random_translator(kind("gru", "additive", False))
    source, keep, target = batch(LENGTHS)
    (path,) = model.source_weights
    assert path in taps(model)
    with record(model, path) as seen:
        model(source, keep, target)
    (weights,) = seen[path]  # (B, 1, T, S)
    assert weights.shape == (3, 1, 6, 7)
    assert max_difference(weights.sum(-1), torch.ones(3, 1, 6)) < 1e-6
    assert not weights.masked_select(~keep[:, None, None]).any()
    assert random_translator(kind("gru", "none", False)).source_weights == ()


def test_padding_stands_on_the_right():
    model = random_translator()
    source, keep, target = batch(LENGTHS)
    with pytest.raises(UsageError, match="padded on the right"):
        model(source, keep.flip(1), target)
    with pytest.raises(UsageError, match="needs target_ids"):
        model(source, keep)


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 0.1), ("int8", 0.1)])
def test_a_prepared_copy_gives_the_same(dtype, tolerance):
    # Authority: the plain model; in 8 and 16 bits to their rounding of logits near 3.
    for cell, attention, feeding in (("lstm", "general", True), ("gru", "additive", False)):
        model = random_translator(kind(cell, attention, feeding))
        source, keep, target = batch(LENGTHS)
        actual = pack_model(model, dtype)
        with torch.inference_mode():
            result = actual.step(target, actual.prefill(source, keep, 3)).logits
        assert max_difference(result, logits(model, source, keep, target)) < tolerance


@pytest.mark.parametrize("tied", ["all", "inputs", "decoder", "none"])
def test_ties(tied):  # authority: the names
    model = build(replace(SMALL, d_embedding=0, tie_embeddings=tied), seed=0)
    source, target = model.encoder.embedding.weight, model.decoder.embedding.weight
    output = model.heads["lm"].output.weight  # type: ignore[union-attr]
    assert (source is target) == (tied in ("all", "inputs"))
    assert (output is target) == (tied in ("all", "decoder"))


def test_where_weights_start():
    # Authority: orthogonality, Glorot's bound, and the forget gate's place in torch's layout.
    model = build(replace(SMALL, cell="lstm", d_model=64, d_embedding=32), seed=5)
    layer = model.decoder.layers[0]
    for gate in layer.weight_hh_l0.split(64):  # type: ignore[union-attr]
        assert max_difference(gate @ gate.T, torch.eye(64)) < 1e-5
    bound = (6 / (32 + 64)) ** 0.5
    assert 0.9 * bound < float(layer.weight_ih_l0.detach().abs().max()) <= bound  # type: ignore[operator]
    bias = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()  # type: ignore[operator]
    assert torch.equal(bias, torch.tensor([0.0, 1.0, 0.0, 0.0]).repeat_interleave(64))
    again = build(model.config, seed=5)
    assert all(map(torch.equal, model.parameters(), again.parameters()))
    for p in again.parameters():
        p.data.fill_(float("nan"))
    initialize(again, 5)
    assert not any(bool(p.isnan().any()) for p in again.parameters())


def test_dropout_is_only_active_in_training():  # authority: the definition
    c = replace(SMALL, dropout=0.5, input_feeding=True)
    model = random_translator(c).train()
    source, keep, target = batch(LENGTHS)
    torch.manual_seed(3)
    one, other = model(source, keep, target), model(source, keep, target)
    assert max_difference(one, other) > 0.01
    torch.manual_seed(3)
    assert torch.equal(model(source, keep, target), one)
    model.eval()
    assert torch.equal(model(source, keep, target), model(source, keep, target))
