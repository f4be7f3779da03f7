"""A hidden Markov model.  Authority: enumeration of all tags, and of all sentences."""

from itertools import product

import pytest
import torch

from pellucid.config.baselines import HMMConfig
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError
from pellucid.nn.hmm import HiddenMarkovModel
from pellucid.nn.model import materialize

N_WORDS, N_TAGS = 4, 3
HEAD = HeadConfig(kind="token", outputs=N_TAGS, crf=True)


@pytest.fixture
def model():
    with torch.device("meta"):
        model = HiddenMarkovModel(HMMConfig(vocab_size=N_WORDS), {"tagger": HEAD})
    model = materialize(model, seed=1).eval()
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            rng = torch.Generator().manual_seed(i)
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
    return model


@torch.no_grad()
def joint(model, words, tags):
    """p(tags, words), by the product of the tables' softmax."""
    chain = model.heads["tagger"].crf
    emissions = model.encoder.logits.double().softmax(0)
    start, after = chain.start_logits.double().softmax(0), chain.logits.double().softmax(1)
    p = float(start[tags[0]])
    for i, (word, tag) in enumerate(zip(words, tags, strict=True)):
        p *= float(emissions[word, tag])
        p *= float(after[tag, tags[i + 1] if i + 1 < len(tags) else N_TAGS])
    return p


def sequences(n, size):
    return product(range(size), repeat=n)


@torch.no_grad()
def test_loss_viterbi_and_marginals(model):
    chain = model.heads["tagger"].crf
    words = [1, 3, 0, 1]
    padded = torch.tensor([[*words, 0, 0], [2, 0, 0, 0, 0, 0]])
    keep = torch.tensor([[True] * 4 + [False] * 2, [True] + [False] * 5])
    emissions = model.heads["tagger"](model(padded, keep))
    p = {tags: joint(model, words, tags) for tags in sequences(4, N_TAGS)}
    best = max(p, key=p.__getitem__)
    assert tuple(chain.decode(emissions, keep)[0, :4].tolist()) == best
    alone = max(range(N_TAGS), key=lambda tag: joint(model, [2], [tag]))
    assert chain.decode(emissions, keep)[1].tolist() == [alone, 0, 0, 0, 0, 0]
    marginals = chain.marginals(emissions, keep)
    for i, tag in product(range(4), range(N_TAGS)):
        expected = sum(q for tags, q in p.items() if tags[i] == tag) / sum(p.values())
        assert float(marginals[0, i, tag]) == pytest.approx(expected, abs=1e-5)
    for tags in ((0, 1, 2, 0), best):
        labels = torch.tensor([[*tags, 0, 0], [1, 0, 0, 0, 0, 0]])
        expected = torch.tensor([p[tags], joint(model, [2], [1])]).double().log().sum()
        assert float(chain(emissions, labels, keep)) == pytest.approx(-float(expected), abs=1e-4)


def test_all_sentences_together_have_probability_1(model):
    """A sentence ends after each word with some probability; the rest is in longer sentences."""
    ended = sum(
        joint(model, words, tags)
        for n in (1, 2, 3)
        for words in sequences(n, N_WORDS)
        for tags in sequences(n, N_TAGS)
    )
    after = model.heads["tagger"].crf.logits.double().softmax(1)
    state = model.heads["tagger"].crf.start_logits.double().softmax(0)
    for _ in range(3):
        state = state @ after[:, :N_TAGS]
    assert ended + float(state.sum()) == pytest.approx(1, abs=1e-6)


def test_only_a_tagger_is_a_hidden_markov_model():
    for heads in (None, {}, {"tagger": HeadConfig(kind="token", outputs=2)}):
        with pytest.raises(ConfigError, match="needs one head, of kind token"):
            HiddenMarkovModel(HMMConfig(vocab_size=5), heads)
