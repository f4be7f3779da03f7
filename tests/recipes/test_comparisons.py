"""What the recipes of docs/comparisons.md change in a model and measure, by algebra."""

from dataclasses import replace

import pytest
import torch

from pellucid.config.model import ModelConfig
from pellucid.families.sizes import SIZES
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.model import Transformer, build
from pellucid.taps import record

CONFIG = ModelConfig(
    vocab_size=20, d_model=16, n_heads=2, d_ff=32, n_encoder_layers=0, n_decoder_layers=2, dropout=0
)
IDS = torch.tensor([[3, 1, 4, 15, 9, 2, 6]])


@pytest.mark.parametrize("place", ["pre", "post"])
def test_sublayers_without_residual_connection(load, place):
    model = build(replace(CONFIG, norm_place=place), seed=0)
    mask = MaskTensors(Mask(causal=True))
    with torch.no_grad():
        x = model.decoder.embedding(IDS)
        for layer in model.decoder.layers:
            for sublayer, *rest in ((layer.attention, mask), (layer.feed_forward,)):
                if place == "pre":
                    x = sublayer.inner(sublayer.norm(x), *rest)
                else:
                    x = sublayer.norm(sublayer.inner(x, *rest))
        with load("depth").without_residuals(model, place):
            actual = model(IDS)
        assert (actual - model.decoder.norm(x)).abs().max() < 1e-5
        assert (actual - model(IDS)).abs().max() > 0.1  # the connections are back


def test_spread_of_states(load):
    measure_spread = load("depth").measure_spread
    x = torch.randn(1, 5, 8)
    assert measure_spread(torch.ones(1, 5, 1) * x[:, :1]) == pytest.approx(0, abs=1e-6)
    assert measure_spread(torch.cat([x, -x], 1)) == pytest.approx(1)  # their mean is 0
    # two orthogonal parts of norms 3 and 4: the common one, and the one that sums to 0
    assert measure_spread(torch.tensor([[[3.0, 4.0], [3.0, -4.0]]])) == pytest.approx(4 / 5)


def test_scores_that_are_not_divided_are_larger_by_the_root_of_the_width(load):
    divided, undivided, small = (
        build(replace(CONFIG, attention_scale=scale), seed=0) for scale in ("sqrt", "none", "none")
    )
    load("score_scale").enlarge_queries(undivided)
    scores = []
    for model in (divided, undivided, small):
        with torch.no_grad(), record(model, "decoder.layers.0.*.scores") as recorded:
            model(IDS)
        scores.append(next(iter(recorded.values()))[0].tril())
    width = CONFIG.d_model // CONFIG.n_heads
    assert (scores[1] - scores[0] * width**0.5).nan_to_num().abs().max() < 1e-5
    assert (scores[2] - scores[0]).nan_to_num().abs().max() < 1e-5


def test_without_positions_an_encoder_permutes_with_its_text(load):
    model = build(replace(CONFIG, n_encoder_layers=2), seed=0)
    order = [4, 0, 6, 2, 1, 5, 3]

    def difference():
        with torch.no_grad():
            first, second = (model.encoder(ids, Mask()) for ids in (IDS, IDS[:, order]))
        return float((first[:, order] - second).abs().max())

    assert difference() > 0.1
    load("positions").remove_positions(model, "encoder")
    assert difference() < 1e-5


def test_exchanged_nouns(load):
    exchange = load("positions").exchange
    text = "The jacket is more expensive than the shirt."
    assert exchange(text, "is", "than") == "The shirt is more expensive than the jacket."
    german = "Die Jacke ist teurer als das Hemd."
    assert exchange(german, "ist", "als") == "Das Hemd ist teurer als die Jacke."
    assert exchange(exchange(german, "ist", "als"), "ist", "als") == german
    assert exchange("The jackets are cheaper than the shirt.", "is", "than") == ""


def test_splitting_before_the_projection_saves_weights(load):
    tiny = replace(SIZES["tiny"].config, vocab_size=1000, n_encoder_layers=2, n_decoder_layers=2)
    counts = {}
    for name, changes in load("head_split").VARIANTS.items():
        with torch.device("meta"):
            counts[name] = sum(
                p.numel() for p in Transformer(replace(tiny, **changes)).parameters()
            )
    attentions, matrices = 6, 3  # q, k and v of 2 encoder layers, and twice of 2 decoder layers
    saved = attentions * matrices * tiny.d_model**2 * (1 - 1 / tiny.n_heads)
    assert counts["after"] - counts["before"] == saved
    assert counts["before, wider"] == pytest.approx(counts["after"], rel=1e-3)
