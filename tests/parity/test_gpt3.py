"""GPT-Neo against transformers, and GPT-3, which nobody published, against its formula in NumPy.

Authorities: its classes with the same random weights; Brown et al. 2020 and Radford et al. 2019.
"""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from parity.causal import check_causal
from parity.peer import IDS, assert_close, randomize
from pellucid.errors import ConfigError
from pellucid.families import gpt3
from pellucid.families.gpt_neo import GPT_NEO
from pellucid.formats.huggingface import open_published
from pellucid.nn.model import build

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "max_position_embeddings": 20,
    "hidden_size": 8,
    "num_layers": 3,
    "num_heads": 2,
    "attention_types": [[["global", "local"], 1], [["local"], 1]],
    "window_size": 2,
    "layer_norm_epsilon": 1e-3,  # a wrong one is seen
    "pad_token_id": 1,
}
KINDS = ["ForCausalLM", "ForSequenceClassification", "ForTokenClassification"]


@pytest.mark.parametrize("kind", [*KINDS, "ForQuestionAnswering", "Model"])
def test_every_head(kind, tmp_path):
    changes = {} if kind == "ForQuestionAnswering" else {"num_labels": 3}
    config = transformers.GPTNeoConfig(**CONFIG, **changes)
    published = check_causal(getattr(transformers, f"GPTNeo{kind}")(config), tmp_path)
    assert published.model.config.windows == (0, 2, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"attention_types": [[["local"], 3]], "intermediate_size": 12, "window_size": 1},
        {"attention_types": [[["global"], 3]], "activation_function": "relu"},
        {"attention_types": [[["global", "global", "local"], 1]], "window_size": 5},
    ],
)
def test_bands(changes, tmp_path):
    config = transformers.GPTNeoConfig(**{**CONFIG, **changes})
    check_causal(transformers.GPTNeoForCausalLM(config), tmp_path)


@torch.no_grad()
def test_kinds_written_out_win(tmp_path):  # authority: their class reads a file in this way
    randomize(transformers.GPTNeoModel(transformers.GPTNeoConfig(**CONFIG))).save_pretrained(
        tmp_path
    )
    where = tmp_path / "config.json"
    message = {**json.loads(where.read_text()), "attention_layers": ["local", "local", "global"]}
    where.write_text(json.dumps(message))
    published, reference = (
        open_published(tmp_path),
        transformers.GPTNeoModel.from_pretrained(tmp_path),
    )
    assert published.model.config.windows == (2, 2, 0)
    assert_close(published.model(IDS), reference.eval()(IDS).last_hidden_state)


def test_a_config_that_leaves_all_out():  # authority: their class's defaults
    reference = transformers.GPTNeoConfig().to_dict()
    message = {"vocab_size": 50257}
    assert GPT_NEO.read_config(message, "") == GPT_NEO.read_config(reference, "")


@pytest.mark.parametrize(
    "types",
    [
        [[["global", "local"], 12]],  # of 24 layers, not of 3
        [[["global"], 10**12]],
        [[["global"], -1], [["global"], 3], [["sparse"], 1]],
        [["global", 3]],
        [[["global"], 1.5], [["global"], 1.5]],
        [3],
        {"global": 3},
        3,
    ],
)
def test_kinds_that_make_no_sense(types):
    reference = {**CONFIG, "attention_types": types}
    with pytest.raises(ConfigError, match="attention_types"):
        GPT_NEO.read_config(reference, "")


@pytest.mark.parametrize("band", [0, -3, "2", 1.5])
def test_a_band_without_width(band):
    with pytest.raises(ConfigError, match="window"):
        GPT_NEO.read_config({**CONFIG, "window_size": band}, "")


def test_a_gpt3_is_not_written_as_a_gpt_neo():  # their config has no word for what differs
    for c in (gpt3.SMALL, replace(GPT_NEO.preset, windows=(0, 2, 3))):
        with pytest.raises(ConfigError, match="own layout"):
            GPT_NEO.write_config(c, {})


def normed(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gain + bias


def gpt3_logits(w: dict[str, np.ndarray], ids: list[int], heads: int, band: int) -> np.ndarray:
    """(T, V), token by token and head by head, layers dense and banded in turn."""

    def affine(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        return normed(x, w[f"{name}.weight"], w[f"{name}.bias"])

    embedding = w["decoder.embedding.weight"]
    x = embedding[ids] + w["decoder.embedding.positions.weight"][: len(ids)]  # (T, D)
    for i in range(1 + max(int(name.split(".")[2]) for name in w if ".layers." in name)):
        attention, block = f"decoder.layers.{i}.attention", f"decoder.layers.{i}.feed_forward"
        y = norm(f"{attention}.norm", x)
        q, k, v = (np.split(affine(f"{attention}.inner.{p}", y), heads, 1) for p in "qkv")
        context = np.zeros_like(np.concatenate(v, 1))
        for t in range(len(ids)):
            seen = range(max(0, t + 1 - band) if i % 2 else 0, t + 1)
            parts = []
            for q1, k1, v1 in zip(q, k, v, strict=True):
                scores = np.exp([q1[t] @ k1[s] / np.sqrt(q1.shape[1]) for s in seen])
                parts.append(scores / scores.sum() @ v1[list(seen)])
            context[t] = np.concatenate(parts)
        x = x + affine(f"{attention}.inner.o", context)
        y = affine(f"{block}.inner.up", norm(f"{block}.norm", x))
        y = y / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
        x = x + affine(f"{block}.inner.down", y)
    return norm("decoder.norm", x) @ embedding.T


@pytest.mark.parametrize("d_head", [0, 3])  # 3: heads narrower than the model, as 13b has them
def test_gpt3_is_its_formula(d_head):  # authority: NumPy float64
    c = replace(
        gpt3.PRESETS["small"],
        vocab_size=50,
        d_model=8,
        n_decoder_layers=4,
        n_heads=2,
        d_head=d_head,
        d_ff=32,
        max_length=20,
        windows=(0, 3),
    )
    model = build(c)
    randomize(model)
    w = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    ids = [5, 9, 7, 3, 11, 2, 8, 5, 5, 40]
    logits = model.heads["lm"](model(torch.tensor([ids])))[0]
    exact = torch.from_numpy(gpt3_logits(w, ids, heads=2, band=3))
    assert (logits - exact).abs().max() <= 1e-5 * max(1.0, float(exact.abs().max()))
