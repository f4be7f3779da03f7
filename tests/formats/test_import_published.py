"""Importing and exporting published directories, and damage to them."""

import json
import pickle
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import pellucid
from formats.damage import campaign, mutate, mutate_json
from parity.peer import IDS, KEEP, assert_close, randomize
from pellucid.cli.main import main
from pellucid.errors import DataError, PellucidError, VerificationError
from pellucid.formats.import_published import import_published
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import export_published
from pellucid.manifest import verify

CONFIG: dict[str, Any] = {"vocab_size": 50, "n_positions": 20, "n_embd": 8, "n_layer": 2}
CONFIG |= {"n_head": 2, "bos_token_id": 3, "eos_token_id": 2, "pad_token_id": 1}


@pytest.fixture(scope="module")
def reference() -> Any:
    return randomize(transformers.GPT2LMHeadModel(transformers.GPT2Config(**CONFIG)))


@pytest.fixture(scope="module")
def published(reference, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("published") / "gpt2"
    reference.save_pretrained(directory)
    return directory


@pytest.fixture
def copied(published, tmp_path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "copied"))


@torch.no_grad()
def check_logits(directory: Path, reference: Any) -> None:
    """Check that logits at real tokens are equal."""
    expected = reference(IDS, attention_mask=KEEP.long()).logits
    assert_close(pellucid.load(directory, device="cpu").logits(IDS, KEEP)[KEEP], expected[KEEP])


