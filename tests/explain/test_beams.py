"""The tree of a beam search.  Authority: the search's own texts, and forced decoding."""

import pytest
import torch

import pellucid
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError
from pellucid.explain.beams import log_beams

TEXT = "我喜欢这个美丽花园"
BEAM = 4


@pytest.fixture(scope="module")
def model():
    return pellucid.load("zh-en", device="cpu")


@pytest.fixture(scope="module")
def nodes(model):
    return log_beams(model.bundle, model.ids(TEXT), DecodingConfig(beam=BEAM))


def ids_of(nodes, i):
    ids = []
    while i >= 0:
        ids.append(nodes[i].token)
        i = nodes[i].parent
    return tuple(reversed(ids))


def test_the_best_texts_are_those_of_the_search(model, nodes):
    settings = {**vars(DecodingConfig(beam=BEAM)), "n_best": BEAM}
    (expected,) = model.translate([TEXT], **settings)
    end = model.bundle.special_ids.end
    ended = sorted(
        (i for i, node in enumerate(nodes) if node.status == "ended"), key=lambda i: -nodes[i].score
    )
    for i, translation in zip(ended, expected, strict=False):
        assert ids_of(nodes, i) == (*translation.ids, end)
        assert nodes[i].score == pytest.approx(translation.score, abs=1e-5)
    best = [node.token for node in nodes if node.is_best]
    assert tuple(best) == (*expected[0].ids, end)


def test_each_step_keeps_a_beam_of_the_candidates(nodes):
    last = nodes[-1].step
    for step in range(last + 1):
        statuses = [node.status for node in nodes if node.step == step]
        assert statuses.count("kept") <= BEAM
        if step < last:
            assert statuses.count("kept") == BEAM
            assert len(statuses) == 2 * BEAM
            assert "open" not in statuses
        kept = [n.log_prob for n in nodes if n.step == step and n.status == "kept"]
        pruned = [n.log_prob for n in nodes if n.step == step and n.status == "pruned"]
        assert not kept or not pruned or min(kept) >= max(pruned)
    assert all(nodes[node.parent].status == "kept" for node in nodes if node.parent >= 0)


def test_log_probabilities_are_those_of_forced_decoding(model, nodes):
    for i in range(0, len(nodes), 7):
        log_prob = force_decode(model, ids_of(nodes, i))
        assert nodes[i].log_prob == pytest.approx(log_prob, abs=1e-4)


def force_decode(model, ids):
    """The log-probability of ids, from one pass over them."""
    read = torch.tensor([[model.bundle.special_ids.start, *ids[:-1]]])
    log_probs = model.logits(torch.tensor([model.ids(TEXT)]), target_ids=read)[0].log_softmax(-1)
    return sum(float(log_probs[t, token]) for t, token in enumerate(ids))


@pytest.mark.parametrize("step", [0, 2])
def test_a_text_that_begins_as_a_reader_chose(model, nodes, step):
    """A dropped text is continued; the search's own texts are those of `prefix` of `translate`."""
    dropped = next(i for i, n in enumerate(nodes) if (n.step, n.status) == (step, "pruned"))
    prefix = ids_of(nodes, dropped)
    forced = log_beams(model.bundle, model.ids(TEXT), DecodingConfig(beam=BEAM), prefix)
    assert tuple(node.token for node in forced[: step + 1]) == prefix
    assert forced[step].log_prob == pytest.approx(nodes[dropped].log_prob, abs=1e-5)
    assert all(node.step > step for node in forced[step + 1 :])
    ended = {ids_of(forced, i): node for i, node in enumerate(forced) if node.status == "ended"}
    text = model.bundle.tokenizers.target.decode_output(prefix)
    settings = {**vars(DecodingConfig(beam=BEAM)), "n_best": BEAM}
    (expected,) = model.translate([TEXT], **settings, prefix=text)
    assert {(*each.ids, model.bundle.special_ids.end) for each in expected} <= set(ended)
    best = max(ended.values(), key=lambda node: node.score)
    assert best.is_best
    log_prob = force_decode(model, ids_of(forced, forced.index(best)))
    assert best.log_prob == pytest.approx(log_prob, abs=1e-4)


def test_a_prefix_that_cannot_be_continued(model):
    end = model.bundle.special_ids.end
    config = DecodingConfig(max_length=9)
    for prefix, message in (((end,), "finished"), ((5,) * 9, "no room"), ((10**6,), "knows")):
        with pytest.raises(UsageError, match=message):
            log_beams(model.bundle, model.ids(TEXT), config, prefix)


def test_only_a_beam_search_is_a_tree(model):
    for config in (
        DecodingConfig(method="sample"),
        DecodingConfig(groups=2, diversity=0.5, beam=4),
    ):
        with pytest.raises(UsageError, match="method=beam"):
            log_beams(model.bundle, model.ids(TEXT), config)


def test_a_model_whose_training_diverged():
    model = pellucid.load("zh-en", device="cpu")
    with torch.no_grad():
        model.model.decoder.embedding.weight.fill_(float("nan"))
    with pytest.raises(UsageError, match="NaN"):
        log_beams(model.bundle, model.ids(TEXT))
