"""The skip-gram model."""

import numpy as np
import torch

from pellucid.config.skip_gram import SkipGramConfig
from pellucid.nn.skip_gram import SkipGram, skip_gram_loss


def model_of(n_words=7, width=4):
    model = SkipGram(SkipGramConfig(vocab_size=n_words, d_model=width)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
            )
    return model


WORDS, CONTEXTS = torch.tensor([0, 3, 3, 6]), torch.tensor([1, 2, 2, 3])
NOISE = torch.tensor([[5, 5], [2, 4], [0, 1], [6, 3]])  # three of them are the context or twice


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_loss_is_the_papers():  # authority: equation 4, pair by pair in NumPy
    model = model_of()
    w, c = model.words.detach().numpy(), model.contexts.detach().numpy()
    wanted = 0.0
    for word, context, noise in zip(WORDS.tolist(), CONTEXTS.tolist(), NOISE.tolist(), strict=True):
        wanted -= np.log(sigmoid(w[word] @ c[context]))
        wanted -= sum(np.log(sigmoid(-w[word] @ c[n])) for n in noise if n != context)
    loss = skip_gram_loss(model(WORDS, CONTEXTS, NOISE), CONTEXTS[:, None] != NOISE)
    np.testing.assert_allclose(loss.item(), wanted, atol=1e-5)  # summed in float32


def test_gradients_are_those_of_algebra():  # d/dx log s(x) = 1 - s(x), by hand
    model = model_of()
    skip_gram_loss(model(WORDS, CONTEXTS, NOISE), CONTEXTS[:, None] != NOISE).backward()
    w, c = model.words.detach().numpy(), model.contexts.detach().numpy()
    words, contexts = np.zeros_like(w), np.zeros_like(c)
    for word, context, noise in zip(WORDS.tolist(), CONTEXTS.tolist(), NOISE.tolist(), strict=True):
        targets = [(context, 1.0), *((n, 0.0) for n in noise if n != context)]
        for target, label in targets:
            error = sigmoid(w[word] @ c[target]) - label
            words[word] += error * c[target]
            contexts[target] += error * w[word]
    np.testing.assert_allclose(model.words.grad.numpy(), words, atol=1e-6)
    np.testing.assert_allclose(model.contexts.grad.numpy(), contexts, atol=1e-6)


def test_initial_vectors_are_those_of_word2vec():  # its released code: uniform, and zeros
    model = SkipGram(SkipGramConfig(vocab_size=1000, d_model=50))
    model.initialize(3)
    values = model.words.detach()
    assert values.abs().max() <= 0.5 / 50
    assert abs(values.std() - 1 / 50 / 12**0.5) < 1e-4
    assert not model.contexts.any()
    again = SkipGram(SkipGramConfig(vocab_size=1000, d_model=50))
    again.initialize(3)
    assert torch.equal(again.words, model.words)
