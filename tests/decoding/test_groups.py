"""Diverse beam search.  Authority: a plain Python version of the paper's algorithm 1; algebra."""

from collections import Counter

import pytest

from decoding.toys import END, SPECIAL_IDS, Found, log_probs, norm, plain_search, random_model
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search_state import TextLimits

SOURCES = [(5, 3, 9), (1,), (2, 2, 4, 4)]


def plain_groups(model, source, config: DecodingConfig) -> Found:
    """Groups of lists of texts; a group is done when it has ended as many texts as it is wide."""
    width = config.beam // config.groups
    open_texts = [[((), 0.0)] for _ in range(config.groups)]
    ended: list[Found] = [[] for _ in range(config.groups)]
    for t in range(config.max_length):
        taken: Counter[int] = Counter()
        for group in range(config.groups):
            if not open_texts[group]:
                continue
            candidates = []
            for text, total in open_texts[group]:
                for token, log_prob in enumerate(log_probs(model, source, text)):
                    if token != END or t >= config.min_length:
                        cost = config.diversity * taken[token]
                        candidates.append(((*text, token), total + log_prob - cost))
            candidates.sort(key=lambda one: -one[1])
            last = t + 1 == config.max_length
            for text, total in candidates[:width]:
                if text[-1] == END or last:
                    finished = text[-1] == END
                    score = total / norm(t + 1, config)
                    ended[group].append((text[:-1] if finished else text, score, finished))
            continuations = [one for one in candidates[: 2 * width] if one[0][-1] != END][:width]
            taken.update(text[-1] for text, _ in continuations)
            open_texts[group] = [] if len(ended[group]) >= width else continuations
    best = [sorted(actual, key=lambda one: -one[1])[:width] for actual in ended]
    flat = [one for actual in best for one in actual]
    return sorted(flat, key=lambda one: -one[1])[: config.n_best]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("beam", "groups"), [(4, 2), (6, 3), (3, 3), (6, 2)])
def test_groups_are_the_papers(seed, beam, groups):
    model = random_model(7, seed)
    config = DecodingConfig(
        beam=beam,
        groups=groups,
        n_best=beam,
        diversity=[0.3, 1.0, 4.0][seed % 3],
        max_length=9,
        min_length=seed % 2,
    )
    actual = generate(model, Request(SOURCES), SPECIAL_IDS, config)
    for source, hypotheses in zip(SOURCES, actual, strict=True):
        expected = plain_groups(model, source, config)
        assert [(h.ids, h.finished) for h in hypotheses] == [(i, f) for i, _, f in expected]
        assert [h.score for h in hypotheses] == pytest.approx([s for _, s, _ in expected], abs=1e-5)


def test_the_first_group_is_a_plain_search():
    model = random_model(7, seed=3)
    config = DecodingConfig(beam=2, groups=2, n_best=2, diversity=50.0, max_length=6)
    greedy = DecodingConfig(beam=1, max_length=6)
    for source, actual in zip(
        SOURCES, generate(model, Request(SOURCES), SPECIAL_IDS, config), strict=True
    ):
        ((ids, _, _),) = plain_search(model, source, greedy, TextLimits([6]))
        assert ids in [h.ids for h in actual]
        one, other = (h.ids for h in actual)
        # So costly a repetition never happens while both go on.
        assert all(a != b for a, b in zip(one, other, strict=False))


def test_groups_keep_forced_tokens():
    model = random_model(7, seed=3)
    config = DecodingConfig(beam=4, groups=2, n_best=4, diversity=2.0, max_length=8)
    actual = generate(model, Request(SOURCES, [(6, 2), (), (3,)]), SPECIAL_IDS, config)
    for forced, hypotheses in zip([(6, 2), (), (3,)], actual, strict=True):
        assert len(hypotheses) == 4
        assert all(h.ids[: len(forced)] == forced for h in hypotheses)
        assert len({h.ids for h in hypotheses}) > 2
