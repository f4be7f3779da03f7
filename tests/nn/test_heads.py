import torch

from nn.samples import DECODER, apart, randomize, small
from pellucid.nn.heads import LanguageModelHead, NoHead
from pellucid.taps import record


def test_logits_are_products_with_each_tokens_vector():  # authority: by hand
    head, states = LanguageModelHead(DECODER), torch.randn(2, 3, 16)
    randomize(head)
    with record(head) as seen:
        logits = head(states)
    assert head.bias is None
    for b, t, v in ((0, 0, 0), (1, 2, 12)):
        assert apart(logits[b, t, v], (states[b, t] * head.weight[v]).sum()) <= 1e-5
    assert torch.equal(seen["logits"][0], logits)


def test_its_rows_are_the_decoders_vocabulary():
    assert LanguageModelHead(small()).weight.shape == (13, 16)
    c = small(target_vocab_size=7, tie_embeddings="none")
    assert LanguageModelHead(c).weight.shape == (7, 16)


def test_no_head_passes_states_on():
    states = torch.randn(2, 3, 16)
    assert torch.equal(NoHead()(states), states)
