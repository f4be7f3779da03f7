import torch

from nn.samples import batch, build_random, max_difference, small
from pellucid.nn.dropout import dropout


def test_only_in_training_and_only_above_zero():
    x = torch.randn(100)
    assert dropout(x, 0.5, False) is x
    assert dropout(x, 0.0, True) is x
    out = dropout(x, 0.5, True)
    assert ((out == 0) | ((out - 2 * x).abs() < 1e-6)).all()
    assert 20 < int((out == 0).sum()) < 80


def test_a_models_dropout_is_decided_by_the_seed():  # authority: torch.manual_seed
    inputs = batch()
    rates = {"dropout": 0.2, "attention_dropout": 0.2, "activation_dropout": 0.2}
    model = build_random(small(**rates)).train()
    seen = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        seen.append(model(*inputs))
    assert torch.equal(seen[0], seen[1])
    assert max_difference(seen[0], seen[2]) > 1e-2
    assert torch.equal(model.eval()(*inputs), model(*inputs))
    with torch.no_grad():
        assert torch.equal(model(*inputs), model(*inputs))
