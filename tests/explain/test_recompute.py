"""What the page computes again follows from a trace, for models of every shape and family.

Authority: the equations of the paper in NumPy and float64, on the arrays of the trace alone.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import pellucid
from explain.zoo import MODELS
from explain.zoo_writers import SMALL, vary
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.explain.encode import decode, encode
from pellucid.explain.rows import Rows
from pellucid.explain.trace import Trace, TraceSpec, trace_rows
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import Inputs
from pellucid.nn.model import build
from pellucid.text.pair import Tokenizers

SHAPES = {"both": (2, 2), "encoder": (2, 0), "decoder": (0, 2)}
POSITIONS = ("sinusoid", "sinusoid-halves", "learned", "buckets", "none")
IDS = torch.tensor([[5, 9, 7, 3, 11, 2, 8]])
TARGET = torch.tensor([[2, 8, 4, 6, 10]])
BOUND = 1e-6


def softmax(x: np.ndarray) -> np.ndarray:
    exponents = np.exp(x - x.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def check(trace: Trace, has_bias: bool = False) -> int:
    """Compute weights and probabilities again; return how many attentions there were."""
    paths = [path for path in trace.attentions if f"{path}.queries" in trace.arrays]
    for path in paths:
        q, k = (trace[f"{path}.{name}"].astype(np.float64) for name in ("queries", "keys"))
        scores = q @ k.swapaxes(-1, -2) * trace.scales[path] + trace[f"{path}.mask"]
        if has_bias and not path.endswith(".cross"):
            scores = scores + trace[f"{path}.bias"]
        assert np.abs(softmax(scores) - trace[f"{path}.weights"]).max() <= BOUND, path
    prediction = trace.prediction
    if prediction is not None and prediction.kind == "lm":
        probabilities = softmax(trace[f"heads.{prediction.head}.logits"].astype(np.float64))
        for position, row in zip(prediction.positions, probabilities, strict=True):
            for each in position.candidates:
                assert abs(row[each.id] - each.probability) <= BOUND
            assert row.argmax() == position.candidates[0].id
    return len(paths)


@pytest.mark.parametrize("place", ["post", "pre"])
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape, positions, place):
    encoder, decoder = SHAPES[shape]
    c = ModelConfig(
        **SMALL,
        vocab_size=40,
        n_encoder_layers=encoder,
        n_decoder_layers=decoder,
        positions=positions,
        norm_place=place,
        attention_scale="none" if positions == "buckets" else "sqrt",
    )
    heads = {"mlm": HeadConfig(kind="lm")} if shape == "encoder" else {"lm": LANGUAGE_MODEL}
    inputs = Inputs(IDS, target_ids=TARGET if shape == "both" else None)
    bundle = Bundle(
        model=vary(build(c, 0, heads)),
        model_config=c,
        tokenizers=Tokenizers.absent(Path("none")),
        task="translation",
        roles=Roles(),
        decoding=DecodingConfig(),
        languages=("en", "de"),
        longest_source=50,
        card="",
    )
    trace = trace_rows(bundle, Rows(inputs), TraceSpec())
    n = check(trace, positions == "buckets")
    assert n == encoder + decoder + (decoder if shape == "both" else 0)


@pytest.mark.parametrize("name", MODELS)
def test_every_family(name, tmp_path):
    """Pages hold what JSON can: no number that is not finite, except masks."""
    shown = MODELS[name](tmp_path)
    model = pellucid.load(shown.directory, device="cpu")
    options = dict(zip(shown.options[::2], shown.options[1::2], strict=True))
    trace = model.trace(shown.text, head=options.get("--head"))
    n = check(trace, name.startswith(("t5", "mt5", "transformer-xl")))
    assert n or model.bundle.family in ("rnn", "bag_of_words", "text_cnn", "bilstm")
    for path, array in trace.arrays.items():
        assert np.isfinite(array).all() or path.endswith(".scores"), path
        assert not np.isnan(array).any(), path
    assert decode(json.loads(json.dumps(encode(trace)))).prediction == trace.prediction
