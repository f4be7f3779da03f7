import pytest
import torch
import torch.nn.functional as F
from transformers.models.bart.modeling_bart import shift_tokens_right as shift_bart
from transformers.models.mbart.modeling_mbart import shift_tokens_right as shift_mbart

from nn.samples import DECODER, max_difference, randomize, small
from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.nn import heads, losses
from pellucid.nn.heads import Head, pool_states, shift_right, sum_cross_entropy
from pellucid.taps import record


def test_logits_are_products_with_each_tokens_vector():  # authority: by hand
    head, states = Head(DECODER, LANGUAGE_MODEL), torch.randn(2, 3, 16)
    randomize(head)
    with record(head) as seen:
        logits = head(states)
    assert head.output.bias is None
    for b, t, v in ((0, 0, 0), (1, 2, 12)):
        assert max_difference(logits[b, t, v], (states[b, t] * head.output.weight[v]).sum()) <= 1e-5
    assert torch.equal(seen["logits"][0], logits)


def test_the_parts_stand_in_their_order():  # authority: torch's own operators in float64
    c = small(norm_eps=0.1)
    head = Head(c, HeadConfig(kind="token", outputs=3, activation="gelu", norm=True, scale=0.5))
    randomize(head)
    head.double().eval()
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    inner = F.gelu(F.linear(x, head.transform.weight, head.transform.bias))
    inner = F.layer_norm(inner, (16,), head.norm.weight, head.norm.bias, 0.1) * 0.5
    assert max_difference(head(x), F.linear(inner, head.output.weight, head.output.bias)) <= 1e-12


def test_the_loss_without_all_logits(monkeypatch):  # authority: torch's own operators
    head = Head(small(), HeadConfig(kind="lm", activation="gelu", norm=True, scale=0.5, bias=True))
    randomize(head)
    states, targets = torch.randn(9, 16, requires_grad=True), torch.randint(13, (9,))
    inputs = [states, *head.parameters()]
    expected = F.cross_entropy(head(states), targets, reduction="sum", label_smoothing=0.1)
    expected_gradients = torch.autograd.grad(expected, inputs)
    monkeypatch.setattr(losses, "FUSED_CHUNK", 30)  # two rows
    for large in (10**6, 9 * 13 * 4 - 1):  # all logits at once, and the fused function
        monkeypatch.setattr(heads, "LARGE_LOGITS", large)
        loss = sum_cross_entropy(head, states, targets, 0.1)
        torch.testing.assert_close(loss, expected, atol=1e-5, rtol=0)
        gradients = torch.autograd.grad(loss, inputs)
        torch.testing.assert_close(gradients, expected_gradients, atol=1e-5, rtol=0)
        with record(head) as seen:  # a tap that somebody listens to sees the logits
            sum_cross_entropy(head, states, targets)
        assert seen["logits"][0].shape == (9, 13)
    monkeypatch.setattr(losses, "cross_entropy", None)  # not used, but without gradients
    sum_cross_entropy(head, states, targets)
    with torch.no_grad(), pytest.raises(TypeError):
        sum_cross_entropy(head, states, targets)


def test_a_score_is_a_number_a_token():  # authority: a tagger of one label, without its axis
    c = small()
    tagger, states = Head(c, HeadConfig(kind="token", outputs=1)), torch.randn(2, 5, 16)
    for parameter in tagger.parameters():  # new parameters hold whatever the memory held
        torch.nn.init.normal_(parameter)
    score = Head(c, HeadConfig(kind="score", outputs=1))
    score.load_state_dict(tagger.state_dict())
    assert tagger(states).shape == (2, 5, 1)
    assert torch.equal(score(states), tagger(states)[..., 0])
    with pytest.raises(ConfigError, match="a head of kind score gives one number per token"):
        HeadConfig(kind="score", outputs=2)
    assert Head(c, HeadConfig(kind="sequence", outputs=1))(torch.randn(2, 16)).shape == (2, 1)
    assert Head(c, HeadConfig(kind="sequence", activation="tanh"))(torch.randn(2, 16)).shape == (
        2,
        16,
    )


def test_a_language_models_rows_are_the_decoders_vocabulary():
    assert Head(small(), LANGUAGE_MODEL).output.weight.shape == (13, 16)
    c = small(target_vocab_size=7, tie_embeddings="none")
    assert Head(c, LANGUAGE_MODEL).output.weight.shape == (7, 16)


def test_a_language_model_narrows_to_the_embedding():
    c = small(d_embedding=4)
    head = Head(c, HeadConfig(kind="lm", activation="gelu", norm=True))
    assert head.transform.weight.shape == (4, 16)
    assert head.output.weight.shape == (13, 4)
    with pytest.raises(ConfigError, match="no transform that maps"):
        Head(c, LANGUAGE_MODEL)


KEEP = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]]).bool()
ENDS = torch.tensor([[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 1, 0]]).bool()


@pytest.mark.parametrize(
    ("pool", "places"), [("first", [0, 0, 0]), ("last", [3, 1, 3]), ("end", [3, 0, 2])]
)
def test_whose_state_stands_for_a_text(pool, places):  # authority: by hand
    state = torch.randn(3, 4, 16)
    expected = torch.stack([state[row, place] for row, place in enumerate(places)])
    assert torch.equal(pool_states(state, KEEP, ENDS, pool), expected)


def test_a_text_without_such_a_token_is_a_usage_error():
    state = torch.randn(3, 4, 16)
    with pytest.raises(UsageError, match="without an end token"):
        pool_states(state, KEEP, ENDS & ~KEEP, "end")
    with pytest.raises(UsageError, match="without a real token"):
        pool_states(state, torch.zeros(3, 4).bool(), None, "last")
    with pytest.raises(UsageError, match="pass is_end"):
        pool_states(state, KEEP, None, "end")
    assert torch.equal(pool_states(state, None, None, "last"), state[:, 3])


def test_a_decoder_reads_the_text_shifted():  # authority: transformers, on real positions
    ids = torch.tensor([[5, 6, 7, 2], [8, 2, 1, 1]])
    keep = ids != 1
    assert torch.equal(shift_right(ids, keep, 9), shift_bart(ids, 1, 9))
    assert torch.equal(shift_right(ids, keep, None), shift_mbart(ids, 1))
    assert torch.equal(shift_right(ids[:1], None, None), shift_mbart(ids[:1], 1))
