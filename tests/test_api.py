"""`pellucid.load` and its verbs on a small model."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch

import pellucid
from decoding.stepping import stepping
from pellucid import garden
from pellucid.api import Loaded
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.model import ModelConfig
from pellucid.decoding.alignment import align, hard_alignment
from pellucid.errors import ConfigError, DataError, UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.score import score
from pellucid.nn.model import build
from pellucid.text.train import train_tokenizers

PAIRS = list(garden.pairs(40, "en", "de"))
TEXTS = [source for source, _ in PAIRS[:9]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A saved model of random weights."""
    tokenizers = train_tokenizers(lambda: PAIRS, TokenizerConfig(vocab_size=350))
    c = ModelConfig(d_model=16, d_ff=32, n_heads=2, n_encoder_layers=1, n_decoder_layers=2)
    c = replace(c, vocab_size=tokenizers.source.vocab_size)
    parts = Bundle(
        model=build(c, seed=2),
        model_config=c,
        tokenizers=tokenizers,
        task="translation",
        roles=Roles(),
        decoding=DecodingConfig(max_length=10, batch_size=4),
        languages=("en", "de"),
        longest_source=60,
        card="# A card\n",
    )
    path = tmp_path_factory.mktemp("models") / "small"
    save_bundle(path, parts)
    return path


@pytest.fixture(scope="module")
def model(directory):
    return pellucid.load(directory, device="cpu")


def test_results_have_text_score_tokens_and_alignment(model):
    results = model.translate([*TEXTS, ""], beam=3)
    assert len(results) == 10
    assert results[-1].text == ""
    assert results[-1].alignment == ()
    for result in results[:-1]:
        assert len(result.tokens) == len(result.alignment) > 0
        assert [target for _, target in result.alignment] == list(range(len(result.tokens)))
        assert result.score < 0


def test_alignments_are_those_of_one_text_alone(model):  # authority: one pass a text
    start = model.tokenizer.target.id("bos")
    for result in model.translate(TEXTS, beam=2):
        (weights,) = align(model.model, [result.source_ids], [result.ids], start=start)
        assert result.alignment == tuple((s, t) for t, s in hard_alignment(weights))


def test_settings_are_those_of_decoding_and_checked(model):
    ranked = model.translate(TEXTS[:2], beam=4, n_best=2, alignment=False)
    assert [len(hypotheses) for hypotheses in ranked] == [2, 2]
    assert ranked[0][0].score >= ranked[0][1].score
    with pytest.raises(ConfigError, match=r"'beams' is not a setting\. Did you mean beam\?"):
        model.translate(TEXTS, beams=4)
    with pytest.raises(ConfigError, match="n_best=9"):
        model.translate(TEXTS, n_best=9)
    with pytest.raises(UsageError, match="list of texts"):
        model.translate("one text")


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "greedy"},
        {"stop": "never"},
        {"length_norm": "pow"},
        {"method": "mbr", "utility": "foo"},
        {"beam": "5"},
        {"beam": 2.5},
    ],
)
def test_settings_are_exact_as_those_of_files_are(model, settings):  # authority: the types declared
    name = list(settings)[-1]
    with pytest.raises(ConfigError, match=f"search: {name} is {settings[name]!r}, but must be"):
        model.translate(TEXTS, **settings)
    with pytest.raises(ConfigError, match="embed: pooling is 'cls', but must be one of mean"):
        model.embed(TEXTS, pooling="cls")


