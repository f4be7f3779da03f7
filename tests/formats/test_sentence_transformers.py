"""Directories of sentence embeddings.

Authority: transformers' tokenizer and model, and the definitions of sentence-transformers' modules
(version 6, `base/modules/` and `modules/pooling.py`) written out here on one text at a time.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import normalizers
from torch import nn

import pellucid
from parity.peer import assert_close, randomize
from pellucid.cli.main import main
from pellucid.errors import ConfigError, DataError
from pellucid.formats.hub import select_files
from pellucid.formats.sentence_transformers import read_steps
from text.published.samples import wordpiece

TYPE = "sentence_transformers.models."
BOTH = "sentence_transformers.sentence_transformer.modules.pooling.Pooling"
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
CLS = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
LONG = "The DOG sleeps under a Table because it was tired and the night was long."
TEXTS = [LONG, "A House.", "the cat"]
PROMPTS = {"prompts": {"query": "Query: "}, "default_prompt_name": "query"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A cased BERT of transformers with its tokenizer, without any step."""
    directory = tmp_path_factory.mktemp("bert")
    wordpiece(directory, tokenizer_class="BertTokenizer", do_lower_case=False)
    size = len((directory / "vocab.txt").read_text().split("\n")) - 1
    config = transformers.BertConfig(
        vocab_size=size,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
    )
    randomize(transformers.BertModel(config)).save_pretrained(directory)
    return directory


def steps(*names: str) -> list[dict[str, str]]:
    kinds = ("Transformer", "Pooling", *names)
    return [
        {"path": f"{i}_{kind}" if i else "", "type": TYPE + kind} for i, kind in enumerate(kinds)
    ]


def write(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


def make(bare: Path, directory: Path, files: dict[str, Any]) -> Path:
    """The directory with these settings files, a usual one where none is given."""
    shutil.copytree(bare, directory)
    usual = {"modules.json": steps(), "1_Pooling/config.json": MEAN}
    for name, value in {**usual, **files}.items():
        if value is not None:
            write(directory / name, value)
    return directory


def dense(directory: Path, shape: tuple[int, int], seed: int, **config: Any) -> Path:
    """A folder of a map with these settings and random weights."""
    rng = torch.Generator().manual_seed(seed)
    n_in, n_out = shape
    tensors = {"linear.weight": torch.randn(n_out, n_in, generator=rng)}
    if config.get("bias", True):
        tensors["linear.bias"] = torch.randn(n_out, generator=rng)
    if config.get("use_residual") and n_in != n_out:
        tensors["residual.weight"] = torch.randn(n_out, n_in, generator=rng)
    write(directory / "config.json", {"in_features": n_in, "out_features": n_out, **config})
    save_file(tensors, directory / "model.safetensors")
    return directory


class Expected:
    """The vector of one text by the definitions of the modules."""

    def __init__(self, directory: Path, lower: bool = False, longest: int = 40) -> None:
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
        if lower:
            backend = self.tokenizer.backend_tokenizer
            backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), backend.normalizer])
        self.model = transformers.BertModel.from_pretrained(directory).eval()
        self.longest = longest

    @torch.no_grad()
    def states(self, text: str) -> torch.Tensor:
        """(T, D)"""
        ids = self.tokenizer(text, truncation=True, max_length=self.longest)["input_ids"]
        return self.model(torch.tensor([ids])).last_hidden_state[0]


def mean(x: torch.Tensor) -> torch.Tensor:
    return x.mean(0)


def first(x: torch.Tensor) -> torch.Tensor:
    return x[0]


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm()