def test_import_and_export_keep_the_numbers(
    published, reference, tmp_path, capsys
):  # authority: transformers
    assert main(["import", str(published), str(tmp_path / "imported")]) == 0
    verify(tmp_path / "imported")
    check_logits(tmp_path / "imported", reference)
    assert main(["export", str(tmp_path / "imported"), str(tmp_path / "back")]) == 0
    assert capsys.readouterr().out.endswith("/back, a model directory for transformers.\n")
    kind: Any = transformers.GPT2LMHeadModel
    again, info = kind.from_pretrained(tmp_path / "back", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert again.config.eos_token_id == 2
    with torch.no_grad():
        assert_close(again(IDS).logits, reference(IDS).logits)


def test_a_place_that_is_taken_is_refused(published, tmp_path):
    with pytest.raises(DataError, match="already exists"):
        import_published(published, tmp_path)
    with pytest.raises(DataError, match="already exists"):
        export_published(tmp_path, open_model(published))


@pytest.mark.parametrize("size", ["1KB", "5GB"])
def test_shards(reference, size, tmp_path):  # authority: transformers wrote them
    reference.save_pretrained(tmp_path, max_shard_size=size)
    assert len(list(tmp_path.glob("*.safetensors"))) == (1 if size == "5GB" else 10)
    check_logits(tmp_path, reference)


def test_names_without_the_base_prefix(published, copied, reference):  # as on the first hub files
    weights = load_file(copied / "model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    save_file(bare, copied / "model.safetensors")
    check_logits(copied, reference)


def test_a_tied_tensor_may_be_there_twice_or_differ(copied, reference):  # authority: transformers
    weights = load_file(copied / "model.safetensors")
    twice = {**weights, "lm_head.weight": weights["transformer.wte.weight"].clone()}
    save_file(twice, copied / "model.safetensors")
    check_logits(copied, reference)
    twice["lm_head.weight"] = twice["lm_head.weight"] + 1
    save_file(twice, copied / "model.safetensors")
    logits = pellucid.load(copied, device="cpu").logits(IDS)
    other: Any = randomize(transformers.GPT2LMHeadModel(transformers.GPT2Config(**CONFIG)))
    other.lm_head.weight = torch.nn.Parameter(twice["lm_head.weight"])
    with torch.no_grad():
        assert_close(logits, other(IDS).logits)


def test_half_precision_is_widened(copied, reference):
    weights = load_file(copied / "model.safetensors")
    save_file({k: v.bfloat16() for k, v in weights.items()}, copied / "model.safetensors")
    save_and_open = pellucid.load(copied, device="cpu")
    assert {p.dtype for p in save_and_open.model.parameters()} == {torch.float32}


def damaged(copied: Path, change: str) -> None:
    """Do to a copy what the name says."""
    file = copied / "model.safetensors"
    weights = load_file(file)
    if change == "truncated":
        file.write_bytes(file.read_bytes()[:-10])
    elif change == "missing tensor":
        del weights["transformer.h.1.ln_1.bias"]
    elif change == "misnamed tensor":
        weights["transformer.h.1.ln_one.bias"] = weights.pop("transformer.h.1.ln_1.bias")
    elif change == "too many tensors":
        weights["transformer.h.2.ln_1.bias"] = weights["transformer.h.1.ln_1.bias"].clone()
    elif change == "misshapen":
        weights["transformer.wpe.weight"] = weights["transformer.wpe.weight"][:-1].clone()
    if change != "truncated":
        save_file(weights, file)


FAULTS = {
    "truncated": "not a valid safetensors file",
    "missing tensor": "transformer.h.1.ln_1.bias is missing",
    "misnamed tensor": "transformer.h.1.ln_1.bias is missing .is it transformer.h.1.ln_one.bias",
    "too many tensors": "transformer.h.2.ln_1.bias has no place",
    "misshapen": r"positions.weight is \(19, 8\), the model has \(20, 8\)",
}


@pytest.mark.parametrize("change", FAULTS)
def test_weights_that_do_not_fit(change, copied):
    damaged(copied, change)
    with pytest.raises(VerificationError, match=FAULTS[change]):
        open_model(copied)


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown family": ({"model_type": "gpt22"}, r"'gpt22' is not a known.*did it mean gpt2\?"),
    "no family": ({"model_type": None}, "names no model_type.*Known families: bert"),
    "layers without end": ({"n_layer": 10**9}, "more than 1024 layers"),
    "more layers than weights": ({"n_layer": 3}, r"transformer.h.2\S+ is missing"),
    "no vocabulary": ({"vocab_size": None}, "vocab_size is missing"),
    "another vocabulary": ({"vocab_size": 51}, r"embedding.weight is \(50, 8\)"),
    "unhonoured setting": ({"reorder_and_upcast_attn": True}, "reorder_and_upcast_attn=True"),
    "unknown activation": ({"activation_function": "mish"}, "activation_function='mish'"),
    "text for a number": ({"n_embd": "8"}, "d_model is '8'"),
    "heads that do not divide": ({"n_head": 3}, "not divisible by n_heads=3"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_do_not_fit(name, copied):
    changes, message = SETTINGS[name]
    path = copied / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(PellucidError, match=message):
        open_model(copied)


class Canary:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "escaped"))


def test_a_pickle_is_read_only_when_asked_for_and_only_tensors(copied, reference, tmp_path):
    (copied / "model.safetensors").unlink()
    torch.save(reference.state_dict(), copied / "pytorch_model.bin")
    command = f"pellucid import {copied} {copied.name}-safe --from-pickle"
    with pytest.raises(DataError, match=re.escape(command)):
        open_model(copied)
    assert main(["import", str(copied), str(tmp_path / "safe"), "--from-pickle"]) == 0
    check_logits(tmp_path / "safe", reference)


@pytest.mark.parametrize("place", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_hostile_pickle_runs_nothing(place, form, copied, tmp_path):  # B3: a canary
    (copied / "model.safetensors").unlink()
    canary = Canary(tmp_path / "canary")
    if form == "torch":
        torch.save({"transformer.wte.weight": canary}, copied / place)
    else:
        (copied / place).write_bytes(pickle.dumps({"transformer.wte.weight": canary}))
    with pytest.raises((DataError, VerificationError)):
        open_model(copied)
    with pytest.raises((DataError, VerificationError)):
        import_published(copied, tmp_path / "out", from_pickle=True)
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "a/b.safetensors"])
def test_an_index_stays_in_its_directory(name, copied):  # B3: no read outside
    (copied / "model.safetensors").rename(copied.parent / "outside.safetensors")
    index = {"weight_map": {"transformer.wte.weight": name}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(VerificationError, match="outside its directory"):
        open_model(copied)


def test_code_and_addresses_in_a_config_are_nothing(copied, reference, monkeypatch):  # B3
    path = copied / "config.json"
    hostile = {
        "auto_map": {"AutoModel": "evil.Model"},
        "_attn_implementation_internal": "somebody/kernel",
        "_name_or_path": "ssh://somewhere",
    }
    path.write_text(json.dumps({**json.loads(path.read_text()), **hostile}))
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was asked for"))
    check_logits(copied, reference)


def damage_weights(copy: Path, rng: Any) -> str:
    return mutate(copy / "model.safetensors", rng)


def damage_config(copy: Path, rng: Any) -> str:
    return mutate_json(copy / "config.json", rng)


def check_damaged(published: Path, n: int) -> None:
    """B1, B2 without a manifest: a clean error or a model with other numbers; no crash or hang."""
    for name, damage in (("B1", damage_weights), ("B2", damage_config)):
        outcome = campaign(published, open_model, damage, n)
        print(f"{name}, published layout without a manifest: {outcome}")
        assert not outcome.wrong, outcome.wrong[:3]
        assert outcome.clean + outcome.loaded == n
        assert outcome.clean > n / 3


def test_damaged_directories(published):
    check_damaged(published, 200)


@pytest.mark.campaign
def test_campaign_of_damaged_directories(published):
    check_damaged(published, 5000)
