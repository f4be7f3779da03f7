"""Figures as SVG.  Authority: an XML parser, and the trace's own tokens and words."""

import xml.etree.ElementTree as ElementTree

import pytest

import pellucid
from cli.writers import write_tagger
from pellucid.errors import UsageError
from pellucid.explain.figures import FIGURES, draw_svg
from pellucid.explain.trace import trace

pytest.importorskip("matplotlib")


def texts_of(svg):
    root = ElementTree.fromstring(svg)
    return {"".join(each.itertext()).strip() for each in root.iter() if each.tag.endswith("}text")}


@pytest.fixture(scope="module")
def bundle():
    return pellucid.load("zh-en", device="cpu").bundle


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_names_what_it_shows(bundle, figure):
    traced = trace(bundle, "猫追狗，花了$5和$6。")
    texts = texts_of(draw_svg(bundle, traced, figure))
    assert traced.source is not None
    assert traced.prediction is not None
    expected = {
        "heads": {f"head {i}" for i in range(4)} | {"encoder.3.attention", "decoder.1.cross"},
        "alignment": {token.display.strip() for token in traced.source.tokens if token.display},
        "positions": {"position vectors", "inner products", "dimension"},
        "lens": {p.candidates[0].text.strip() for p in traced.prediction.positions},
    }[figure]
    assert expected - {""} <= texts


def test_a_model_without_the_parts_is_an_error(tmp_path):
    bundle = pellucid.load(write_tagger(tmp_path / "tagger", seed=0), device="cpu").bundle
    with pytest.raises(UsageError, match="no attention to a source"):
        draw_svg(bundle, trace(bundle, "The dog"), "alignment")