NEW = "sentence_transformers.base.modules"
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
    # settings files; how the text is read; states -> vector
    "mean": ({}, {}, mean),
    "cls": ({"1_Pooling/config.json": CLS}, {}, first),
    "max": (
        {
            "1_Pooling/config.json": {
                **CLS,
                "pooling_mode_cls_token": False,
                "pooling_mode_max_tokens": True,
            }
        },
        {},
        lambda x: x.amax(0),
    ),
    "none": ({"1_Pooling/config.json": {"word_embedding_dimension": 8}}, {}, mean),
    "one-word": (
        {"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": "cls"}},
        {},
        first,
    ),
    "one-word-wins": ({"1_Pooling/config.json": {**MEAN, "pooling_mode": ["cls"]}}, {}, first),
    "folder": (
        {
            "modules.json": [*steps()[:1], {"path": "pooling", "type": BOTH}],
            "pooling/config.json": CLS,
        },
        {},
        first,
    ),
    "normalize": ({"modules.json": steps("Normalize")}, {}, lambda x: unit(mean(x))),
    "new-names": (
        {
            "modules.json": [
                {"path": "", "type": f"{NEW}.transformer.Transformer"},
                {"path": "1_Pooling", "type": BOTH},
                {"path": "2_Normalize", "type": f"{NEW}.normalize.Normalize"},
            ],
            "2_Normalize/config.json": {
                "module_input_name": "sentence_embedding",
                "module_output_name": "sentence_embedding",
            },
            "sentence_bert_config.json": {
                "transformer_task": "feature-extraction",
                "modality_config": {
                    "text": {"method": "forward", "method_output_name": "last_hidden_state"}
                },
                "module_output_name": "token_embeddings",
            },
            "config_sentence_transformers.json": {
                "__version__": {"sentence_transformers": "6.2.0"},
                "model_type": "SentenceTransformer",
                "prompts": {"query": "", "document": ""},
                "default_prompt_name": None,
                "similarity_fn_name": "cosine",
            },
        },
        {},
        lambda x: unit(mean(x)),
    ),
    "lower": ({"sentence_bert_config.json": {"do_lower_case": True}}, {"lower": True}, mean),
    "cut": ({"sentence_bert_config.json": {"max_seq_length": 9}}, {"longest": 9}, mean),
    "cut-roberta": ({"sentence_roberta_config.json": {"max_seq_length": 9}}, {"longest": 9}, mean),
    "cut-tokenizer": (
        {"tokenizer_config.json": {"do_lower_case": False, "model_max_length": 8}},
        {"longest": 8},
        mean,
    ),
    "no-limit": (
        {"tokenizer_config.json": {"do_lower_case": False, "model_max_length": 1e30}},
        {},
        mean,
    ),
    "prompt": ({"config_sentence_transformers.json": PROMPTS}, {"prompt": "Query: "}, mean),
    "prompt-unpooled": (
        {
            "config_sentence_transformers.json": PROMPTS,
            "1_Pooling/config.json": {**MEAN, "include_prompt": False},
        },
        {"prompt": "Query: ", "pool_prompt": False},
        mean,
    ),
    "prompt-unpooled-cls": (
        {
            "config_sentence_transformers.json": PROMPTS,
            "1_Pooling/config.json": {**CLS, "include_prompt": False},
            "sentence_bert_config.json": {"do_lower_case": True},
        },
        {"prompt": "Query: ", "pool_prompt": False, "lower": True},
        first,
    ),
    "prompts-without-default": (
        {"config_sentence_transformers.json": {"prompts": {"query": "Query: "}}},
        {},
        mean,
    ),
}


def wanted_vectors(directory: Path, reading: dict[str, Any], pool: Any) -> torch.Tensor:
    """What the modules give by their definitions."""
    reading = dict(reading)
    prompt, pools = reading.pop("prompt", ""), reading.pop("pool_prompt", True)
    expected = Expected(directory, **reading)
    skip = 0 if pools else len(expected.tokenizer(prompt)["input_ids"]) - 1
    return torch.stack([pool(expected.states(prompt + text)[skip:]) for text in TEXTS])


def check_every_way(directory: Path, expected_values: torch.Tensor, out: Path) -> None:
    """The same vectors opened, imported, and exported."""
    imported, exported = out / "imported", out / "exported"
    assert_close(pellucid.load(directory, device="cpu").embed(TEXTS), expected_values)
    assert main(["import", str(directory), str(imported)]) == 0
    assert_close(pellucid.load(imported, device="cpu").embed(TEXTS), expected_values)
    assert main(["export", str(imported), str(exported)]) == 0
    assert_close(pellucid.load(exported, device="cpu").embed(TEXTS), expected_values)


