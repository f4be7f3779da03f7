"""`pellucid evaluate` of downloaded models.  Authority: the verbs, scikit-learn, seqeval, scipy."""

import gzip
import json
import random
import shutil
import xml.etree.ElementTree as ET
from itertools import chain

import pytest
import seqeval.metrics
import sklearn.metrics
from scipy.stats import rankdata, spearmanr

import pellucid as package
from cli.writers import CLASSES, TAGS, write_answerer, write_classifier, write_gpt2

USAGE, DATA = 2, 3
WORDS = ["The", "old", "dog", "sleeps", "cat", "tree", "under", "这只动物"]
KEYS = {"task", "scores", "intervals", "classes", "confusion"}


def sentences(n, seed=0):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(n)]


def rows_of(path):
    header, *lines = (line.split("\t") for line in path.read_text().split("\n")[:-1])
    return [dict(zip(header, line, strict=True)) for line in lines]


@pytest.fixture
def evaluate(pellucid, tmp_path):
    """Evaluates, and returns the JSON object and the wrong examples."""

    def run(model, data, *args):
        errors = tmp_path / "errors.jsonl"
        done = pellucid("evaluate", model, "--data", data, "--json", "--errors", errors, *args)
        assert done.code == 0, done.err
        record = json.loads(done.out)
        assert set(record) == KEYS
        return record, [json.loads(line) for line in errors.read_text().split("\n")[:-1]]

    return run


def test_a_classifier_with_one_label(pellucid, evaluate, tmp_path):
    model = write_classifier(tmp_path / "m", seed=3)
    texts = sentences(60)
    gold = random.Random(1).choices(CLASSES, k=60)
    data = tmp_path / "d.tsv"
    data.write_text("".join(f"{t}\t{g}\n" for t, g in zip(texts, gold, strict=True)))
    record, errors = evaluate(model, data)
    results = package.load(model, device="cpu").classify(texts)
    predicted = [each.labels[0] for each in results]
    counts = sklearn.metrics.confusion_matrix(gold, predicted, labels=CLASSES)
    assert record["task"] == "classification"
    assert record["confusion"] == {"labels": list(CLASSES), "counts": counts.tolist()}
    report = sklearn.metrics.classification_report(
        gold, predicted, labels=CLASSES, output_dict=True, zero_division=0
    )
    for label in CLASSES:
        expected = {name.replace("-score", ""): v for name, v in report[label].items()}
        assert record["classes"][label] == pytest.approx(expected)
    wrong = [
        (f"{data}:{i}", g, r.labels[0], r.probability, t)
        for i, (t, g, r) in enumerate(zip(texts, gold, results, strict=True), 1)
        if r.labels[0] != g
    ]
    wrong.sort(key=lambda each: -each[3])
    assert [e["example"] for e in errors] == [w[0] for w in wrong]
    for error, (_, *names, probability, text) in zip(errors, wrong, strict=True):
        assert [error["gold"], error["predicted"], error["text"]] == [*names, text]
        assert error["probability"] == pytest.approx(probability, abs=1e-4)

    files = ["--errors", tmp_path / "e.tsv", "--picture", tmp_path / "p.svg"]
    done = pellucid("evaluate", model, "--data", data, *files)
    assert [row["example"] for row in rows_of(tmp_path / "e.tsv")] == [w[0] for w in wrong]
    metrics, classes, confusion = done.out.split("\n\n")
    assert f"accuracy {report['accuracy']:.4f}  95 %: " in metrics
    assert "(Wilson)" in metrics
    good = report["good"]
    numbers = [f"{good[n]:.4f}" for n in ("precision", "recall", "f1-score")]
    assert ["good", *numbers, f"{good['support']:.0f}"] in [r.split() for r in classes.split("\n")]
    assert [r.split()[1:] for r in confusion.split("\n")[1:-1]] == [
        [str(n) for n in row] for row in counts.tolist()
    ]
    drawn = {"".join(e.itertext()) for e in ET.parse(tmp_path / "p.svg").iter()}
    assert {f"{n}" for n in counts.ravel() if n} <= drawn


