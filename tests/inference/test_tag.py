"""Tags of words.

Authority: the logits of transformers' own models, with random weights, at the first pieces that its
tokenizers name; brute force for a CRF; a model that reads the whole sentence for windows.
"""

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForTokenClassification,
    AlbertTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    BertTokenizer,
    GPT2Config,
    GPT2ForTokenClassification,
    GPT2Tokenizer,
    RobertaConfig,
    RobertaForTokenClassification,
    RobertaTokenizer,
)

from nn.samples import randomize
from parity.peer import vary_weights
from pellucid.config.head import HeadConfig
from pellucid.errors import UsageError
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.logits import Inputs, logits
from pellucid.inference.tag import Tagged, tag
from pellucid.nn.model import build
from text.published import samples as published

TAGS = ("O", "B-PER", "I-PER", "B-LOC")
NAMES = {"id2label": dict(enumerate(TAGS)), "label2id": {t: i for i, t in enumerate(TAGS)}}
LINES = [
    "The old dog sleeps under the überquerte table .",
    "Why ?",
    "",
    "这只动物 没有过马路 , said U.S.A. 1999",
]
SENTENCES = [line.split() for line in LINES]
SIZE: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}


def spaced(directory, **config):
    return published.byte_bpe(directory, published.FAIRSEQ, add_prefix_space=True, **config)


def gpt2_files(directory, **config):
    return published.byte_bpe(directory, ["<|endoftext|>"], add_prefix_space=True, **config)


PEERS = {
    "BERT": (BertForTokenClassification, BertConfig, BertTokenizer, published.wordpiece, SIZE),
    "RoBERTa": (
        RobertaForTokenClassification,
        RobertaConfig,
        RobertaTokenizer,
        spaced,
        SIZE | {"pad_token_id": 1},
    ),
    "ALBERT": (
        AlbertForTokenClassification,
        AlbertConfig,
        AlbertTokenizer,
        published.albert,
        SIZE | {"embedding_size": 8},
    ),
    "GPT-2": (
        GPT2ForTokenClassification,
        GPT2Config,
        GPT2Tokenizer,
        gpt2_files,
        {"n_embd": 16, "n_layer": 2, "n_head": 2},
    ),
}


def save_peer(name, directory, **settings):
    """A random model and its tokenizer as transformers saves them."""
    model_kind, config_kind, tokenizer_kind, write, size = PEERS[name]
    tokenizer = tokenizer_kind.from_pretrained(write(directory))
    sizes = {"vocab_size": len(tokenizer), **size, **NAMES, **settings}
    model = vary_weights(model_kind(config_kind(**sizes)))
    with torch.no_grad():  # each tag has a mean of 0, so that words get different ones
        logits = model(input_ids=torch.arange(5, 605).view(50, 12)).logits
        model.classifier.bias -= logits.mean((0, 1))
    model.save_pretrained(directory)
    return model, tokenizer


@pytest.mark.parametrize("name", PEERS)
def test_tags_are_those_of_the_first_pieces(name, tmp_path):
    reference, tokenizer = save_peer(name, tmp_path)
    tagged = tag(open_model(tmp_path), SENTENCES)
    assert tagged[2] == Tagged((), ())
    for words, (tags, probabilities) in zip(SENTENCES, tagged, strict=True):
        if not words:
            continue
        encoding = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        owners = encoding.word_ids()
        first = [owners.index(i) for i in range(len(words))]
        with torch.no_grad():
            expected = reference(**encoding).logits[0, first].softmax(-1)
        assert tags == tuple(TAGS[i] for i in expected.argmax(-1).tolist())
        assert probabilities == pytest.approx(expected.amax(-1).tolist(), abs=1e-5)
    assert len({t for tags, _ in tagged for t in tags}) > 1, "equal tags prove little"


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bert")
    save_peer("BERT", directory)
    return open_model(directory)


def test_a_batch_is_its_singles(bert):
    together = tag(bert, SENTENCES)
    for words, expected in zip(SENTENCES, together, strict=True):
        (alone,) = tag(bert, [words])
        assert alone.tags == expected.tags
        assert alone.probabilities == pytest.approx(expected.probabilities, abs=1e-5)