@pytest.mark.parametrize("case", CASES)
def test_vectors_are_those_of_the_modules(case, bare, tmp_path):
    files, reading, pool = CASES[case]
    directory = make(bare, tmp_path / "source", files)
    expected_values = wanted_vectors(directory, reading, pool)
    if reading or pool is not mean:
        plain = wanted_vectors(directory, {}, mean)
        assert (expected_values - plain).abs().max() > 1e-3, (
            "a case that changes nothing proves nothing"
        )
    check_every_way(directory, expected_values, tmp_path)


def test_dense_maps_are_applied_in_their_order(bare, tmp_path):
    files = {"modules.json": steps("Dense", "Dense", "Dense", "Normalize")}
    directory = make(bare, tmp_path / "source", files)
    tanh, gelu, identity = "activation.Tanh", "activation.GELU", "linear.Identity"
    shapes = ((8, 5), (5, 5), (5, 3))
    options: list[dict[str, Any]] = [
        {"activation_function": f"torch.nn.modules.{tanh}", "bias": True},
        {"activation_function": f"torch.nn.modules.{gelu}", "bias": False, "use_residual": True},
        {"activation_function": f"torch.nn.modules.{identity}", "use_residual": True},
    ]
    for i, (shape, config) in enumerate(zip(shapes, options, strict=True), 2):
        dense(directory / f"{i}_Dense", shape, i, **config)
    x = wanted_vectors(directory, {}, mean)
    maps = [load_file(directory / f"{i}_Dense" / "model.safetensors") for i in (2, 3, 4)]
    x = torch.tanh(x @ maps[0]["linear.weight"].T + maps[0]["linear.bias"])
    x = x + nn.functional.gelu(x @ maps[1]["linear.weight"].T)
    x = x @ maps[2]["linear.weight"].T + maps[2]["linear.bias"] + x @ maps[2]["residual.weight"].T
    check_every_way(directory, x / x.norm(dim=1, keepdim=True), tmp_path)


def test_a_map_in_a_pickle_is_imported(bare, tmp_path):
    directory = make(bare, tmp_path / "a", {"modules.json": steps("Dense")})
    dense(directory / "2_Dense", (8, 4), 0)
    expected_values = pellucid.load(directory, device="cpu").embed(TEXTS)
    for folder in (directory, directory / "2_Dense"):
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    assert main(["import", str(directory), str(tmp_path / "b"), "--from-pickle"]) == 0
    assert_close(pellucid.load(tmp_path / "b", device="cpu").embed(TEXTS), expected_values)


def test_an_export_keeps_all_prompts(bare, tmp_path):
    reported = {"prompts": {"query": "Query: ", "passage": "P: "}, "similarity_fn_name": "dot"}
    directory = make(bare, tmp_path / "a", {"config_sentence_transformers.json": reported})
    assert main(["export", str(directory), str(tmp_path / "b")]) == 0
    kept = json.loads((tmp_path / "b" / "config_sentence_transformers.json").read_text())
    assert kept == {**reported, "default_prompt_name": None}


def test_a_prompt_can_be_given(bare, tmp_path):
    model = pellucid.load(make(bare, tmp_path / "a", {}), device="cpu")
    assert_close(model.embed(["dog"], prompt="the "), model.embed(["the dog"]))