def test_a_classifier_with_several_labels(evaluate, tmp_path):
    model = write_classifier(tmp_path / "m", seed=3, several=True)
    texts = sentences(50)
    rng = random.Random(2)
    gold = [sorted(rng.sample(CLASSES, rng.randint(0, 3))) for _ in texts]
    data = tmp_path / "d.jsonl"
    rows = [
        {"text": t, "labels": g, "id": f"q{i}"}
        for i, (t, g) in enumerate(zip(texts, gold, strict=True))
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    record, errors = evaluate(model, data, "--picture", tmp_path / "p.svg")
    results = package.load(model, device="cpu").classify(texts)
    sides = [
        [[c in labels for c in CLASSES] for labels in side]
        for side in (gold, [r.labels for r in results])
    ]
    expected = sklearn.metrics.precision_recall_fscore_support(*sides, zero_division=0)
    for label, *row in zip(CLASSES, *expected, strict=True):
        assert list(record["classes"][label].values()) == pytest.approx(row)
    assert record["confusion"] is None
    wrong = [i for i, r in enumerate(results) if sorted(r.labels) != gold[i]]
    wrong.sort(key=lambda i: -results[i].probability)
    assert [e["id"] for e in errors] == [f"q{i}" for i in wrong]
    assert errors[0]["probability"] == pytest.approx(results[wrong[0]].probability, abs=1e-4)
    assert "emotions" not in (tmp_path / "p.svg").read_text()
    ET.parse(tmp_path / "p.svg")


def test_a_tagger(evaluate, writers, tmp_path):
    rng = random.Random(4)
    words = [[*rng.choices(WORDS, k=rng.randint(1, 8))] for _ in range(30)]
    words[7] = rng.choices(WORDS, k=200)  # longer than the model reads
    gold = [rng.choices(TAGS, k=len(each)) for each in words]
    lines, firsts = [], []
    for sentence, tags in zip(words, gold, strict=True):
        firsts.append(len(lines) + 1)
        lines += [*(f"{w}\t{t}" for w, t in zip(sentence, tags, strict=True)), ""]
    data = tmp_path / "d.conll.gz"
    data.write_bytes(gzip.compress("\n".join(lines).encode()))
    record, errors = evaluate(writers.tagger, data, "--picture", tmp_path / "p.svg")
    assert record["task"] == "tagging"
    for error in errors:
        i = firsts.index(int(error["example"].removeprefix(f"{data}:")))
        at = error["number"] - 1
        assert (error["word"], error["gold"]) == (words[i][at], gold[i][at])
        assert error["predicted"] != error["gold"]
        assert error["words"] == " ".join(words[i])
    keys = [(e["example"], e["number"]) for e in errors]
    assert len(set(keys)) == len(keys)
    chances = [e["probability"] for e in errors]
    assert chances == sorted(chances, reverse=True)
    predicted = [list(tags) for tags in gold]
    for error in errors:
        i = firsts.index(int(error["example"].removeprefix(f"{data}:")))
        predicted[i][error["number"] - 1] = error["predicted"]
    short = [i for i in range(30) if i != 7]  # windows do not overlap here
    tagged = package.load(writers.tagger, device="cpu").tag([words[i] for i in short])
    assert [predicted[i] for i in short] == [list(each.tags) for each in tagged]
    by_place = {(e["example"], e["number"]): e["probability"] for e in errors}
    i = next(i for i in short if predicted[i] != gold[i])
    at = next(j for j, (p, g) in enumerate(zip(predicted[i], gold[i], strict=True)) if p != g)
    expected = tagged[short.index(i)].probabilities[at]
    assert by_place[f"{data}:{firsts[i]}", at + 1] == pytest.approx(expected, abs=1e-4)
    assert record["scores"]["f1"] == pytest.approx(seqeval.metrics.f1_score(gold, predicted))
    flat = [list(chain.from_iterable(side)) for side in (gold, predicted)]
    counts = sklearn.metrics.confusion_matrix(*flat, labels=TAGS)
    assert record["confusion"] == {"labels": list(TAGS), "counts": counts.tolist()}
    scores = seqeval.metrics.classification_report(gold, predicted, output_dict=True)["PER"]
    assert list(record["classes"]["PER"].values()) == pytest.approx(list(scores.values()))
    ET.parse(tmp_path / "p.svg")


def test_an_answerer(evaluate, tmp_path):
    model = write_answerer(tmp_path / "m", seed=3)
    rng = random.Random(5)
    contexts = [" ".join(rng.choices(WORDS, k=6)) for _ in range(20)]
    answers = [context.split()[2] for context in contexts]
    questions = [
        {
            "question": "Who sleeps?",
            "id": f"q{i}",
            "answers": [{"text": a, "answer_start": c.index(a)}],
        }
        for i, (c, a) in enumerate(zip(contexts, answers, strict=True))
    ]
    paragraphs = [{"context": c, "qas": [q]} for c, q in zip(contexts, questions, strict=True)]
    data = tmp_path / "d.json"
    data.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    record, errors = evaluate(model, data)
    assert record["task"] == "question_answering"
    ranked = package.load(model, device="cpu").answer([("Who sleeps?", c) for c in contexts])
    best = {f"q{i}": each[0] for i, each in enumerate(ranked)}
    right = sum(best[f"q{i}"].text == a for i, a in enumerate(answers))
    assert record["scores"]["exact_match"] == pytest.approx(right / 20)
    assert len(errors) == 20 - right > 0
    for error in errors:
        number = int(error["id"][1:])
        assert error["example"] == f"{data}:{number + 1}"
        assert (error["context"], error["gold"]) == (contexts[number], answers[number])
        assert error["predicted"] == best[error["id"]].text
        assert error["probability"] == pytest.approx(best[error["id"]].probability, abs=1e-4)
        assert 0 <= error["f1"] < 1


def test_similarities(evaluate, writers, tmp_path):
    pairs = list(zip(sentences(40, 6), sentences(40, 7), strict=True))
    gold = [random.Random(8 + i).randint(0, 5) for i in range(40)]
    data = tmp_path / "d.tsv"
    data.write_text("".join(f"{a}\t{b}\t{g}\n" for (a, b), g in zip(pairs, gold, strict=True)))
    record, errors = evaluate(
        writers.filler, data, "--task", "similarity", "--picture", tmp_path / "p.svg"
    )
    numbers = package.load(writers.filler, device="cpu").similarity(pairs)
    assert record["scores"]["spearman"] == pytest.approx(spearmanr(numbers, gold)[0], abs=1e-6)
    deviations = abs(rankdata(numbers) - rankdata(gold)) / 40
    assert [e["deviation"] for e in errors] == pytest.approx(sorted(deviations)[::-1], abs=1e-4)
    for error in errors:
        i = int(error["example"].removeprefix(f"{data}:")) - 1
        assert error["deviation"] == pytest.approx(deviations[i], abs=1e-4)
        assert (error["text"], error["second"]) == pairs[i]
        assert float(error["predicted"]) == pytest.approx(numbers[i], abs=1e-4)
    circles = ET.parse(tmp_path / "p.svg").iter("{http://www.w3.org/2000/svg}circle")
    assert len(list(circles)) == 40


def test_two_classifiers(pellucid, tmp_path):  # authority: scikit-learn
    models = [write_classifier(tmp_path / f"m{seed}", seed=seed) for seed in (3, 4)]
    texts, gold = sentences(60), random.Random(1).choices(CLASSES, k=60)
    data = tmp_path / "d.tsv"
    data.write_text("".join(f"{t}\t{g}\n" for t, g in zip(texts, gold, strict=True)))
    both = ["evaluate", models[1], "--data", data, "--against", models[0]]
    record = json.loads(pellucid(*both, "--json").out)
    assert set(record) == KEYS | {"comparison"}
    accuracies = [
        sklearn.metrics.accuracy_score(
            gold, [r.labels[0] for r in package.load(model, device="cpu").classify(texts)]
        )
        for model in models
    ]
    found = record["comparison"]["accuracy"]
    assert [found["before"], found["after"]] == pytest.approx(accuracies)
    assert found["delta"] == pytest.approx(accuracies[1] - accuracies[0])
    assert found["low"] <= found["delta"] <= found["high"]
    assert set(record["comparison"]) == set(record["scores"]) - {"loss"}
    title, row, *_ = pellucid(*both).out.split("\n\n")[-1].split("\n")
    assert title.split()[:4] == ["against", str(models[0]), "other", "model"]
    assert row.split()[:3] == ["accuracy", *(f"{each:.4f}" for each in accuracies)]
    assert "p = " in row


@pytest.mark.parametrize("kind", ["tagger", "answerer", "similarity"])
def test_a_model_against_itself(pellucid, writers, tmp_path, kind):
    data, args = tmp_path / "d.tsv", []
    if kind == "tagger":
        model, data = writers.tagger, tmp_path / "d.conll"
        long = "\n".join(["dog\tB-PER", "old\tO"] * 100)  # longer than the model reads
        data.write_text(f"The\tO\ncat\tB-PER\n\n{long}\n\ntree\tO\n")
    elif kind == "answerer":
        model = write_answerer(tmp_path / "m", seed=3)
        data.write_text("".join(f"Who?\t{text}\t{text.split()[0]}\n" for text in sentences(9)))
    else:
        model, args = writers.filler, ["--task", "similarity"]
        rows = zip(sentences(9, 1), sentences(9, 2), strict=True)
        data.write_text("".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(rows)))
    done = pellucid("evaluate", model, "--data", data, "--against", model, "--json", *args)
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert record["comparison"]
    for name, found in record["comparison"].items():
        assert found["before"] == found["after"] == record["scores"][name]
        assert (found["low"], found["high"], found["p_value"]) == (0, 0, 1)


