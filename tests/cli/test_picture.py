"""Pictures of evaluations.  Authority: an XML parser, and geometry."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pellucid.cli.picture import draw
from pellucid.cli.scatter_plot import MAX_POINTS
from pellucid.metrics.classes import ClassScore
from pellucid.metrics.details import Confusion, Details, Points

SVG = "{http://www.w3.org/2000/svg}"


def elements(details, kind, title="a & b.tsv"):
    root = ET.fromstring(draw(details, title, ["accuracy 0.5 < 1"]))
    width, height = (float(root.get(side)) for side in ("width", "height"))
    for each in root.iter():
        for name, end in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(each.get(name, 0)) <= end
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert texts[:2] == [title, "accuracy 0.5 < 1"]
    return list(root.iter(f"{SVG}{kind}")), texts


@pytest.mark.parametrize("n", [1, 2, 11, 25, 90])
def test_a_confusion_matrix(n):
    counts = np.arange(n * n).reshape(n, n)
    labels = tuple(f"<label {i}>" for i in range(n))
    cells, texts = elements(Details(confusion=Confusion(labels, counts)), "g")
    assert len(cells) == min(n, 40) ** 2
    notes = [each.find(f"{SVG}title").text for each in cells]
    if n == 2:
        assert notes[1] == "gold <label 0>, predicted <label 1>: 1 of 1 (100.0%)"
        assert notes[3] == "gold <label 1>, predicted <label 1>: 3 of 5 (60.0%)"
        assert {"3", "60%", "<label 1> (5)"} <= set(texts)


def test_a_darker_cell_has_a_larger_share():
    counts = np.array([[1, 3, 6], [0, 10, 0], [0, 0, 0]])
    cells, _ = elements(Details(confusion=Confusion(("a", "b", "c"), counts)), "g")
    fills = [each.find(f"{SVG}rect").get("fill") for each in cells]
    reds = [int(fill.removeprefix("rgb(").split(",")[0]) for fill in fills]
    assert reds[0] > reds[1] > reds[2] > reds[4]
    assert set(reds[6:]) == {reds[3]} == {255}


def test_scores_of_classes():
    cells, texts = elements(Details(classes={"joy": ClassScore(0.5, 0.25, 0.333, 8)}), "g")
    assert [each.find(f"{SVG}title").text for each in cells] == [
        "joy: precision 0.5000",
        "joy: recall 0.2500",
        "joy: f1 0.3330",
    ]
    assert {"joy (8)", "0.50", "0.25", "0.33"} <= set(texts)


@pytest.mark.parametrize("n", [1, 50, MAX_POINTS + 1])
def test_a_scatter_plot(n):
    rng = np.random.default_rng(0)
    gold, noise = rng.integers(0, 6, n).astype(np.float32), rng.normal(0, 1e-3, n)
    circles, texts = elements(Details(points=Points(gold, gold / 5 + noise)), "circle")
    assert len(circles) == min(n, MAX_POINTS)
    x, y = (np.array([float(each.get(c)) for each in circles]) for c in ("cx", "cy"))
    if n > 1:  # equal scores are drawn above each other; up is more
        assert np.corrcoef(x, y)[0, 1] < -0.99
        assert {"0", "1", "5", "0.4", "gold", "predicted"} <= set(texts)
