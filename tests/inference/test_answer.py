"""Answers to questions.

Authority: transformers' models with random weights and its tokenizers' windows; every span of every
window is scored in a loop.
"""

from math import exp, inf, log
from typing import Any

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForQuestionAnswering,
    AlbertTokenizer,
    BartConfig,
    BartForQuestionAnswering,
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertTokenizer,
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    ElectraConfig,
    ElectraForQuestionAnswering,
    RobertaConfig,
    RobertaForQuestionAnswering,
    RobertaTokenizer,
)

from parity.peer import vary_weights
from pellucid.errors import UsageError
from pellucid.formats.open_model import open_model
from pellucid.inference.answer import NO_ANSWER, answer
from text.published import samples as published

LIMIT, LONGEST = 60, 7
QUESTIONS = [
    ("Why does it sleep?", "The old dog sleeps under  the überquerte table. It is late. " * 6),
    ("Why does it sleep?", "A cat."),
    ("谁 ?", "这只动物没有过马路。\n" * 12),
    ("Who said 1999?", "  “Why?”\u00a0said U.S.A. 1999 \U0001f600 e\u0301, and the dog slept.  "),
]
SIZE: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
POSITIONS = {"max_position_embeddings": LIMIT}


def byte_bpe(directory, **config):
    return published.byte_bpe(directory, published.FAIRSEQ, **config)


PEERS = {
    "BERT": (
        BertForQuestionAnswering,
        BertConfig,
        BertTokenizer,
        published.wordpiece,
        SIZE | POSITIONS,
    ),
    "ELECTRA": (
        ElectraForQuestionAnswering,
        ElectraConfig,
        BertTokenizer,
        published.wordpiece,
        SIZE | POSITIONS | {"embedding_size": 8},
    ),
    "RoBERTa": (
        RobertaForQuestionAnswering,
        RobertaConfig,
        RobertaTokenizer,
        byte_bpe,
        SIZE | {"max_position_embeddings": LIMIT + 2, "type_vocab_size": 1, "pad_token_id": 1},
    ),
    "ALBERT": (
        AlbertForQuestionAnswering,
        AlbertConfig,
        AlbertTokenizer,
        published.albert,
        SIZE | POSITIONS | {"embedding_size": 8},
    ),
    "DistilBERT": (
        DistilBertForQuestionAnswering,
        DistilBertConfig,
        BertTokenizer,
        published.wordpiece,
        {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24} | POSITIONS,
    ),
    "BART": (
        BartForQuestionAnswering,
        BartConfig,
        RobertaTokenizer,
        byte_bpe,
        {
            "d_model": 16,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 24,
            "pad_token_id": 1,
        }
        | POSITIONS,
    ),
}


def save_peer(name, directory):
    """A random model and its tokenizer as transformers saves them."""
    model_kind, config_kind, tokenizer_kind, write, size = PEERS[name]
    tokenizer = tokenizer_kind.from_pretrained(write(directory))
    model = vary_weights(model_kind(config_kind(vocab_size=len(tokenizer), **size)))
    model.save_pretrained(directory)
    return model, tokenizer


