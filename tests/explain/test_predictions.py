"""What heads of every kind say in a trace.

Authority: transformers' classes and tokenizers on the same directories; for labels of a CRF the
verb `tag`, which is compared with brute force in its own tests.
"""

import numpy as np
import pytest
import torch
import transformers
from transformers.models.bart.modeling_bart import shift_tokens_right

import pellucid
from explain.zoo import MODELS
from pellucid.errors import UsageError
from pellucid.explain.ablation import list_heads, measure_effects
from pellucid.explain.names import name_array
from pellucid.explain.outputs import log_probabilities
from pellucid.explain.prediction import predict
from pellucid.explain.rows import Writing, read_rows
from pellucid.text.words import encode_words, split_words


def open_zoo(name, directory):
    shown = MODELS[name](directory)
    return pellucid.load(shown.directory, device="cpu"), shown


def test_words_begin_where_they_begin_alone(tmp_path):
    """Authority: each word encoded by itself."""
    model, _ = open_zoo("bert, tags", tmp_path)
    text = "Überquerte  the olddogs sleeps under it."
    (words,) = encode_words(model.tokenizer.source, [split_words(text)])
    assert model.trace(text).prediction.words == tuple(1 + first for first in words.first)
    assert len(words.first) < len(words.ids)


def test_a_distribution_in_numbers(tmp_path):
    """Authority: NumPy in float64. Logits are far apart, and some tokens are impossible."""
    model, _ = open_zoo("bert, classes", tmp_path)
    n = len(model.heads["classifier"].labels)
    for scale in (0.1, 10.0, 300.0):
        logits = scale * torch.randn(n, generator=torch.Generator().manual_seed(n))
        logits[1] = -torch.inf
        (position,) = predict(model.bundle, "classifier", logits, n).positions
        x = np.exp(logits.double().numpy() - float(logits.max()))
        p = x / x.sum()
        expected = -sum(each * np.log(each) for each in p if each)
        assert position.entropy == pytest.approx(expected, abs=1e-9)
        order = np.argsort(-p, kind="stable")
        assert [c.id for c in position.candidates] == order.tolist()
        np.testing.assert_allclose([c.probability for c in position.candidates], p[order])


@pytest.mark.parametrize("name", ["albert", "bart", "rnn", "transformer, crf"])
def test_parameters_of_each_part(name, tmp_path):
    """Authority: the parameters of each module. Some modules share them, in two ways."""
    model, shown = open_zoo(name, tmp_path)
    sizes = model.trace(shown.text).model["sizes"]
    expected = {}
    for path, module in model.model.named_modules():
        size = sum(p.numel() for p in module.parameters())
        if path and size:
            expected.setdefault(name_array(path), size)
    assert sizes == expected


@torch.no_grad()
def test_labels_of_a_crf_are_those_of_the_tagger(tmp_path):
    model, shown = open_zoo("transformer, crf", tmp_path)
    prediction = model.trace(shown.text).prediction
    ((tags, probabilities),) = model.tag([shown.text])
    assert len(tags) == len(split_words(shown.text))
    chosen = [prediction.positions[word].chosen for word in prediction.words]
    assert tuple(label.text for label in chosen) == tags
    np.testing.assert_allclose([label.probability for label in chosen], probabilities, atol=1e-6)
    assert {i for i, each in enumerate(prediction.positions) if each.chosen} == {*prediction.words}
    rows = read_rows(model.bundle, shown.text, Writing())
    log_probs = log_probabilities(model.bundle, rows, 1, "tagger")[0]
    for position, row in zip(prediction.positions, log_probs.exp(), strict=True):
        for candidate in position.candidates:
            assert candidate.probability == pytest.approx(float(row[candidate.id]), abs=1e-6)


@torch.no_grad()
def test_a_span_has_a_probability_at_each_position(tmp_path):
    model, shown = open_zoo("bert, answers", tmp_path)
    prediction = model.trace(shown.text).prediction
    reference = transformers.AutoModelForQuestionAnswering.from_pretrained(shown.directory)
    tokenizer = transformers.AutoTokenizer.from_pretrained(shown.directory)
    output = reference.eval()(**tokenizer(*shown.text.split("\t"), return_tensors="pt"))
    for i, logits in enumerate((output.start_logits, output.end_logits)):
        actual = [
            next(c.probability for c in position.candidates if c.id == i)
            for position in prediction.positions
        ]
        np.testing.assert_allclose(actual, logits[0].softmax(-1), atol=1e-6)
    assert (prediction.reading, prediction.words) == ("span", ())
    heads, rows = list_heads(model.model), read_rows(model.bundle, shown.text, Writing())
    with pytest.raises(UsageError, match="gives no distribution"):
        list(measure_effects(model.bundle, rows, [[heads[0]]]))


@torch.no_grad()
def test_a_decoder_that_reads_has_its_tokens(tmp_path):
    model, shown = open_zoo("bart, classes", tmp_path)
    trace = model.trace(shown.text)
    reference = transformers.BartForSequenceClassification.from_pretrained(shown.directory).eval()
    ids = torch.tensor([[token.id for token in trace.source.tokens]])
    shifted = shift_tokens_right(ids, 1, reference.config.decoder_start_token_id)
    assert [token.id for token in trace.target.tokens] == shifted[0].tolist()
    (position,) = trace.prediction.positions
    probabilities = reference(ids).logits[0].softmax(-1)
    for candidate in position.candidates:
        assert candidate.probability == pytest.approx(float(probabilities[candidate.id]), abs=1e-5)


@torch.no_grad()
def test_a_decoder_that_tags_expects_no_next_token(tmp_path):
    model, shown = open_zoo("gpt-2, tags", tmp_path)
    prediction = model.trace(shown.text).prediction
    ids = torch.tensor([model.ids(shown.text)])
    reference = transformers.GPT2ForTokenClassification.from_pretrained(shown.directory).eval()
    expected = reference(ids).logits[0].softmax(-1)
    for position, row in zip(prediction.positions, expected, strict=True):
        assert position.chosen is None
        assert position.candidates[0].id == int(row.argmax())
        assert position.candidates[0].probability == pytest.approx(float(row.max()), abs=1e-5)
    rows = read_rows(model.bundle, shown.text, Writing())
    (effect,) = measure_effects(model.bundle, rows, [[list_heads(model.model)[0]]])
    assert any(effect.log_probs)
