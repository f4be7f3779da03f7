"""What `info` and `verify` say of published directories, and of families.

Authorities: torch's count of multiplications; the presets; the files.
"""

import json
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cli.writers import SMALL, save
from pellucid.cli.info import PUBLISHED_COUNTERPARTS, describe_difference, describe_model
from pellucid.errors import UsageError
from pellucid.families import gpt3
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.gpt2 import GPT2
from pellucid.nn import kernels
from pellucid.nn.model import Transformer, build


def albert(path, groups: int) -> Transformer:
    """A small ALBERT with its language model's head, in a directory."""
    path.mkdir()
    shape = {**SMALL, "vocab_size": 50, "n_encoder_layers": 3, "d_embedding": 8}
    c = replace(PUBLISHED_FAMILIES["albert"].preset, **shape, layer_groups=groups)
    (names,) = PUBLISHED_FAMILIES["albert"].heads["AlbertForMaskedLM"]
    model = build(c, 0, {names.name: names.config})
    save(path, "albert", "AlbertForMaskedLM", model)
    return model


@pytest.mark.parametrize("groups", [1, 3])
def test_a_shared_layer_costs_each_time(groups, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: True)  # what the counter knows
    model = albert(tmp_path / "m", groups).double().eval().requires_grad_(False)
    n, (name,) = 5, model.head_configs
    with FlopCounterMode(display=False) as counter:
        model.heads[name](model(torch.arange(n)[None]))
    scores = 3 * 4 * n * n * model.config.d_model  # no products with weights
    about = describe_model(str(tmp_path / "m"))
    assert about["FLOPs per source token"] * n == counter.get_total_flops() - scores
    assert about["FLOPs per target token"] == 0


def test_both_sides_of_a_translator(ready):  # authority: its matrices, counted
    about = describe_model(str(ready.run))
    assert about["FLOPs per source token"] == 2 * 16 * (4 * 16 + 2 * 32)
    vocabulary = about["model"]["vocab_size"]
    assert about["FLOPs per target token"] == 2 * 16 * (8 * 16 + 2 * 32 + vocabulary)


def test_shapes_are_printed(pellucid, writers):
    done = pellucid("info", writers.model)
    reported = json.loads(pellucid("info", writers.model, "--json").out)
    assert done.code == 0
    lines = [line.split(maxsplit=1) for line in done.out.split("\n")]
    for name, shape in reported["shapes"].items():
        assert [f"shapes.{name}", " x ".join(f"{n}" for n in shape)] in lines


def test_unpublished_families_are_compared():
    small, reference = gpt3.PRESETS["small"], GPT2.preset
    expected = {
        "max_length": f"{small.max_length} -> {reference.max_length}",
        "windows": f"{small.windows} -> {reference.windows}",
    }
    assert describe_difference("gpt3", "gpt2") == expected
    for name in PUBLISHED_COUNTERPARTS:
        assert describe_difference(name, "bert")["objective"].endswith("next sentence")
        assert describe_difference(name, name) == {}
    with pytest.raises(UsageError, match=r"Known: .*t5, gpt3, transformer, rnn"):
        describe_difference("gpt5", "bert")


def test_each_unpublished_family_is_shown(pellucid):
    for name in PUBLISHED_COUNTERPARTS:
        assert f"family {name}" in " ".join(pellucid("info", name).out.split())


def test_a_published_directory_is_opened_in_place_of_a_manifest(pellucid, writers, tmp_path):
    done = pellucid("verify", writers.model)
    assert (done.code, done.out.split()[:2]) == (0, ["opens", str(writers.model)])
    assert "not verified" in done.out
    albert(tmp_path / "m", 3)
    (tmp_path / "m" / "model.safetensors").write_bytes(b"\x08" + bytes(7) + b"{}")
    done = pellucid("verify", tmp_path / "m")
    assert (done.code, done.out.split()[0]) == (6, "damaged")
    done = pellucid("--require-checksum", "verify", writers.model)
    assert (done.code, done.out.split()[0]) == (6, "damaged")
