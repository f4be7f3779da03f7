"""Classification as a task."""

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from transformers import AutoModelForSequenceClassification

from pellucid.config.data import DataConfig
from pellucid.data.examples import LeftOutRecord
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.classify import classify
from pellucid.tasks.classification import HEAD, ClassificationTask
from pellucid.tasks.evaluation import build_task_inputs
from pellucid.tasks.text_pairs import score_texts
from tasks.small import by_heart, encoder_inputs, records_of, resumed_and_whole, validation_data_of

ANIMALS = ["dog", "cat", "hen", "unmistakable lion"]
LABELS = ("cat", "dog", "none")


def rows(is_pair, several):
    """The label of a text is the animal in it, of a pair those in both, by number of the row."""
    for i in range(40):
        first, second = ANIMALS[i % 4], ANIMALS[i % 3]
        text = f"the {first} sees number {i}"
        both = (first, second) if is_pair else (first,)
        known = tuple(name for name in both if name in LABELS)
        pair = f"and the {second}" if is_pair else None
        yield text, pair, tuple(dict.fromkeys(known)) if several else (*known, "none")[0]


def make(size="bert-tiny", is_pair=False, several=False):
    records = records_of(rows(is_pair, several))
    column = {"labels" if several else "label": LABELS}
    texts = records_of((" ".join(filter(None, r.values[:2])),) for r in records)
    inputs = encoder_inputs("classification", texts, size, labels=column, multi_label=several)
    return ClassificationTask(inputs), records


CASES = [(False, False), (True, False), (False, True), (True, True)]
SIZES = ["bert-tiny", "roberta-base", "albert-base", "distilbert-base", "electra-small"]
BOTH_STACKS = ["bart-tiny", "t5-efficient-tiny"]


@pytest.mark.parametrize("several", [False, True])
def test_examples_are_ids_and_labels(several):  # authority: the tokenizer, and the records
    task, records = make(is_pair=True, several=several)
    tokenizer = task.inputs.tokenizers.source
    for record, encoded in zip(records, task.encode(records), strict=True):
        first, second, labels = encoded.columns
        texts = [tokenizer.encode(text).ids for text in record.values[:2]]
        assert [first.tolist(), second.tolist()] == texts
        names = [LABELS[i] for i in labels]
        assert names == (list(record.values[2]) if several else [record.values[2]])
        assert encoded.lengths == (sum(map(len, texts)) + 3,)


def test_long_texts_are_cut_and_empty_ones_left_out():  # authority: data.max_length
    task, _ = make(is_pair=True)
    long = " ".join(["dog"] * 50)
    for second, expected in ((None, (22, 0)), (long, (10, 11)), ("a cat", (19, 2))):
        (encoded,) = task.encode([Record("f", 1, (long, second, "dog"))])
        first, other, _ = encoded.columns
        assert (len(first), len(other), encoded.lengths) == (*expected, (24,))
    (left,) = task.encode([Record("f", 1, (" ", None, "dog"))])
    assert left == LeftOutRecord("blank")


@pytest.mark.parametrize("several", [False, True])
def test_balanced_weights_are_those_of_training_alone(several):  # authority: the weights by hand
    task, records = make(several=several)
    counts = {"cat": 10, "dog": 30} if several else {"cat": 10, "dog": 10, "none": 20}
    objective = replace(task.inputs.config.objective, class_weights="balanced")
    config = replace(task.inputs.config, objective=objective)
    column = "labels" if several else "label"
    inputs = replace(task.inputs, config=config, label_counts={column: counts}, n_records=40)
    weighted = ClassificationTask(inputs)
    module = task.build(1).eval()
    encoded = [each.columns for each in task.encode([records[0], records[4]])]  # both of a dog
    batch = task.collate(encoded, 0)
    plain, other = (
        each.loss(module, batch)["classification"].sum.item() for each in (task, weighted)
    )
    logits = module.heads[HEAD](module(batch.rows.ids, batch.rows.keep)[:, 0])
    if several:  # cat is absent: 40 / (2 * 30), dog present: 40 / (2 * 30), none is not weighted
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, batch.labels, reduction="none"
        )
        expected = (losses * torch.tensor([2 / 3, 2 / 3, 1])).sum().item()
    else:
        expected = plain * 40 / 30
    assert other == pytest.approx(expected, abs=1e-4)
    validation = validation_data_of(task, records)
    device = torch.device("cpu")
    assert task.validate(module, validation, device) == weighted.validate(
        module, validation, device
    )


