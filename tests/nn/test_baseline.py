"""Simple encoders: a bag of words, convolutions, a bidirectional LSTM."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pellucid.config.baselines import BagOfWordsConfig, BiLSTMConfig, TextCNNConfig
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.nn.baseline import BagOfWords, BiLSTM
from pellucid.nn.cnn import TextCNN
from pellucid.nn.heads import pool_states
from pellucid.nn.model import materialize

SIZE = {"vocab_size": 30, "dropout": 0.0}
MODELS = {
    "bag of words": (BagOfWords, BagOfWordsConfig(**SIZE, d_model=6), "mean"),
    "cnn": (TextCNN, TextCNNConfig(**SIZE, d_embedding=6, n_filters=4, widths=(1, 3, 4)), "max"),
    "bilstm": (BiLSTM, BiLSTMConfig(**SIZE, d_model=6, n_encoder_layers=2), "max"),
}
IDS = torch.tensor([[5, 9, 7, 3, 11, 2], [8, 4, 6, 0, 0, 0], [5, 0, 0, 0, 0, 0]])
KEEP = IDS != 0


def build(name):
    module, c, pool = MODELS[name]
    head = HeadConfig(kind="sequence", outputs=3, pool=pool)
    with torch.device("meta"):
        model = module(c, {"classifier": head})
    model = materialize(model, seed=1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    return model


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_batch_equals_its_singles(name):  # authority: each text without padding
    model = build(name)
    pool = model.head_configs["classifier"].pool
    together = model.heads["classifier"](pool_states(model(IDS, KEEP), KEEP, None, pool))
    for row, n in enumerate(KEEP.sum(1).tolist()):
        state = pool_states(model(IDS[row : row + 1, :n]), None, None, pool)
        alone = model.heads["classifier"](state)[0]
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=0)
    with pytest.raises(UsageError, match="neither a decoder nor segments"):
        model(IDS, KEEP, segments=IDS)


@torch.no_grad()
def test_a_bag_is_a_mean():  # authority: NumPy
    model = build("bag of words")
    table = model.encoder.embedding.weight.numpy()
    expected = np.stack([table[row[row > 0]].mean(0) for row in IDS.numpy()])
    pooled = pool_states(model(IDS, KEEP), KEEP, None, "mean")
    np.testing.assert_allclose(pooled.numpy(), expected, atol=1e-6)


@torch.no_grad()
def test_convolutions_are_torchs():  # authority: torch's conv1d, padded with zeros
    model = build("cnn")
    x = F.embedding(IDS[:1], model.encoder.embedding.weight)
    expected = []
    for part in model.encoder.convolutions:
        kernel = part.filters.weight.view(-1, part.width, x.shape[-1]).mT  # (filters, E, width)
        padded = F.pad(x.mT, ((part.width - 1) // 2, part.width // 2))
        expected.append(F.conv1d(padded, kernel, part.filters.bias).relu().mT)
    torch.testing.assert_close(model(IDS[:1]), torch.cat(expected, -1), atol=1e-5, rtol=0)


def test_pooling_ignores_padding():  # authority: by hand
    state = torch.tensor([[[1.0, -5.0], [3.0, -7.0], [100.0, 100.0]]])
    keep = torch.tensor([[True, True, False]])
    assert pool_states(state, keep, None, "mean").tolist() == [[2.0, -6.0]]
    assert pool_states(state, keep, None, "max").tolist() == [[3.0, -5.0]]
    assert pool_states(state, None, None, "max").tolist() == [[100.0, 100.0]]


def test_impossible_sizes_are_refused():
    for make, message in (
        (lambda: TextCNNConfig(widths=()), "widths"),
        (lambda: TextCNNConfig(widths=(0, 3)), "widths"),
        (lambda: BiLSTMConfig(d_model=5), "even"),
        (lambda: BagOfWordsConfig(d_model=0), "d_model=0 must be at least 1"),
        (lambda: BagOfWordsConfig(dropout=1.0), "dropout"),
    ):
        with pytest.raises(ConfigError, match=message):
            make()
