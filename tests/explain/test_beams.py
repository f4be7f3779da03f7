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
        (i for i, node in enumerate(nodes) if node.fate == "ended"), key=lambda i: -nodes[i].score
    )
    for i, translation in zip(ended, expected, strict=False):
        assert ids_of(nodes, i) == (*translation.ids, end)
        assert nodes[i].score == pytest.approx(translation.score, abs=1e-5)
    best = [node.token for node in nodes if node.is_best]
    assert tuple(best) == (*expected[0].ids, end)


def test_each_step_keeps_a_beam_of_the_candidates(nodes):
    last = nodes[-1].step
    for step in range(last + 1):
        fates = [node.fate for node in nodes if node.step == step]
        assert fates.count("kept") <= BEAM
        if step < last:
            assert fates.count("kept") == BEAM
            assert len(fates) == 2 * BEAM
            assert "open" not in fates
        kept = [n.log_prob for n in nodes if n.step == step and n.fate == "kept"]
        pruned = [n.log_prob for n in nodes if n.step == step and n.fate == "pruned"]
        assert not kept or not pruned or min(kept) >= max(pruned)
    assert all(nodes[node.parent].fate == "kept" for node in nodes if node.parent >= 0)


def test_log_probabilities_are_those_of_forced_decoding(model, nodes):
    source = torch.tensor([model.ids(TEXT)])
    for i in range(0, len(nodes), 7):
        ids = ids_of(nodes, i)
        read = torch.tensor([[model.bundle.special_ids.start, *ids[:-1]]])
        log_probs = model.logits(source, target_ids=read)[0].log_softmax(-1)
        total = sum(float(log_probs[t, token]) for t, token in enumerate(ids))
        assert nodes[i].log_prob == pytest.approx(total, abs=1e-4)


def test_only_a_beam_search_is_a_tree(model):
    for config in (
        DecodingConfig(method="sample"),
        DecodingConfig(groups=2, diversity=0.5, beam=4),
    ):
        with pytest.raises(UsageError, match="method=beam"):
            log_beams(model.bundle, model.ids(TEXT), config)