def test_what_cannot_be_compared(pellucid, writers, tmp_path):
    text = tmp_path / "t.txt"
    text.write_text("The cat sleeps.\n")
    done = pellucid("evaluate", writers.filler, "--data", text, "--against", writers.filler)
    assert done.code == USAGE
    assert "--against: models of the task masked_lm are not compared" in done.err
    done = pellucid("evaluate", writers.tagger, "--data", "-", "--against", writers.tagger)
    assert done.code == USAGE
    assert "cannot be a pipe" in done.err
    data = tmp_path / "d.conll"
    data.write_text("The\tO\n")
    done = pellucid("evaluate", writers.tagger, "--data", data, "--against", writers.filler)
    assert done.code == USAGE
    assert "cannot be measured by tagging" in done.err


def test_the_head_decides(pellucid, writers, tmp_path):
    text = tmp_path / "t.txt"
    text.write_text("".join(f"{line}\n" for line in sentences(30)))

    def task(model, *args):
        done = pellucid("evaluate", model, "--data", text, "--json", *args)
        return json.loads(done.out)["task"] if done.code == 0 else done.err

    gpt2 = write_gpt2(tmp_path / "gpt2", seed=0)
    assert task(gpt2) == "language_modeling"
    assert task(writers.filler) == "masked_lm"
    refused = task(gpt2, "--task", "tagging")
    assert "cannot be measured by tagging; its heads: lm. It can be measured by language" in refused
    assert "no task 'chess'" in task(gpt2, "--task", "chess")
    losses = []
    for stride in ("64", "1"):
        done = pellucid("evaluate", gpt2, "--data", text, "--json", "--stride", stride)
        losses.append(json.loads(done.out)["scores"]["loss"])
    assert losses[0] != losses[1]
    assert "--stride: the task masked_lm has no such setting" in task(
        writers.filler, "--stride", "3"
    )
    for flag in ("--errors", "--picture"):
        name = tmp_path / ("x.tsv" if flag == "--errors" else "x.svg")
        assert f"{flag}: there is none for the task masked_lm" in task(writers.filler, flag, name)
        assert "must end in" in task(writers.filler, flag, tmp_path / "x.png")