def test_samples_depend_on_a_texts_number_and_not_on_its_neighbours(model):  # authority: each alone
    long = "Yesterday the old dog was sleeping here under the big table, I know. " * 4
    texts = ["", TEXTS[0], long, " ", TEXTS[1], long, TEXTS[0]]
    draw = {"method": "sample", "n_best": 2, "seed": 3, "alignment": False}
    actual = model.translate(texts, **draw)
    alone = [model.translate([text], first=n, **draw)[0] for n, text in enumerate(texts)]
    assert [[t.text for t in ts] for ts in actual] == [[t.text for t in ts] for ts in alone]
    one = actual[2][0]
    assert one.parts == 4
    assert one.ids != one.ids[: len(one.ids) // 4] * 4, "a part's draws are no other part's"
    assert len({t.text for n in (2, 5) for t in actual[n]}) == 4


def test_the_plain_model_is_at_hand(model):
    ids = torch.tensor([[5, 6, 2]])
    logits = model.model.heads["lm"](model.model(ids, None, ids))
    assert logits.shape == (1, 3, model.config.vocab_size)


def test_a_missing_model_is_an_error_that_lists_models(tmp_path):
    with pytest.raises(DataError, match="no model at"):
        pellucid.load(tmp_path / "absent")
    (tmp_path / "config.yaml").write_text("task: translation\n")
    with pytest.raises(DataError, match="without a final model"):
        pellucid.load(tmp_path)


def test_progress_is_called_with_the_number_done(model: Loaded):
    seen: list[int] = []
    model.translate(TEXTS, beam=1, alignment=False, progress=seen.append)
    assert sum(seen) == len(TEXTS)


def test_calls_of_threads_share_one_decoder(model: Loaded):  # authority: each call alone
    settings = [{"beam": 3}, {"method": "sample", "seed": 2}, {"beam": 3, "max_length": 5}]
    jobs = [(TEXTS[i:], settings[i % 3]) for i in range(6)]
    with stepping(model.shared_decoder) as decoder, ThreadPoolExecutor(6) as threads:

        def translate(texts: list[str], settings: dict[str, Any]) -> list[Any]:
            in_session = model.in_session(decoder.session())
            assert in_session._packed is model._packed
            return in_session.translate(texts, alignment=False, **settings)

        shared = [threads.submit(translate, *job) for job in jobs]
        assert [[t.ids for t in each.result()] for each in shared] == [
            [t.ids for t in model.translate(texts, **settings)] for texts, settings in jobs
        ]


def test_half_a_character_is_read_as_a_replacement(model: Loaded):  # authority: docs/data.md
    half, whole = "a \ud800b", "a \ufffdb"
    for verb in (model.translate, model.generate):
        assert verb([half], beam=1) == verb([whole], beam=1)
    assert [*model.stream(half)] == [*model.stream(whole)]
    assert torch.equal(model.embed([half]), model.embed([whole]))
    assert score(model.bundle, [(half, half)]) == score(model.bundle, [(whole, whole)])


@pytest.mark.parametrize("text", [None, b"bytes", 3])
def test_what_is_no_text_is_refused(model: Loaded, text: Any):  # authority: the types declared
    for verb in (model.translate, model.generate, model.embed):
        with pytest.raises(UsageError, match="and no text"):
            verb([text])
        with pytest.raises(UsageError, match="takes a list of texts"):
            verb(text)
    with pytest.raises(UsageError, match="and no text"):
        next(model.stream(text))
    with pytest.raises(UsageError, match="and no text"):
        score(model.bundle, [(text, text)])
    with pytest.raises(UsageError, match="is not a model name"):
        pellucid.load(text)


def test_the_layer_asked_for_aligns(model: Loaded):  # authority: `align` of that layer
    start = model.tokenizer.target.id("bos")
    actual = model.translate(TEXTS, alignment_layer=-1)
    for result in actual:
        ids = [result.source_ids], [result.ids]
        (weights,) = align(model.model, *ids, start=start, layer=-1)
        assert result.alignment == tuple((s, t) for t, s in hard_alignment(weights))
    assert any(
        a.alignment != b.alignment for a, b in zip(actual, model.translate(TEXTS), strict=True)
    )
    for texts in ([], TEXTS):
        with pytest.raises(UsageError, match="has 2 layers"):
            model.translate(texts, alignment_layer=5)


def test_threads_align_as_one_does(model: Loaded):  # authority: one after the other
    expected = [model.translate([text])[0] for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        actual = list(pool.map(lambda text: model.translate([text])[0], TEXTS))
    assert [each.alignment for each in actual] == [each.alignment for each in expected]


def test_a_model_is_pickled_before_and_after_its_use(directory):  # authority: the model itself
    model = pellucid.load(directory, device="cpu")
    expected = pickle.loads(pickle.dumps(model)).translate(TEXTS)
    assert [t.ids for t in model.translate(TEXTS)] == [t.ids for t in expected]
    again = pickle.loads(pickle.dumps(model)).translate(TEXTS)
    assert [t.ids for t in again] == [t.ids for t in expected]


def test_what_a_session_shows(model: Loaded):
    assert {"load", "load_vectors", "train"} <= set(dir(pellucid))
    n = sum(p.numel() for p in model.model.parameters())
    assert repr(model) == f"<Loaded transformer translation en-de, {n:,} parameters, fp32>"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.translate(text for text in TEXTS), r"Write m.translate\(list\(texts\)\)"),
        (lambda m: m.translate("A dog."), r"Write m.translate\(\[text\]\)"),
        (lambda m: m.trace(None), "None is NoneType and no text"),
        (lambda m: m.trace(["a"]), "is list and no text"),
        (lambda m: m.fill(["a"], top="3"), "top='3': ask for 1 word or more"),
        (lambda m: pellucid.train(None), "None names no training"),
    ],
)
def test_wrong_types_are_said(call, message, model: Loaded):
    with pytest.raises(UsageError, match=message):
        call(model)
