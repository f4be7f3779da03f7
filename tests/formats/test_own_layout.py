"""Authority: the saved model itself, bit by bit; for damage: nothing loads silently."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from formats.damage import Outcome, campaign, mutate, mutate_json, reseal
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError, DataError, PellucidError, VerificationError
from pellucid.formats.bundle import Bundle
from pellucid.formats.own_layout import load_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.nn.model import build
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizer

TEXT = ["the dog sleeps", "the cat sleeps under the table", "der Hund schläft", "我爱你。"]


def find_parts(**shape) -> Bundle:
    tokenizer = train_tokenizer(
        TEXT * 3, TokenizerConfig(kind="char", vocab_size=64, min_frequency=1)
    )
    sizes = {"d_model": 8, "n_encoder_layers": 2, "n_decoder_layers": 1, "n_heads": 2, "d_ff": 12}
    config = ModelConfig(vocab_size=tokenizer.vocab_size, **{**sizes, **shape})
    return Bundle(
        model=build(config, seed=1),
        model_config=config,
        tokenizers=Tokenizers(tokenizer, tokenizer),
        task="translation",
        roles=Roles(forced_first="de"),
        decoding=DecodingConfig(beam=4, length_norm="gnmt", alpha=0.6),
        languages=("en", "de"),
        longest_source=60,
        card="# Tiny\nÜber nichts.\n",
    )


@pytest.fixture(scope="module")
def parts():
    return find_parts()


@pytest.fixture(scope="module")
def saved(parts, tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved") / "tiny"
    save_bundle(directory, parts)
    return directory


@pytest.fixture
def copied(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "copied"))


SHAPES = (
    {},
    {"tie_embeddings": "decoder", "positions": "learned", "max_length": 20},
    {"tie_embeddings": "none", "norm_place": "pre"},
    {"n_encoder_layers": 0},
    {"n_decoder_layers": 0},
)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_saved_is_loaded(tmp_path, shape):
    parts = find_parts(**shape)
    save_bundle(tmp_path / "m", parts)
    loaded = load_model(tmp_path / "m")
    for name in ("model_config", "task", "roles", "decoding", "languages", "card"):
        assert getattr(loaded, name) == getattr(parts, name), name
    state = loaded.model.state_dict()
    for name, tensor in parts.model.state_dict().items():
        assert torch.equal(state[name], tensor), name
    assert len(list(loaded.model.parameters())) == len(list(parts.model.parameters()))  # ties
    assert not loaded.model.training
    for text in TEXT:
        actual, reference = (
            loaded.tokenizers.source.encode(text),
            parts.tokenizers.source.encode(text),
        )
        assert actual == reference
    ids = torch.tensor([[4, 5, 6]])
    parts.model.eval()
    target = ids if shape.get("n_decoder_layers", 1) and shape.get("n_encoder_layers", 1) else None
    assert torch.equal(loaded.model(ids, None, target), parts.model(ids, None, target))


@pytest.mark.parametrize("dtype", ["fp16", "bf16", "int8"])
def test_fewer_bits_are_close_and_smaller(parts, saved, tmp_path, dtype):
    save_bundle(tmp_path / "m", parts, dtype)
    loaded = load_model(tmp_path / "m")
    for name, tensor in parts.model.state_dict().items():
        assert (
            loaded.model.state_dict()[name] - tensor
        ).abs().max() <= 0.005 * tensor.abs().max(), name
    size = {d: (d / "model.safetensors").stat().st_size for d in (saved, tmp_path / "m")}
    assert size[tmp_path / "m"] < size[saved]
    assert json.loads((tmp_path / "m" / "manifest.json").read_text())["facts"]["dtype"] == dtype


def test_the_same_parts_give_the_same_bytes(parts, saved, tmp_path):
    save_bundle(tmp_path / "again", parts)
    for path in saved.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_only_a_model_directory_is_replaced(parts, tmp_path):
    save_bundle(tmp_path / "m", parts)
    save_bundle(tmp_path / "m", replace(parts, card="second"))
    assert load_model(tmp_path / "m").card == "second"
    (tmp_path / "m" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="already exists"):
        save_bundle(tmp_path / "m", parts)
    assert (tmp_path / "m" / "thesis.txt").exists()


def change_config(directory: Path, **changes) -> None:
    path = directory / "config.json"
    config = json.loads(path.read_text())
    model = {key: changes.pop(key) for key in list(changes) if key in config["model"]}
    config["model"].update(model)
    path.write_text(json.dumps({**config, **changes}))
    reseal(directory)


REFUSED = {
    "published": ({"model_type": "marian"}, VerificationError, "'marian', neither pellucid's"),
    "newer": ({"format": 2}, VerificationError, "newer pellucid. Upgrade"),
    "unknown key": ({"auto_map": {"x": "evil.py"}}, ConfigError, "auto_map"),
    "10^9 layers": ({"n_encoder_layers": 10**9}, ConfigError, "layers"),
    "1,000 layers": ({"n_encoder_layers": 1000}, VerificationError, "1000 encoder layers.*holds 2"),
    "a layer less": ({"n_encoder_layers": 1}, VerificationError, "1 encoder layers.*holds 2"),
    "wider": (
        {"d_model": 16},
        VerificationError,
        r"is \(8, 8\), the model has \(16, 16\).*and 51 more",
    ),
    "widest": ({"d_ff": 1_048_576}, VerificationError, "1048576"),
    "other vocabulary": ({"vocab_size": 10}, VerificationError, "the source tokenizer knows"),
    "untied": ({"tie_embeddings": "none"}, VerificationError, "heads.lm.output.weight is missing"),
    "long": (
        {"positions": "learned", "max_length": 10**7},
        VerificationError,
        r"encoder\.embedding\.positions\.weight is missing",
    ),
    "endless": ({"positions": "learned", "max_length": 10**9}, ConfigError, "max_length"),
    "odd": ({"d_model": 9}, ConfigError, "divisible"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_config_that_does_not_fit_is_refused(copied, name):
    changes, error, message = REFUSED[name]
    change_config(copied, **changes)
    with pytest.raises(error, match=message):
        load_model(copied)


def test_a_directory_of_another_tool_is_called_that(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(VerificationError, match=r"model_type is 'bert', neither"):
        load_model(tmp_path)
    with pytest.raises(DataError, match="is not a directory"):
        load_model(tmp_path / "none")


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "model.safetensors", "README.md"]
)
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(VerificationError, match=f"{name} is missing"):
        load_model(copied)
    reseal(copied)
    with pytest.raises(PellucidError, match=name):
        load_model(copied)


def test_weights_that_are_not_finite_are_refused(copied):
    tensors = load_file(copied / "model.safetensors")
    tensors["encoder.embedding.weight"][3, 1] = float("nan")
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    reseal(copied)
    with pytest.raises(VerificationError, match=r"encoder\.embedding\.weight holds values"):
        load_model(copied)


def test_shapes_are_compared_before_any_tensor_is_read(copied):
    tensors = load_file(copied / "model.safetensors")
    tensors["encoder.embedding.weight"][3, 1] = float("nan")  # noticed only by who reads it
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    change_config(copied, d_ff=1_048_576)
    with pytest.raises(VerificationError, match="do not fit the model"):
        load_model(copied)


def damage_a_file(directory: Path, rng: random.Random) -> str:
    path = rng.choice(sorted(directory.iterdir()))
    return f"{path.name}: {mutate(path, rng)}"


def damage_weights_and_manifest(directory: Path, rng: random.Random) -> str:
    what = mutate(directory / "model.safetensors", rng)
    reseal(directory)
    return what


def damage_settings(directory: Path, rng: random.Random) -> str:
    path = directory / rng.choice(("config.json", "generation_config.json"))
    what = mutate_json(path, rng)
    reseal(directory)
    return f"{path.name}: {what}"


def check_damaged(saved: Path, n: int) -> None:
    """B1: everything is a clean refusal, nothing loads, hangs or dies."""
    outcome = campaign(saved, load_model, damage_a_file, n)
    print(f"B1: {outcome}")
    assert outcome == Outcome(clean=n, loaded=0), outcome


def check_resealed(saved: Path, n: int) -> None:
    """B1 where the manifest was renewed after the damage, and B2: no crash, no hang, 64 MB."""
    for name, damage in (("B1 resealed", damage_weights_and_manifest), ("B2", damage_settings)):
        outcome = campaign(saved, load_model, damage, n, memory=64 << 20)
        print(f"{name}: {outcome}")
        assert outcome.clean + outcome.loaded == n, outcome
        assert outcome.clean > n / 3


def test_damaged_directories(saved):
    check_damaged(saved, 1000)


def test_damaged_directories_with_a_fitting_manifest(saved):
    check_resealed(saved, 500)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_campaign_b1_b2(saved):
    check_damaged(saved, 10_000)
    check_resealed(saved, 5_000)
