"""Tagging as a task."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
from transformers import AutoModelForTokenClassification

from pellucid.config.data import DataConfig
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError
from pellucid.families.sizes import SIZES
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.tag import tag
from pellucid.tasks.tagging import HEAD, TaggingTask
from pellucid.tasks.word_windows import split_into_windows
from pellucid.text.words import WordPieces, encode_words
from tasks.small import by_heart, encoder_inputs, records_of, resumed_and_whole, validation_data_of

NAMES = ["Ada Lovelace", "Alan Turing", "Berlin", "San Marino"]
TAGS = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")


def sentences():
    for i in range(40):
        name, verb = NAMES[i % 4].split(), ["visits", "meets", "unmistakably", "describes"][i % 3]
        kind = "PER" if i % 4 < 2 else "LOC"
        tags = (f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1))
        yield (*name, verb, "it", str(i)), (*tags, "O", "O", "O")


RECORDS = records_of(sentences())


@pytest.fixture(scope="module", params=["linear", "crf"])
def task(request):
    return TaggingTask(
        encoder_inputs("tagging", RECORDS, head=request.param, labels={"tags": TAGS})
    )


def test_each_word_has_its_first_token_and_its_tag(task):  # authority: encode_words
    tokenizer = task.inputs.tokenizers.source
    for record, encoded in zip(RECORDS, task.encode(RECORDS), strict=True):
        (pieces,) = encode_words(tokenizer, [record.values[0]])
        ids, first, labels = encoded.columns
        assert (ids.tolist(), first.tolist()) == (pieces.ids, pieces.first)
        assert tuple(TAGS[i] for i in labels) == record.values[1]
        assert encoded.lengths == (len(ids) + 2,)


def test_long_sentences_become_windows(task):  # authority: every word once, in order
    words, tags = zip(
        *[(w, t) for r in RECORDS for w, t in zip(*r.values, strict=True)], strict=True
    )
    encoded = list(task.encode([Record("f", 1, (words, tags))]))
    assert len(encoded) > 5
    assert max(e.lengths[0] for e in encoded) <= 24
    assert tuple(TAGS[i] for e in encoded for i in e.columns[2]) == tags
    pieces = WordPieces([0] * 30, [0, 1, 25, 26])  # the second word alone is too long
    assert list(split_into_windows(pieces, 20)) == [slice(0, 1), slice(1, 2), slice(2, 4)]


def test_an_unknown_tag_is_refused(task):
    with pytest.raises(DataError, match=r"g:7: tag 'B-ORG' is not among the model's 5 tags"):
        list(task.encode([Record("g", 7, (("a",), ("B-ORG",)))]))


def test_loss_counts_words_alone(task):  # authority: singles, and torch for the linear head
    module, examples = task.build(2).eval(), validation_data_of(task, RECORDS).examples
    rows = [examples[i] for i in (0, 5, 9, 30)]
    batch = task.collate(rows, 0)
    whole = task.loss(module, batch)["tagging"].sum
    singles = sum(task.loss(module, task.collate([row], 0))["tagging"].sum for row in rows)
    torch.testing.assert_close(whole, singles, atol=1e-4, rtol=0)
    assert task.counts(batch)["tagging"] == sum(len(row[1]) for row in rows)
    assert task.tokens(batch) == sum(len(row[0]) + 2 for row in rows)
    if task.inputs.config.objective.head == "linear":
        logits = module.heads[HEAD](module(batch.ids, batch.keep))
        expected = sum(
            F.cross_entropy(logits[i, row[1] + 1], torch.from_numpy(row[2]).long(), reduction="sum")
            for i, row in enumerate(rows)
        )
        torch.testing.assert_close(whole, expected, atol=1e-4, rtol=0)


def test_scores_are_seqevals(task):  # authority: seqeval, on what `tag` gives
    module = task.build(4).eval()
    result = task.validate(module, validation_data_of(task, RECORDS), torch.device("cpu"))
    assert set(result) == set(task.inputs.config.objective.metrics)
    tagged = tag(task.export(module)["final"], [record.values[0] for record in RECORDS])
    gold = [list(record.values[1]) for record in RECORDS]
    predicted = [list(each.tags) for each in tagged]
    for name, score in (
        ("accuracy", accuracy_score),
        ("precision", precision_score),
        ("recall", recall_score),
        ("f1", f1_score),
    ):
        assert result[name] == pytest.approx(score(gold, predicted)), name


def test_saved_and_opened(task, tmp_path):  # authority: transformers' logits; labels by hand
    module = task.build(3).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    again = open_model(tmp_path / "m")
    assert (again.task, again.family) == ("tagging", "bert")
    assert again.model.head_configs[HEAD].labels == TAGS
    words = [record.values[0] for record in RECORDS]
    assert tag(again, words) == tag(task.export(module)["final"], words)
    if task.inputs.config.objective.head == "crf":
        return
    peer = AutoModelForTokenClassification.from_pretrained(tmp_path / "m").eval()
    assert tuple(peer.config.id2label[i] for i in range(5)) == TAGS
    examples = validation_data_of(task, RECORDS).examples
    batch = task.collate([examples[i] for i in range(6)], 0)
    keep = torch.ones_like(batch.ids) if batch.keep is None else batch.keep.long()
    with torch.no_grad():
        reference = peer(input_ids=batch.ids, attention_mask=keep).logits
        actual = module.heads[HEAD](module(batch.ids, batch.keep))
    torch.testing.assert_close(actual[keep.bool()], reference[keep.bool()], atol=1e-4, rtol=0)


def test_learns_by_heart(task, tmp_path):  # authority: 32 sentences
    scores = by_heart(task, RECORDS[:32], tmp_path, max_updates=60, rate=0.005)
    assert scores["f1"] == scores["accuracy"] == 1.0


def test_resume_is_bit_exact(task, tmp_path):  # authority: the run that was not stopped
    whole, resumed = resumed_and_whole(task, RECORDS, tmp_path)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_head_with_other_labels_is_initialized(task):  # authority: a build without a start
    bundle = task.export(task.build(5))["final"]
    head = f"heads.{HEAD}.output.weight"
    start = replace(task.inputs, start=bundle, heads=bundle.model.head_configs)
    assert torch.equal(
        TaggingTask(start).build(6).get_parameter(head), bundle.model.get_parameter(head)
    )
    labels = {"tags": ("B-ORG", "I-ORG", *TAGS[2:])}
    plain = TaggingTask(replace(task.inputs, labels=labels)).build(6)
    other = TaggingTask(replace(start, labels=labels)).build(6)
    assert torch.equal(other.get_parameter(head), plain.get_parameter(head))
    assert torch.equal(other.encoder.embedding.weight, bundle.model.encoder.embedding.weight)


def test_a_family_without_a_tagger_is_refused():
    inputs = encoder_inputs(
        "tagging", RECORDS, labels={"tags": TAGS}, data=DataConfig(max_length=24)
    )
    inputs = replace(inputs, config=replace(inputs.config, family="transformer"))
    with pytest.raises(ConfigError, match="family transformer has no head 'tagger'"):
        TaggingTask(inputs).build(1)


@pytest.fixture(scope="module", params=["bert-tiny", "bilstm"])
def task_with_ngrams(request):
    inputs = encoder_inputs("tagging", RECORDS, labels={"tags": TAGS}, head="crf")
    model = replace(SIZES[request.param][1], d_model=32, character_ngrams=3, ngram_rows=999)
    config = replace(inputs.config, model=model, family=SIZES[request.param][0])
    return TaggingTask(replace(inputs, config=config))


def test_n_grams_are_of_the_words_of_the_vocabulary(task_with_ngrams):
    """Authority: encode_words, for each word alone."""
    module, tokenizer = task_with_ngrams.build(3), task_with_ngrams.inputs.tokenizers.source
    ngrams = module.encoder.embedding.ngrams
    assert ngrams.weight.std().item() == pytest.approx(32**-0.5, rel=0.05)
    words = ("Berlina", "San", "unalike")
    (pieces,) = encode_words(tokenizer, [words])
    vectors = ngrams(torch.tensor([pieces.ids]))[0]
    assert len(pieces.ids) > len(words)
    ends = [*pieces.first[1:], len(pieces.ids)]
    for word, begin, end in zip(words, pieces.first, ends, strict=True):
        (alone,) = encode_words(tokenizer, [[word]])
        expected = ngrams(torch.tensor([alone.ids]))[0, 0]
        assert expected.any()
        for vector in vectors[begin:end]:
            torch.testing.assert_close(vector, expected, atol=1e-6, rtol=0)


def test_n_grams_are_trained_and_saved(task_with_ngrams, tmp_path):  # authority: the tags before
    whole, resumed = resumed_and_whole(task_with_ngrams, RECORDS, tmp_path)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
    module = task_with_ngrams.build(3).eval()
    before = module.encoder.embedding.ngrams.weight
    assert not torch.equal(before, whole["encoder.embedding.ngrams.weight"])
    module.load_state_dict(whole)
    bundle = task_with_ngrams.export(module)["final"]
    save_bundle(tmp_path / "m", replace(bundle, card="card"))
    words = [record.values[0] for record in RECORDS]
    assert tag(open_model(tmp_path / "m"), words) == tag(bundle, words)