def test_whole_numbers_are_labels(evaluate, pellucid, tmp_path):
    model = write_classifier(tmp_path / "m", seed=3)
    data = [tmp_path / f"{n}.tsv" for n in range(3)]
    lines = list(zip(sentences(9), [0, 1, 2] * 3, strict=True))
    data[0].write_text("".join(f"{t}\t{n}\n" for t, n in lines))
    data[1].write_text("".join(f"{t}\t{CLASSES[n]}\n" for t, n in lines))
    assert evaluate(model, data[0])[0] == evaluate(model, data[1])[0]
    data[2].write_text(data[0].read_text() + "one more\t3\n")
    done = pellucid("evaluate", model, "--data", data[2])
    assert done.code == DATA
    assert f"{data[2]}:10" in done.err
    assert "'3' is none of the 3 labels (good, bad, neither)" in done.err


def test_a_pipe_is_read_once(pellucid, tmp_path):
    model = write_classifier(tmp_path / "m", seed=3)
    text = "".join(f"{t}\t{c}\n" for t, c in zip(sentences(9), CLASSES * 3, strict=True))
    done = pellucid(
        "evaluate", model, "--data", "-", "--errors", tmp_path / "e.tsv", stdin=text.encode()
    )
    assert done.code == 0, done.err
    assert all(row["text"] in text for row in rows_of(tmp_path / "e.tsv"))


@pytest.mark.parametrize("read", ["source", "target", "against"])
def test_what_is_read_is_not_overwritten(ready, pellucid, tmp_path, read):
    files = {name: tmp_path / f"{name}.txt" for name in ("source", "target", "against")}
    for file in files.values():
        shutil.copy(ready.target, file)
    other = tmp_path / "other.txt"
    other.symlink_to(files[read])
    args = ["evaluate", ready.run, "--data", files["source"], files["target"]]
    done = pellucid(*args, "--against", files["against"], "--output", other)
    assert done.code == 2
    assert "other.txt is read by this command, and would be overwritten" in done.err
    assert files[read].read_bytes() == ready.target.read_bytes()


@pytest.mark.parametrize("verb", ["evaluate", "score"])
def test_files_in_the_wrong_order(ready, pellucid, verb):
    done = pellucid(verb, ready.run, "--data", ready.target, ready.source)
    assert done.code == 2
    assert "the first file is de, the second en, but the model translates from en to de" in done.err
