"""Similarity as a task."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from pellucid.config.data import DataConfig
from pellucid.config.embedding import EmbeddingConfig
from pellucid.data.examples import LeftOutRecord
from pellucid.data.records import Record
from pellucid.errors import ConfigError
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.similarity import similarity
from pellucid.tasks.evaluation import build_task_inputs
from pellucid.tasks.similarity import HEAD, BiEncoderTask, build_similarity_task
from tasks.small import by_heart, encoder_inputs, records_of, resumed_and_whole, validation_data_of

ANIMALS = ["dog", "cat", "hen", "unmistakable lion"]
KINDS = ["cosine", "regression"]


def rows():
    for i in range(40):
        first, second = ANIMALS[i % 4], ANIMALS[i // 4 % 4]
        score = 5.0 if first == second else i % 4 / 2
        yield f"the {first} sees number {i}", f"a {second} sees it", score


RECORDS = records_of(rows())


def make(head="cosine", size="bert-tiny", **more):
    texts = records_of((" ".join(record.values[:2]),) for record in RECORDS)
    return build_similarity_task(encoder_inputs("similarity", texts, size, head=head, **more))


def randomize(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return module.eval()


@pytest.mark.parametrize("head", KINDS)
def test_examples_are_ids_and_scores(head):  # authority: the tokenizer, and the records
    task = make(head)
    tokenizer = task.inputs.tokenizers.source
    for record, encoded in zip(RECORDS, task.encode(RECORDS), strict=True):
        first, second, score = encoded.columns
        texts = [tokenizer.encode(text).ids for text in record.values[:2]]
        assert [first.tolist(), second.tolist()] == texts
        assert score == np.float32(record.values[2])
        lengths = [len(ids) + 2 for ids in texts]
        assert encoded.lengths == (tuple(lengths) if head == "cosine" else (sum(lengths) - 1,))
    long = " ".join(["dog"] * 50)
    (cut,) = task.encode([Record("f", 1, (long, long, 1.0))])
    assert max(cut.lengths) == 24
    assert list(task.encode([Record("f", 1, ("a", " ", 1.0))])) == [LeftOutRecord("blank")]


@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
@pytest.mark.parametrize("size", ["bert-tiny", "roberta-base", "distilbert-base", "electra-small"])
def test_a_bi_encoder_is_saved_as_sentence_transformers_reads_it(size, pooling, tmp_path):
    """Authority: transformers' states, pooled by hand as the directory's files say."""
    task = make(size=size, pooling=pooling)
    module = randomize(task.build(3))
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    again = open_model(tmp_path / "m")
    assert again.embedding == EmbeddingConfig(pooling=pooling, normalize=True, longest=24)
    assert build_task_inputs(again, DataConfig()).config.objective == task.inputs.config.objective
    flag = {"mean": "mean_tokens", "first": "cls_token", "max": "max_tokens"}[pooling]
    modules = (tmp_path / "m" / "modules.json").read_text()
    assert all(f"models.{kind}" in modules for kind in ("Transformer", "Pooling", "Normalize"))
    assert f'"pooling_mode_{flag}": true' in (tmp_path / "m/1_Pooling/config.json").read_text()

    peer = AutoModel.from_pretrained(tmp_path / "m").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    vectors = []
    for side in (0, 1):
        texts = [record.values[side] for record in RECORDS]
        encoding = tokenizer(texts, padding=True, return_tensors="pt")
        with torch.no_grad():
            state = peer(**encoding).last_hidden_state
        keep = encoding["attention_mask"][..., None].bool()
        if pooling == "first":
            vectors.append(state[:, 0])
        elif pooling == "max":
            vectors.append(state.masked_fill(~keep, -torch.inf).amax(1))
        else:
            vectors.append((state * keep).sum(1) / keep.sum(1))
    expected = torch.cosine_similarity(*vectors)
    pairs = [record.values[:2] for record in RECORDS]
    assert similarity(again, pairs) == pytest.approx(expected.tolist(), abs=1e-5)
    examples = validation_data_of(task, RECORDS).examples
    batch = task.collate([examples[i] for i in range(40)], 0)
    assert task.predict(module, batch).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize("size", ["bert-tiny", "roberta-base", "albert-base", "distilbert-base"])
def test_regression_is_that_of_transformers(size, tmp_path):
    """Authority: transformers' output and loss on the saved directory."""
    task = make("regression", size)
    module = randomize(task.build(3))
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    again = open_model(tmp_path / "m")
    assert again.model.head_configs[HEAD].reading == "regression"
    assert build_task_inputs(again, DataConfig()).config.objective == task.inputs.config.objective
    peer = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m").eval()
    assert (peer.config.problem_type, peer.config.num_labels) == ("regression", 1)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    texts = [[record.values[side] for record in RECORDS[:8]] for side in (0, 1)]
    scores = torch.tensor([record.values[2] for record in RECORDS[:8]])
    encoding = tokenizer(*texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        reference = peer(**encoding, labels=scores)
    pairs = [record.values[:2] for record in RECORDS[:8]]
    assert similarity(again, pairs) == pytest.approx(reference.logits[:, 0].tolist(), abs=1e-5)
    examples = validation_data_of(task, RECORDS).examples
    batch = task.collate([examples[i] for i in range(8)], 0)
    loss = task.loss(module, batch)["similarity"].sum / task.counts(batch)["similarity"]
    assert float(loss.detach()) == pytest.approx(float(reference.loss), abs=1e-4)


@pytest.mark.parametrize("head", KINDS)
def test_scores_are_scipys(head):  # authority: scipy, on what `similarity` gives
    task = make(head)
    module = randomize(task.build(4))
    actual = task.validate(module, validation_data_of(task, RECORDS), torch.device("cpu"))
    assert set(actual) == set(task.inputs.config.objective.metrics)
    pairs = [record.values[:2] for record in RECORDS]
    predicted = similarity(task.export(module)["final"], pairs)
    gold = [record.values[2] for record in RECORDS]
    assert actual["pearson"] == pytest.approx(pearsonr(predicted, gold)[0], abs=1e-4)
    assert actual["spearman"] == pytest.approx(spearmanr(predicted, gold)[0], abs=0.01)


@pytest.mark.parametrize(("head", "rate"), [("cosine", 0.003), ("regression", 0.005)])
def test_learns_by_heart(head, rate, tmp_path):  # authority: 32 pairs, whose numbers differ
    scores = by_heart(make(head), RECORDS[:32], tmp_path, rate=rate, max_updates=80)
    assert scores["spearman"] > 0.9


@pytest.mark.parametrize("head", KINDS)
def test_resume_is_bit_exact(head, tmp_path):  # authority: the run that was not stopped
    whole, resumed = resumed_and_whole(make(head), RECORDS, tmp_path)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_what_has_no_embeddings_is_refused():
    task = make()
    model = replace(task.inputs.config.model, n_decoder_layers=2)
    with pytest.raises(ConfigError, match="has a decoder too"):
        BiEncoderTask(replace(task.inputs, config=replace(task.inputs.config, model=model))).check()
    bundle = task.export(task.build(1))["final"]
    start = replace(bundle, embedding=EmbeddingConfig(prompt="query: "))
    with pytest.raises(ConfigError, match="adds a prompt"):
        BiEncoderTask(replace(task.inputs, start=start)).check()