@pytest.mark.parametrize("several", [False, True])
def test_r_drop(several):  # authority: its equation on two passes with the same dropout
    task, records = make(several=several)
    objective = replace(task.inputs.config.objective, r_drop=2.0)
    task = ClassificationTask(
        replace(task.inputs, config=replace(task.inputs.config, objective=objective))
    )
    module = task.build(1)
    batch = task.collate([each.columns for each in task.encode(records[:4])], 0)
    torch.manual_seed(5)
    terms = task.loss(module, batch)
    torch.manual_seed(5)
    passes = [score_texts(module, batch.rows, HEAD).detach().double() for _ in range(2)]
    p, q = (x.sigmoid() if several else x.softmax(-1) for x in passes)
    divergence = (p - q) * (p / q).log()
    if several:
        divergence += (q - p) * ((1 - p) / (1 - q)).log()
    assert float(terms["r_drop"].sum) == pytest.approx(float(divergence.sum()) / 2, rel=1e-4)
    assert set(terms) == set(task.counts(batch))


def test_what_cannot_be_learned_is_refused():
    task, _ = make()
    with pytest.raises(DataError, match=r"g:7: label 'cow' is not among the model's 3 labels"):
        list(task.encode([Record("g", 7, ("a", None, "cow"))]))
    one = replace(task.inputs, labels={"label": ("dog",)})
    with pytest.raises(ConfigError, match="all texts have the label 'dog'"):
        ClassificationTask(one).check()
    other = replace(task.inputs.config, family="transformer")
    with pytest.raises(ConfigError, match="family transformer has no head 'classifier'"):
        ClassificationTask(replace(task.inputs, config=other)).check()


@pytest.mark.parametrize(("is_pair", "several"), CASES)
@pytest.mark.parametrize("size", SIZES + BOTH_STACKS)
def test_transformers_computes_the_same(size, is_pair, several, tmp_path):
    """Authority: transformers' logits and loss on the saved directory; a batch is its singles."""
    task, records = make(size, is_pair, several)
    module = task.build(3).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    bundle = replace(task.export(module)["final"], card="card")
    save_bundle(tmp_path / "m", bundle)
    again = open_model(tmp_path / "m")
    head = again.model.head_configs[HEAD]
    assert (again.task, head.labels, head) == ("classification", LABELS, module.head_configs[HEAD])
    assert build_task_inputs(again, DataConfig()).config.objective == task.inputs.config.objective

    peer = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m").eval()
    assert [peer.config.id2label[i] for i in range(3)] == list(LABELS)
    assert peer.config.label2id == {label: i for i, label in enumerate(LABELS)}
    examples = validation_data_of(task, records).examples
    some = [examples[i] for i in (0, 5, 9, 30)]
    batch = task.collate(some, 0)
    keep = torch.ones_like(batch.rows.ids) if batch.rows.keep is None else batch.rows.keep
    arguments = {"input_ids": batch.rows.ids, "attention_mask": keep.long(), "labels": batch.labels}
    if batch.rows.segments is not None:
        arguments["token_type_ids"] = batch.rows.segments
        assert bool(batch.rows.segments.any()) == is_pair
    with torch.no_grad():
        reference, loss = peer(**arguments), task.loss(module, batch)["classification"].sum
        singles = sum(
            task.loss(module, task.collate([row], 0))["classification"].sum for row in some
        )
    count = task.counts(batch)["classification"]
    assert float(loss / count) == pytest.approx(float(reference.loss), abs=1e-5)
    assert float(loss) == pytest.approx(float(singles), abs=1e-4)
    actual = classify(again, [r.values[:2] if is_pair else r.values[0] for r in records])
    rows = [actual[i] for i in (0, 5, 9, 30)]
    chances = reference.logits.sigmoid() if several else reference.logits.softmax(-1)
    for row, expected in zip(rows, chances, strict=True):
        known = dict(row.ranked)
        assert [known[label] for label in LABELS] == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize("several", [False, True])