@pytest.fixture(scope="module", params=PEERS)
def peer(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("peer")
    model, tokenizer = save_peer(request.param, directory)
    return open_model(directory), model, tokenizer


@torch.no_grad()
def by_brute_force(model, tokenizer, question, context):
    """Score of each text of the context as an answer, in its best window; "": "no answer"."""
    alone = len(tokenizer("Why", add_special_tokens=False)["input_ids"])
    room = LIMIT - len(tokenizer(question, "Why")["input_ids"]) + alone
    windows = tokenizer(
        question,
        context,
        max_length=LIMIT,
        truncation="only_second",
        stride=room - room // 2,
        return_overflowing_tokens=True,
        return_token_type_ids=True,
        return_offsets_mapping=True,
    )
    scores: dict[tuple[int, int, int], tuple[float, str]] = {}
    null = inf
    for n, ids in enumerate(windows["input_ids"]):
        inputs = {"input_ids": torch.tensor([ids])}
        if getattr(model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = torch.tensor([windows["token_type_ids"][n]])
        output = model(**inputs)
        start, end = output.start_logits[0].double(), output.end_logits[0].double()
        null = min(null, float(start[0] + end[0]))
        pieces = [i for i, kind in enumerate(windows.sequence_ids(n)) if kind == 1]
        offsets = [
            (begin, begin if token == "▁" else end)  # transformers has the next character there
            for token, (begin, end) in zip(
                tokenizer.convert_ids_to_tokens(ids), windows["offset_mapping"][n], strict=True
            )
        ]
        for i in pieces:
            for j in range(i, min(i + LONGEST, pieces[-1] + 1)):
                key = (n * (room // 2) + i, j - i)  # which pieces of the context
                score = float(start[i] + end[j])
                if score > scores.get(key, (-inf, ""))[0]:
                    scores[key] = score, context[offsets[i][0] : offsets[j][1]].strip()
    return scores, null


def softmax_total(scores):
    highest = max(scores)
    return highest + log(sum(exp(score - highest) for score in scores))


def best_of(scores):
    """The best score of each text."""
    texts: dict[str, float] = {}
    for score, text in scores.values():
        texts[text] = max(texts.get(text, -inf), score)
    return sorted(texts.items(), key=lambda item: -item[1])


def test_the_best_spans_of_all_windows(peer):
    bundle, model, tokenizer = peer
    answers = answer(bundle, QUESTIONS, top=5, longest=LONGEST)
    for (question, context), ranked in zip(QUESTIONS, answers, strict=True):
        scores, _ = by_brute_force(model, tokenizer, question, context)
        total = softmax_total([score for score, _ in scores.values()])
        expected = [(text, exp(score - total)) for text, score in best_of(scores) if text][:5]
        # Equal scores in another order are equal answers.
        assert [each.probability for each in ranked] == pytest.approx(
            [p for _, p in expected], rel=1e-3
        )
        assert ranked[0].text == expected[0][0]
        assert len({each.text for each in ranked}) == len(ranked) == len(expected)
        for each in ranked:
            assert context[each.start : each.end] == each.text == each.text.strip() != ""


@pytest.mark.parametrize("threshold", [-2.0, 0.0, 2.0, 1e6])
def test_no_answer(peer, threshold):
    bundle, model, tokenizer = peer
    answers = answer(bundle, QUESTIONS, 1, LONGEST, threshold)
    for (question, context), (best,) in zip(QUESTIONS, answers, strict=True):
        scores, null = by_brute_force(model, tokenizer, question, context)
        total = softmax_total([null, *(score for score, _ in scores.values())])
        text, score = next(item for item in best_of(scores) if item[0])
        if null - score > threshold:
            text, score = "", null
        assert best.text == text
        assert best.probability == pytest.approx(exp(score - total), rel=1e-3)
    everything = answer(bundle, QUESTIONS[1:2], 1000, LONGEST, threshold)[0]
    assert [each.text for each in everything].count("") == 1
    assert [each.start for each in everything if not each.text] == [0]


def test_a_batch_is_its_singles(peer):
    bundle = peer[0]
    for pair, expected in zip(QUESTIONS, answer(bundle, QUESTIONS, 3), strict=True):
        (alone,) = answer(bundle, [pair], 3)
        assert [each.text for each in alone] == [each.text for each in expected]
        assert [p for _, p, *_ in alone] == pytest.approx([p for _, p, *_ in expected], abs=1e-5)


def test_contexts_without_text(peer):
    some, *others = answer(peer[0], [("", "A cat."), ("Why?", ""), ("Why? " * 99, " \n ")])
    assert some[0].text
    assert others == [[NO_ANSWER]] * 2
    (best,) = answer(peer[0], [("Why?", "")], null_threshold=0)
    assert best[0] == ("", pytest.approx(1), 0, 0)


def test_what_is_refused(peer, tmp_path):
    for wrong in ({"top": 0}, {"longest": 0}):
        with pytest.raises(UsageError, match="must be 1 or more"):
            answer(peer[0], [], **wrong)
    published.wordpiece(tmp_path)
    BertForMaskedLM(BertConfig(vocab_size=900, **SIZE)).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"no head 'span'. Heads of this model: mlm \(for fill\)"):
        answer(open_model(tmp_path), [])
