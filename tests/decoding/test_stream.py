"""Authorities: `generate`, whose texts the steps must make up; stop strings by hand."""

import pytest

from decoding.toys import END, SPECIAL_IDS, random_model
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate, stop_strings, stream
from pellucid.errors import UsageError

SOURCES = [tuple(range(i, i + 1 + i * 7 % 5)) for i in range(11)]
SINGLE = [
    DecodingConfig(beam=1, batch_size=4),
    DecodingConfig(beam=1, batch_size=4, max_length=3, no_repeat_ngram=2),
    DecodingConfig(method="sample", batch_size=4, top_p=0.9, seed=3),
]


@pytest.mark.parametrize("config", SINGLE)
def test_steps_make_up_the_texts(config):
    model = random_model(7, seed=1)
    request = Request(SOURCES, [(2, 3)[: i % 3] for i in range(len(SOURCES))])
    texts: dict[int, tuple[int, ...]] = {}
    ended = []
    for new in stream(model, request, SPECIAL_IDS, config):
        assert new.source not in ended
        assert len(new.ids) == 1 or new.ended
        texts[new.source] = (*texts.get(new.source, ()), *new.ids)
        if new.ended:
            ended.append(new.source)
    expected = generate(model, request, SPECIAL_IDS, config)
    assert [texts[i] for i in range(len(SOURCES))] == [h.ids for (h,) in expected]
    assert sorted(ended) == list(range(len(SOURCES)))


def test_steps_come_as_they_are_made():
    model = random_model(7, seed=1)
    model.logits[:, END] = -1e4
    steps = stream(model, Request([(3,)]), SPECIAL_IDS, DecodingConfig(beam=1))
    for n in range(1, 6):
        next(steps)
        assert len(model.rows_seen) == n


@pytest.mark.parametrize("settings", [{"beam": 2}, {"method": "sample", "n_best": 2}])
def test_one_open_text_alone_can_be_streamed(settings):
    steps = stream(random_model(5, 0), Request([(3,)]), SPECIAL_IDS, DecodingConfig(**settings))
    with pytest.raises(UsageError, match="keeps 2"):
        next(steps)


def test_no_text_is_possible():
    model = random_model(5, seed=0)
    model.logits.fill_(float("nan"))
    steps = stream(model, Request([(3,)]), SPECIAL_IDS, DecodingConfig(beam=1))
    with pytest.raises(UsageError, match="NaN"):
        next(steps)


def letters(ids):
    return "".join("abcdefghij"[i] for i in ids)


@pytest.mark.parametrize(
    "settings", [{"beam": 1}, {"beam": 4, "n_best": 4}, {"method": "sample", "n_best": 9}]
)
def test_texts_end_at_the_first_stop_string(settings):
    model = random_model(6, seed=5)
    model.logits[:, END] -= 1.0
    config = DecodingConfig(max_length=12, **settings)
    strings = ("cd", "aef", "e")
    request = Request(SOURCES, is_stopped=stop_strings(letters, strings))
    actual = [h for hs in generate(model, request, SPECIAL_IDS, config) for h in hs]
    stopped = 0
    for h in actual:
        text = letters(h.ids)
        assert not any(s in text[:-1] for s in strings)
        if any(s in text for s in strings):
            assert h.finished
            assert len(h.token_log_probs) == len(h.ids)
            stopped += 1
        else:
            assert h.finished == (len(h.ids) < 12)
    assert stopped > 5


@pytest.mark.parametrize("config", SINGLE)
def test_a_stopped_text_is_the_free_one_cut(config):
    model = random_model(6, seed=5)
    free = generate(model, Request(SOURCES), SPECIAL_IDS, config)
    stopped = stop_strings(letters, ["cd", "e"])
    actual = generate(model, Request(SOURCES, is_stopped=stopped), SPECIAL_IDS, config)
    steps: list[tuple[int, ...]] = [()] * len(SOURCES)
    for new in stream(model, Request(SOURCES, is_stopped=stopped), SPECIAL_IDS, config):
        steps[new.source] += new.ids
    for (one,), (other,), new in zip(free, actual, steps, strict=True):
        ends = [n for n in range(1, len(one.ids) + 1) if stopped(one.ids[:n])]
        assert other.ids == (one.ids[: ends[0]] if ends else one.ids)
        assert new == other.ids


def test_an_empty_stop_string():
    with pytest.raises(UsageError, match="Leave it out"):
        stop_strings(letters, ["a", ""])