def test_each_word_has_a_tag(bert):
    odd = [["\x01", "The", "", "\u200b", "dog" * 40, "a b"], ["\x00"], []]
    assert [len(each.tags) for each in tag(bert, odd)] == [6, 1, 0]


def test_labels_without_names(tmp_path):  # authority: the names that transformers writes itself
    save_peer("BERT", tmp_path)
    bundle = open_model(tmp_path)
    head = replace(bundle.model.head_configs["tagger"], labels=())
    bundle.model.head_configs["tagger"] = head
    names = BertConfig(num_labels=4).id2label.values()
    tagged = tag(bundle, SENTENCES)
    assert {t for each in tagged for t in each.tags} <= set(names)


def with_limit(bundle, limit):
    """The model with fewer positions, and each word read by itself: no attention, no positions."""
    config = replace(bundle.model_config, max_length=limit)
    model = build(config, heads=bundle.model.head_configs)
    state = bundle.model.state_dict()
    for name in state:
        if "positions" in name:
            state[name] = torch.zeros_like(state[name][:limit])
        if name.endswith("attention.inner.o.weight"):
            state[name] = torch.zeros_like(state[name])
    model.load_state_dict(state)
    return replace(bundle, model=model.eval(), model_config=config)


@pytest.mark.parametrize("limit", [8, 11, 40])
def test_windows_give_each_word_its_own_tag(bert, limit):
    """Authority: the model that reads the whole sentence."""
    sentence = [word for words in SENTENCES for word in words] * 6
    (whole,) = tag(with_limit(bert, 512), [sentence])
    (parts,) = tag(with_limit(bert, limit), [sentence])
    assert parts.tags == whole.tags
    assert parts.probabilities == pytest.approx(whole.probabilities, abs=1e-5)


@pytest.fixture
def with_crf(bert):
    head = HeadConfig(kind="token", outputs=len(TAGS), labels=TAGS, crf=True)
    model = build(bert.model_config, heads={"tagger": head})
    randomize(model)
    return replace(bert, model=model.eval(), family="bert", task="tagging")


def test_a_crf_chooses_tags_together(with_crf, tmp_path):
    """Authority: brute force over all tags, in float64."""
    sentences = [words[:5] for words in SENTENCES]
    tagged = tag(with_crf, sentences)
    crf = with_crf.model.heads["tagger"].crf.double()
    for words, (tags, probabilities) in zip(sentences, tagged, strict=True):
        if not words:
            assert tags == ()
            continue
        scores = brute_force(crf, emissions(with_crf, words).double())
        best = max(scores, key=scores.__getitem__)
        assert tags == tuple(TAGS[i] for i in best)
        chances = torch.stack(list(scores.values())).softmax(0)
        for t, label in enumerate(best):
            same = torch.tensor([path[t] == label for path in scores])
            assert probabilities[t] == pytest.approx(float(chances[same].sum()), abs=1e-5)
    crf.float()
    save_bundle(tmp_path / "saved", with_crf)
    assert tag(open_model(tmp_path / "saved"), sentences) == tagged


def emissions(bundle, words):
    tokenizer = bundle.tokenizers.source
    pieces = [tokenizer.encode(word).ids for word in words]
    first = [1 + sum(map(len, pieces[:i])) for i in range(len(pieces))]
    ids = tokenizer.add_special_tokens([i for each in pieces for i in each]).ids
    return logits(bundle, Inputs(torch.tensor([ids])), "tagger")[0, first]


@torch.no_grad()
def brute_force(crf, emissions):
    scores = {}
    for path in product(range(len(TAGS)), repeat=len(emissions)):
        total = crf.start[path[0]] + crf.end[path[-1]]
        total += sum(emissions[t, label] for t, label in enumerate(path))
        total += sum(crf.transitions[a, b] for a, b in pairwise(path))
        scores[path] = total
    return scores


def test_a_model_without_a_tagger_names_its_heads(tmp_path):
    published.wordpiece(tmp_path)
    BertForMaskedLM(BertConfig(vocab_size=900, **SIZE)).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="of this model: mlm"):
        tag(open_model(tmp_path), SENTENCES)