def test_scores_are_sklearns(several):  # authority: scikit-learn, on what `classify` gives
    task, records = make(is_pair=True, several=several)
    module = task.build(4).eval()
    actual = task.validate(module, validation_data_of(task, records), torch.device("cpu"))
    assert set(actual) == set(task.inputs.config.objective.metrics)
    predicted = classify(task.export(module)["final"], [r.values[:2] for r in records])
    gold = [r.values[2] if several else (r.values[2],) for r in records]
    sets = [
        [[label in each for label in LABELS] for each in side]
        for side in (gold, [p.labels for p in predicted])
    ]
    if several:
        flat = [[x for row in side for x in row] for side in sets]
    else:
        sets = flat = [[row.index(True) for row in side] for side in sets]
    assert actual["accuracy"] == pytest.approx(accuracy_score(*sets))
    assert actual["macro_f1"] == pytest.approx(f1_score(*sets, average="macro", zero_division=0))
    assert actual["micro_f1"] == pytest.approx(f1_score(*sets, average="micro", zero_division=0))
    assert actual["mcc"] == pytest.approx(matthews_corrcoef(*flat))


@pytest.mark.parametrize("several", [False, True])
def test_learns_by_heart(several, tmp_path):  # authority: 32 texts, whose numbers differ
    task, records = make(several=several)
    scores = by_heart(task, records[:32], tmp_path)
    assert scores["accuracy"] == 1.0
    assert scores["loss"] < 0.05


def test_resume_is_bit_exact(tmp_path):  # authority: the run that was not stopped
    task, records = make(is_pair=True)
    whole, resumed = resumed_and_whole(task, records, tmp_path)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_pooler_is_kept_and_other_labels_are_initialized():  # authority: a build without a start
    task, _ = make()
    bundle = task.export(task.build(5))["final"]
    transform, output = (f"heads.{HEAD}.{part}.weight" for part in ("transform", "output"))
    start = replace(task.inputs, start=bundle, heads=bundle.model.head_configs)
    same = ClassificationTask(start).build(6)
    for name in (transform, output):
        assert torch.equal(same.get_parameter(name), bundle.model.get_parameter(name))
    labels = {"label": ("x", "y", "z")}
    other = ClassificationTask(replace(start, labels=labels)).build(6)
    plain = ClassificationTask(replace(task.inputs, labels=labels)).build(6)
    assert torch.equal(other.get_parameter(transform), bundle.model.get_parameter(transform))
    assert torch.equal(other.get_parameter(output), plain.get_parameter(output))


@pytest.mark.parametrize("kind", ["BertModel", "BertForPreTraining"])
def test_the_pooler_of_a_published_model_is_used(kind, tmp_path):
    """Authority: transformers, which opens the same directory for classification."""
    import transformers

    task, _ = make()
    c = task.inputs.model_config
    config = transformers.BertConfig(
        vocab_size=c.vocab_size, hidden_size=32, num_hidden_layers=2, num_attention_heads=2
    )
    config.intermediate_size = 64
    getattr(transformers, kind)(config).save_pretrained(tmp_path)
    start = open_model(tmp_path)
    peer = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    model_config = replace(task.inputs.config, model=start.model_config)
    inputs = replace(task.inputs, start=start, config=model_config)
    module = ClassificationTask(inputs).build(1)
    pooler = module.get_parameter(f"heads.{HEAD}.transform.weight")
    assert torch.equal(pooler, peer.bert.pooler.dense.weight)


@pytest.mark.parametrize("pool", ["first", "mean", "max"])
def test_pool_chooses_the_state_that_is_classified(pool, tmp_path):
    """Authority: the states of each text alone, reduced by NumPy; then the saved directory."""
    task, records = make()
    objective = replace(task.inputs.config.objective, pool=pool)
    inputs = replace(task.inputs, config=replace(task.inputs.config, objective=objective))
    task = ClassificationTask(inputs)
    module = task.build(3).eval()
    batch = task.collate([each.columns for each in task.encode(records[:4])], 0)
    with torch.no_grad():
        actual = score_texts(module, batch.rows, HEAD)
        for ids, keep, logits in zip(batch.rows.ids, batch.rows.keep, actual, strict=True):
            states = module(ids[keep][None])[0].numpy()  # (T, D)
            state = {"first": states[0], "mean": states.mean(0), "max": states.max(0)}[pool]
            expected = module.heads[HEAD](torch.from_numpy(state))
            torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
    bundle = task.export(module)["final"]
    save_bundle(tmp_path / "m", replace(bundle, card="card"))
    texts = [record.values[0] for record in records[:4]]
    assert classify(open_model(tmp_path / "m"), texts) == classify(bundle, texts)
