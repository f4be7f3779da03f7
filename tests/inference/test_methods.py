"""Several models, and methods other than search, through `pellucid.load`.

Authorities: greedy steps by the mean of `m.logits`, one text after another, without a cache;
sacreBLEU called on the texts drawn; the attention of each model by itself.
"""

import math
import random
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
import sacrebleu
import torch

import pellucid
from cli.writers import write_gpt2
from pellucid.api import Loaded
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.alignment import align, hard_alignment
from pellucid.errors import UsageError
from pellucid.inference.methods import cut_at_stop
from pellucid.metrics.translation import sentence_similarity

PROMPTS = ["The dog", "Last week the snake", "", "A"]
SIZE = 9


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[Loaded]:
    folder = tmp_path_factory.mktemp("gpt2")
    shapes = [{}, {"d_model": 32}, {"n_decoder_layers": 1}]
    paths = [write_gpt2(folder / str(i), seed=i, **shape) for i, shape in enumerate(shapes)]
    return [pellucid.load(path, device="cpu") for path in paths]


def greedy(models: list[Loaded], prompt: str, n: int) -> tuple[list[int], float]:
    """The ids that the models' mean finds best, one after another, and their mean log-prob."""
    ids, written, logs = models[0].tokenizer.source.encode(prompt).ids or [0], [], []
    while len(written) < n:
        each = [m.logits(torch.tensor([[*ids, *written]]))[0, -1].double() for m in models]
        probs = torch.stack([logits.softmax(-1) for logits in each]).mean(0)  # (V,)
        best = int(probs.argmax())
        logs.append(math.log(probs[best]))
        if best == 0:
            break
        written.append(best)
    return written, sum(logs) / len(logs)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_ensemble_is_the_mean_of_its_models(models, n):
    first, *others = models[:n]
    actual = first.generate(PROMPTS, ensemble=others, beam=1, max_length=SIZE)
    for prompt, text in zip(PROMPTS, actual, strict=True):
        ids, score = greedy(models[:n], prompt, SIZE)
        assert list(text.ids) == ids
        assert text.score == pytest.approx(score, abs=1e-4)
        pieces = list(first.stream(prompt, ensemble=others, max_length=SIZE))
        assert "".join(pieces) == text.text


def test_a_draft_changes_no_greedy_text(models):
    first, second, third = models
    expected = first.generate(PROMPTS, beam=1, max_length=SIZE)
    actual = first.generate(PROMPTS, draft=third, max_length=SIZE)
    assert [t.ids for t in actual] == [t.ids for t in expected]
    both = first.generate(PROMPTS, ensemble=[second], draft=third, max_length=SIZE)
    assert [list(t.ids) for t in both] == [greedy([first, second], p, SIZE)[0] for p in PROMPTS]


def test_drafted_samples_differ_from_text_to_text(models):
    first, _, third = models
    settings: dict[str, Any] = {"draft": third, "method": "sample", "seed": 2, "max_length": SIZE}
    actual = [t.ids for t in first.generate(["The dog"] * 8, **settings)]
    assert len(set(actual)) > 4
    assert [t.ids for t in first.generate(["The dog"] * 3, first=5, **settings)] == actual[5:]


@pytest.mark.parametrize("utility", ["chrf", "bleu"])
def test_the_text_of_least_risk(models, utility):
    draws: dict[str, Any] = {"seed": 5, "max_length": 4, "top_k": 3}
    drawn = models[0].generate(PROMPTS, method="sample", n_best=12, **draws)
    actual = models[0].generate(
        PROMPTS, method="mbr", samples=12, utility=utility, n_best=2, **draws
    )
    score = {"chrf": sacrebleu.sentence_chrf, "bleu": sacrebleu.sentence_bleu}[utility]
    for texts, ranked in zip(drawn, actual, strict=True):
        texts = [t.text for t in texts]
        means = {a: sum(score(a, [b]).score for b in texts) / len(texts) for a in texts}
        assert ranked[0].utility == pytest.approx(max(means.values()), abs=1e-9)
        assert means[ranked[0].text] == ranked[0].utility >= ranked[1].utility
        assert ranked[0].text != ranked[1].text


def test_similarity_is_that_of_sacrebleu():
    a, b = "The old dog sleeps here.", "The dog slept here."
    assert sentence_similarity("chrf")(a, b) == sacrebleu.sentence_chrf(a, [b]).score
    assert sentence_similarity("bleu")(a, b) == sacrebleu.sentence_bleu(a, [b]).score
    chinese = sacrebleu.sentence_bleu("我爱你们", ["我爱你"], tokenize="zh").score
    assert sentence_similarity("bleu", "zh")("我爱你们", "我爱你") == chinese


