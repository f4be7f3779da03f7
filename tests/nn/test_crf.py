"""Authority: brute force over all labels of tiny sentences, in float64; finite differences."""

from itertools import product

import pytest
import torch

from nn.samples import max_difference, small
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError
from pellucid.nn.crf import CRF
from pellucid.nn.heads import Head
from pellucid.nn.init import initialize

C = 3
LENGTHS = [4, 1, 3, 2]
KEEP = torch.arange(4) < torch.tensor(LENGTHS)[:, None]


@pytest.fixture
def crf():
    made = CRF(C).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def emissions_and_labels():
    return torch.randn(4, 4, C, dtype=torch.float64), torch.randint(C, (4, 4))


def score(crf, emissions, labels):
    """Of one sentence (W, C), term by term."""
    total = crf.start[labels[0]] + crf.end[labels[-1]]
    for t, label in enumerate(labels):
        total = total + emissions[t, label]
        if t:
            total = total + crf.transitions[labels[t - 1], label]
    return total


def all_scores(crf, emissions):
    return {
        labels: score(crf, emissions, labels) for labels in product(range(C), repeat=len(emissions))
    }


def test_the_loss_is_that_of_all_labels(crf):
    emissions, labels = emissions_and_labels()
    expected = 0.0
    for row, n in enumerate(LENGTHS):
        scores = all_scores(crf, emissions[row, :n])
        log_z = torch.logsumexp(torch.stack(list(scores.values())), 0)
        expected = expected + log_z - scores[tuple(labels[row, :n].tolist())]
    assert max_difference(crf(emissions, labels, KEEP), expected) <= 1e-10
    whole = sum(crf(emissions[i : i + 1], labels[i : i + 1]) for i in range(4))
    assert max_difference(crf(emissions, labels), whole) <= 1e-10


def test_the_best_labels_are_decoded(crf):
    for _ in range(20):
        emissions, _ = emissions_and_labels()
        decoded = crf.decode(emissions, KEEP)
        for row, n in enumerate(LENGTHS):
            scores = all_scores(crf, emissions[row, :n])
            assert tuple(decoded[row, :n].tolist()) == max(scores, key=scores.__getitem__)
            assert not decoded[row, n:].any()


def test_marginals_are_sums_over_labels(crf):
    emissions, _ = emissions_and_labels()
    marginals = crf.marginals(emissions, KEEP)
    for row, n in enumerate(LENGTHS):
        scores = all_scores(crf, emissions[row, :n])
        chances = torch.stack(list(scores.values())).softmax(0)
        expected = torch.zeros(n, C, dtype=torch.float64)
        for labels, chance in zip(scores, chances, strict=True):
            for t, label in enumerate(labels):
                expected[t, label] += chance
        assert max_difference(marginals[row, :n], expected) <= 1e-12


def test_padding_changes_nothing(crf):
    emissions, labels = emissions_and_labels()
    other, other_labels = emissions_and_labels()
    changed = torch.where(KEEP[..., None], emissions, other * 50)
    changed_labels = torch.where(KEEP, labels, other_labels)
    assert max_difference(crf(emissions, labels, KEEP), crf(changed, changed_labels, KEEP)) <= 1e-12
    assert torch.equal(crf.decode(emissions, KEEP), crf.decode(changed, KEEP))
    longer = torch.cat([emissions, other], 1), torch.cat([labels, other_labels], 1)
    keep = torch.cat([KEEP, torch.zeros_like(KEEP)], 1)
    assert max_difference(crf(*longer, keep), crf(emissions, labels, KEEP)) <= 1e-12
    assert torch.equal(crf.decode(longer[0], keep)[:, :4], crf.decode(emissions, KEEP))
    assert (
        max_difference(crf.marginals(longer[0], keep)[:, :4][KEEP], crf.marginals(emissions)[KEEP])
        > 0.01
    )
    assert max_difference(
        crf.marginals(longer[0], keep)[:, :4][KEEP], crf.marginals(emissions, KEEP)[KEEP]
    ) <= 1e-12  # fmt: skip


def test_gradients_are_those_of_finite_differences(crf):
    emissions, labels = emissions_and_labels()
    names = [name for name, _ in crf.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in crf.parameters()]

    def loss(emissions, *values):
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(crf, parameters, (emissions, labels, KEEP))

    assert torch.autograd.gradcheck(loss, (emissions.requires_grad_(), *values))


def test_without_transitions_each_word_is_a_softmax():  # authority: torch's cross-entropy
    crf = CRF(C)
    initialize(crf, 0)
    emissions, labels = emissions_and_labels()
    expected = torch.nn.functional.cross_entropy(emissions[KEEP], labels[KEEP], reduction="sum")
    assert max_difference(crf(emissions, labels, KEEP), expected) <= 1e-10
    assert torch.equal(crf.decode(emissions, KEEP)[KEEP], emissions.argmax(-1)[KEEP])
    assert (
        max_difference(crf.marginals(emissions, KEEP)[KEEP], emissions.softmax(-1)[KEEP]) <= 1e-10
    )


def test_long_sentences_are_computed_in_float32():  # authority: the same in float64
    crf = CRF(5)
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    emissions, labels = 10 * torch.randn(2, 300, 5), torch.randint(5, (2, 300))
    small = crf(emissions.bfloat16(), labels).detach()
    assert small.dtype == torch.float32
    exact = crf.double()(emissions.bfloat16().double(), labels).detach()
    assert max_difference(small, exact) <= 1e-5 * float(exact)


def test_only_a_token_head_can_have_a_crf():
    head = Head(small(), HeadConfig(kind="token", outputs=3, crf=True))
    assert head.crf is not None
    assert head.crf.transitions.shape == (3, 3)
    assert Head(small(), HeadConfig(kind="token", outputs=3)).crf is None
    with pytest.raises(ConfigError, match="this is a head of kind sequence"):
        HeadConfig(kind="sequence", outputs=3, crf=True)
