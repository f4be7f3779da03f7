"""Classifying texts and pairs.  Authority: transformers on the same directory, text by text."""

import pytest
import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from cli.writers import CLASSES, write_classifier, write_gpt2
from parity.peer import randomize
from pellucid.errors import ConfigError, UsageError
from pellucid.formats.open_model import open_model
from pellucid.inference.classify import classify
from pellucid.json_files import dump_json, read_json

TEXTS = [
    "The old dog sleeps.",
    "",
    ("A cat", "Two dogs sleep under the tree."),
    " ".join(["dog"] * 200),
    ("the hen " * 70, "the cat"),
    ("这只动物", "überquerte \x01"),
    ["Why", "not?"],
]


@pytest.mark.parametrize("several", [False, True])
def test_the_probabilities_of_transformers(several, tmp_path):
    directory = write_classifier(tmp_path / "m", seed=1, several=several)
    cut: list[int] = []
    actual = classify(open_model(directory), TEXTS, cut.append)
    peer = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    assert peer.config.problem_type == f"{'multi' if several else 'single'}_label_classification"
    tokenizer = AutoTokenizer.from_pretrained(directory)
    for texts, result in zip(TEXTS, actual, strict=True):
        pair = (texts,) if isinstance(texts, str) else tuple(texts)
        encoding = tokenizer(*pair, truncation=True, max_length=64, return_tensors="pt")
        with torch.no_grad():
            logits = peer(**encoding).logits[0]
        chances = logits.sigmoid() if several else logits.softmax(-1)
        known = dict(result.ranked)
        assert [known[name] for name in CLASSES] == pytest.approx(chances.tolist(), abs=1e-5)
        assert [p for _, p in result.ranked] == sorted(known.values(), reverse=True)
        if several:
            likely = {name for name, p in known.items() if p > 0.5}
            whole = torch.prod(torch.where(chances > 0.5, chances, 1 - chances))
            assert set(result.labels) == likely
            assert result.probability == pytest.approx(float(whole), abs=1e-5)
        else:
            assert result.labels == (CLASSES[int(logits.argmax())],)
            assert result.probability == result.ranked[0].probability
    assert cut == [2]


def test_a_decoder_that_classifies_by_its_last_token(tmp_path):
    """Authority: transformers, whose GPT-2 reads the last token that is not padding."""
    write_gpt2(tmp_path, seed=0)
    size = open_model(tmp_path).model_config.vocab_size
    config = transformers.GPT2Config(
        vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=64, pad_token_id=0
    )
    config.num_labels = 3
    peer = randomize(transformers.GPT2ForSequenceClassification(config))
    peer.save_pretrained(tmp_path)
    bundle = open_model(tmp_path)
    texts = ["The dog sleeps.", "A cat"]
    for text, result in zip(texts, classify(bundle, texts), strict=True):
        ids = torch.tensor([bundle.tokenizers.source.encode(text).ids])
        with torch.no_grad():
            expected = peer(input_ids=ids).logits[0].softmax(-1).tolist()
        known = dict(result.ranked)
        assert [known[f"LABEL_{i}"] for i in range(3)] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("second", [0, 1, 20])
def test_the_longest_text_is_read_whole(second, tmp_path):  # D6: authority, the 64 positions
    bundle = open_model(write_classifier(tmp_path / "m", seed=1))
    n_special = 3 if second else 2

    def read(n):
        cut: list[int] = []
        text = " ".join(["dog"] * (n - second - n_special))
        (result,) = classify(bundle, [(text, "dog " * second) if second else text], cut.append)
        return result.ranked, cut

    assert read(63)[1] == read(64)[1] == []
    assert read(63)[0] != read(64)[0]
    assert read(65) == (read(64)[0], [1])  # its last word is not read


def test_what_is_refused(tmp_path):
    directory = write_classifier(tmp_path / "m", seed=1)
    bundle = open_model(directory)
    for wrong in (3, ("a", "b", "c"), ("a",)):
        with pytest.raises(UsageError, match="neither a text nor a pair"):
            classify(bundle, [wrong])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="no head 'classifier'"):
        classify(open_model(write_gpt2(tmp_path / "g", seed=0)), [])
    config = read_json(directory / "config.json")
    (directory / "config.json").write_bytes(dump_json({**config, "problem_type": "regression"}))
    with pytest.raises(UsageError, match="Use similarity"):
        classify(open_model(directory), [])
    (directory / "config.json").write_bytes(dump_json({**config, "problem_type": "ranking"}))
    with pytest.raises(ConfigError, match="problem_type='ranking' is not known"):
        open_model(directory)