POOL = "1_Pooling/config.json"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"sentence_bert_config.json": []}, r"bert_config\.json is not a JSON object"),
    ({"modules.json": {}}, r"modules\.json is not a list"),
    ({POOL: {"pooling_mode_weightedmean_tokens": True}}, r"pooling_mode=\['weightedmean'\]"),
    ({POOL: {**CLS, "pooling_mode_mean_tokens": True}}, r"pooling_mode=\['cls', 'mean'\]"),
    ({POOL: {"pooling_mode": "lasttoken"}}, "pooling_mode=.*lasttoken"),
    ({POOL: {"pooling_mode": {"a": 1}}}, "pooling_mode="),
    ({POOL: {**MEAN, "include_prompt": "no"}}, "include_prompt='no' is not supported"),
    ({POOL: {**MEAN, "temperature": 2}}, "temperature='2' is not supported"),
    ({"modules.json": steps("LayerNorm")}, "Transformer, Pooling, LayerNorm"),
    ({"modules.json": steps("Normalize", "Dense")}, "Pooling, Normalize, Dense"),
    ({"modules.json": steps()[:1]}, "its steps are Transformer"),
    (
        {"modules.json": [{"path": "0_T", "type": TYPE + "Transformer"}, steps()[1]]},
        "path is '0_T'",
    ),
    ({"modules.json": [{"type": "custom_st.Transformer"}, steps()[1]]}, "'custom_st.Transformer'"),
    ({"modules.json": [*steps()[:1], {"path": "../a", "type": TYPE + "Pooling"}]}, "'../a'"),
    ({"modules.json": [*steps()[:1], {"path": 3, "type": TYPE + "Pooling"}]}, "path '3'"),
    (
        {
            "modules.json": steps("Normalize"),
            "2_Normalize/config.json": {"module_input_name": "token_embeddings"},
        },
        "module_input_name='token_embeddings'",
    ),
    ({"sentence_bert_config.json": {"max_seq_length": -1}}, "limit is '-1'"),
    ({"sentence_bert_config.json": {"max_seq_length": "9"}}, "limit is '9'"),
    ({"sentence_bert_config.json": {"do_lower_case": 1}}, "do_lower_case='1'"),
    ({"sentence_bert_config.json": {"transformer_task": "fill-mask"}}, "transformer_task="),
    ({"sentence_bert_config.json": {"tokenizer_args": {"do_lower_case": True}}}, "tokenizer_args="),
    ({"config_sentence_transformers.json": {"truncate_dim": 4}}, "truncate_dim='4'"),
    ({"config_sentence_transformers.json": {"model_type": "SparseEncoder"}}, "SparseEncoder"),
    (
        {"config_sentence_transformers.json": {**PROMPTS, "default_prompt_name": "q"}},
        "default_prompt_name='q' is not one of its prompts: query",
    ),
    ({"config_sentence_transformers.json": {"prompts": {"query": 3}}}, "prompts must be a table"),
]


@pytest.mark.parametrize(("files", "message"), REFUSED)
def test_what_is_not_honoured_is_refused_by_name(files, message, bare, tmp_path):
    directory = make(bare, tmp_path / "a", files)
    with pytest.raises(ConfigError, match=message):
        read_steps(directory, 8)
    assert main(["import", str(directory), str(tmp_path / "b")]) in (3, 4)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"activation_function": "mine.Swish"}, "activation_function='mine.Swish'"),
        ({"module_input_name": "token_embeddings"}, "module_input_name='token_embeddings'"),
        ({"in_features": 7}, "in_features=7, but the vectors before it have 8"),
    ],
)
def test_an_unsupported_dense_layer_is_refused(config, message, bare, tmp_path):
    directory = make(bare, tmp_path / "a", {"modules.json": steps("Dense")})
    dense(directory / "2_Dense", (8, 4), 0, **config)
    with pytest.raises(ConfigError, match=message):
        read_steps(directory, 8)


def test_a_missing_file_is_named(bare, tmp_path):
    directory = make(bare, tmp_path / "a", {"modules.json": steps("Dense")})
    with pytest.raises(DataError, match=r"2_Dense/config\.json is missing"):
        read_steps(directory, 8)


def test_the_files_of_steps_are_fetched():
    names = ["config.json", "model.safetensors", "modules.json", "1_Pooling/config.json"]
    names += ["2_Dense/config.json", "2_Dense/model.safetensors"]
    names += ["config_sentence_transformers.json", "sentence_xlm-roberta_config.json"]
    unwanted = ["2_Dense/pytorch_model.bin", "onnx/model.onnx", "onnx/config.json"]
    assert select_files([*names, *unwanted]) == sorted(names)
    with pytest.raises(DataError, match=r"no config\.json with safetensors"):
        select_files(["config.json", "2_Dense/model.safetensors"])