@pytest.mark.parametrize("seed", range(6))
def test_pieces_hold_no_half_characters_and_no_stop_string(models, seed):
    """Authority: `generate`, whose whole text they must make up."""
    settings: dict[str, Any] = {"method": "sample", "seed": seed, "max_length": 30}
    (free,) = models[0].generate(["The"], **settings)
    inside = free.text[len(free.text) // 2 :][:3]
    for stop in ([], [inside], [inside, inside[:1] + "never"]):
        (whole,) = models[0].generate(["The"], stop_at=stop, **settings)
        pieces = list(models[0].stream("The", stop_at=stop, **settings))
        assert "".join(pieces) == whole.text
        assert all(pieces)
        if "\ufffd" not in whole.text:
            assert not any("\ufffd" in piece for piece in pieces)


def test_a_piece_comes_before_the_next_step(models, monkeypatch):
    """Authority: a count of the model's steps."""
    steps = []
    model = models[0]._packed.model
    plain = type(model).step
    monkeypatch.setattr(
        type(model), "step", lambda *args: steps.append(1) or plain(*args), raising=True
    )
    first = []
    for prompt in ("The dog", "A", "Last week", "He", "We saw the cat", "Two", "It", "Because"):
        steps.clear()
        pieces = models[0].stream(prompt, max_length=SIZE)
        assert not steps
        next(pieces)
        first.append(len(steps))
        list(pieces)
        assert first[-1] <= len(steps) <= SIZE
    assert min(first) < SIZE  # some text begins with a whole character


def test_settings_of_a_stream_are_checked_at_the_call(models):
    with pytest.raises(UsageError, match="keeps 3"):
        models[0].stream("a", beam=3)


def test_what_keeps_many_texts_open_is_told_the_way_out(models):
    with pytest.raises(UsageError, match="Use method=beam with beam=1, or method=sample"):
        models[0].stream("a", beam=2)
    with pytest.raises(UsageError, match="Use method=beam with beam=1, or method=sample"):
        models[0].generate(["a"], draft=models[1], method="mbr")


def test_a_directory_with_groups_can_stream_and_sample(models):
    """Authority: the same directory without groups."""
    grouped = DecodingConfig(beam=4, groups=2, diversity=0.5, max_length=SIZE)
    model = Loaded(replace(models[0].bundle, decoding=grouped), torch.device("cpu"))
    (expected,) = models[0].generate(["The dog"], beam=1, max_length=SIZE)
    assert "".join(model.stream("The dog")) == expected.text
    (actual,) = model.generate(["The dog"], draft=models[2])
    assert actual.ids == expected.ids
    (actual,) = model.generate(["The dog"], method="sample", seed=3)
    (expected,) = models[0].generate(["The dog"], method="sample", seed=3, max_length=SIZE)
    assert actual.ids == expected.ids


def test_arguments_of_a_wrong_type_are_errors(models):
    with pytest.raises(UsageError, match=r"Write stop_at=\[text\]"):
        models[0].generate(["a"], stop_at="in")
    for ensemble in (models[1], ["en-de"], None):
        with pytest.raises(UsageError, match=r"Write ensemble=\[pellucid.load"):
            models[0].generate(["a"], ensemble=ensemble)
        with pytest.raises(UsageError, match=r"Write ensemble=\[pellucid.load"):
            models[0].stream("a", ensemble=ensemble)
        with pytest.raises(UsageError, match=r"Write ensemble=\[pellucid.load"):
            models[0].translate(["a"], ensemble=ensemble)
    with pytest.raises(UsageError, match=r"Write draft=pellucid.load"):
        models[0].generate(["a"], draft="small")


def test_an_ensembles_alignment_is_its_mean_attention():
    model = pellucid.load("en-de", device="cpu")
    texts = ["The dog is sleeping under the table.", "", "I love you."]
    other = pellucid.load("en-de", device="cpu")
    generator = torch.Generator().manual_seed(0)
    for weight in other.model.parameters():  # another model of the same tokenizer
        if weight.dim() > 1:
            weight.data += 0.05 * torch.randn(weight.shape, generator=generator)
    start = model.tokenizer.target.id("bos")
    differing = 0
    for t in model.translate(texts, ensemble=[other], beam=2, max_length=12):
        if t.text:
            pair = [t.source_ids], [t.ids]
            weights = [align(m.model, *pair, start=start)[0] for m in (model, other)]
            expected = hard_alignment((weights[0] + weights[1]) / 2)
            assert t.alignment == tuple((s, i) for i, s in expected)
            differing += expected != hard_alignment(weights[0])
    assert differing


def test_stop_strings_in_any_order_end_a_text_alike():
    """Authority: the text read character by character until one of the strings is complete."""
    generator = random.Random(0)
    for _ in range(3000):
        text = "".join(generator.choices("abc", k=generator.randrange(9)))
        stop = ["".join(generator.choices("abc", k=generator.randrange(1, 4))) for _ in range(3)]
        expected = text
        for end in range(1, len(text) + 1):
            complete = [len(string) for string in stop if text[:end].endswith(string)]
            if complete:
                expected = text[: end - max(complete)]
                break
        assert all(cut_at_stop(text, order) == expected for order in permutations(stop))
