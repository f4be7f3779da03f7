"""Half precision, whose largest number the feed-forward of T5 passes: refused, or safe.

Authority: transformers' T5 in float32 with the same weights. What is stored in float16 is computed
in float32, and no door lets a model compute in float16.
"""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import torch
import transformers

import pellucid
from parity.peer import IDS, KEEP, assert_close, randomize
from pellucid.cli.main import VERBS, main
from pellucid.errors import ConfigError, UsageError
from pellucid.formats.onnx_export import Precision
from pellucid.nn.pack_model import pack_model
from pellucid.nn.packed_linear import PackedType
from pellucid.nn.weights import read_tensors
from pellucid.taps import record
from pellucid.training.pipeline import train

LARGEST = 65_504  # of float16
TARGET = torch.randint(2, 50, (3, 9), generator=torch.Generator().manual_seed(0))
CONFIG = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}


@pytest.fixture(scope="module", params=["relu", "gated-gelu"])
def reference(request):
    """A T5 whose feed-forward passes the largest number, and whose weights are all in float16."""
    config = transformers.T5Config(
        **CONFIG, feed_forward_proj=request.param, tie_word_embeddings=request.param == "relu"
    )
    model = randomize(transformers.T5ForConditionalGeneration(config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".wi" in name:
                parameter.mul_(1e4)
            elif re.search(r"encoder.*layer\.1\.layer_norm|layer\.2\.layer_norm", name):
                parameter.mul_(1e2)  # before each feed-forward
            parameter.copy_(parameter.half())
    return model


def logits(model, **kinds) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS, attention_mask=KEEP.long(), decoder_input_ids=TARGET, **kinds).logits


@pytest.fixture(params=["all", "all but wo"])
def stored(request, reference, tmp_path) -> Path:
    """As it was written: by `half`, or by transformers, which keeps one map in float32."""
    whole = tmp_path / "whole"
    reference.save_pretrained(whole)
    kind, half = type(reference), tmp_path / "half"
    model = kind.from_pretrained(whole, dtype=torch.float16)
    model = model.half() if request.param == "all" else model
    model.save_pretrained(half)
    kinds = {x.dtype for x in read_tensors(half / "model.safetensors").values()}
    assert kinds == {torch.float16} | ({torch.float32} if "wo" in request.param else set())
    return half


def test_what_is_stored_in_half_is_computed_in_float32(reference, stored):
    model = pellucid.load(stored)
    assert {p.dtype for p in model.model.parameters()} == {torch.float32}
    with record(model.model, "*.feed_forward.inner.*") as seen:
        actual = model.logits(IDS, KEEP, target_ids=TARGET)
    most = max(float(x.abs().max()) for taps in seen.values() for x in taps)
    assert most > LARGEST, "this model would do in float16 too, and so proves nothing"
    assert_close(actual, logits(reference))
    assert_close(actual, logits(type(reference).from_pretrained(stored, dtype=torch.float32)))
    with torch.no_grad():
        plain = model.model.half()
        lost = plain.heads["lm"](plain(IDS, KEEP, TARGET))
    assert not lost.isfinite().all(), "float16 lost nothing: what is refused below would be safe"


@pytest.mark.parametrize("dtype", ["bf16", "int8"])
def test_the_other_narrow_types_are_safe(reference, tmp_path, dtype):
    reference.save_pretrained(tmp_path / "whole")
    model = pack_model(pellucid.load(tmp_path / "whole").model, dtype)
    with torch.no_grad():
        actual = model.heads["lm"](model(IDS, KEEP, TARGET)).float()
    expected = logits(reference)
    assert actual.isfinite().all()
    assert (actual - expected).abs().mean() < 0.1 * expected.abs().mean()


@pytest.mark.parametrize("dtype", ["fp16", "float16", torch.float16, "half", ""])
def test_python_refuses_before_it_looks_for_a_model(dtype):
    with pytest.raises(UsageError, match=r"Use fp32, bf16, int8.*fp16 is limited to 65,504"):
        pellucid.load("no such model", dtype=dtype)


def verbs_with_a_type(capsys) -> list[str]:
    actual = []
    for verb in VERBS:
        assert main([*verb.split(), "--help"]) == 0
        if "--dtype" in capsys.readouterr().out:
            actual.append(verb)
    return actual


def test_every_verb_refuses(capsys):
    verbs = verbs_with_a_type(capsys)
    assert {"translate", "evaluate", "generate", "embed", "bench"} <= set(verbs)
    for verb in verbs:
        assert main([*verb.split(), "m", "--dtype", "fp16"]) == 2, verb
        message = capsys.readouterr().err
        kinds = get_args(Precision if verb == "export" else PackedType)
        assert all(kind in message for kind in ("dtype", *kinds)), message


def test_training_refuses(tmp_path):
    settings = {"data": {"train": ["garden"]}, "training": {"precision": "fp16"}}
    with pytest.raises(ConfigError, match=r"training\.precision.*fp32.*bf16"):
        train({**settings, "run_dir": str(tmp_path)})
    (tmp_path / "run.yaml").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=r"run\.yaml.*training\.precision"):
        pellucid.train(tmp_path / "run.yaml")
