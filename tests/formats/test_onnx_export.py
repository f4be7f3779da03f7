"""Export to ONNX.  Authority: ONNX Runtime, on the files alone; transformers for a classifier."""

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
import transformers

from formats.small_models import (
    BERT,
    GPT,
    GPT_NEO,
    PUBLISHED_FAMILIES,
    SIZE,
    SMALL,
    TOKENIZERS,
    directory_of,
)
from formats.test_transformer_export import sentences
from nn.recurrent import SMALL as RECURRENT
from parity.peer import randomize, vary_weights
from pellucid.cli.main import main
from pellucid.config.baselines import BagOfWordsConfig, TextCNNConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.head import HeadConfig
from pellucid.decoding.generate import Request, generate
from pellucid.errors import ConfigError, UsageError, VerificationError
from pellucid.formats import onnx_export
from pellucid.formats.locate import locate
from pellucid.formats.onnx_check import check_outputs
from pellucid.formats.onnx_export import to_onnx
from pellucid.formats.onnx_graphs import build_graphs
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.embed import embed
from pellucid.inference.translate import translate
from pellucid.json_files import read_json
from pellucid.manifest import verify
from pellucid.nn.baseline import BagOfWords
from pellucid.nn.cnn import TextCNN
from pellucid.nn.dense import Dense
from pellucid.nn.model import build
from pellucid.nn.rnn import RecurrentTranslator

EXAMPLE = Path(__file__).parents[2] / "docs" / "onnx_translate.py"
TEXTS = ["the quick", "a", "brown fox jumps over 1"]
GREEDY = DecodingConfig(beam=1)


def open_session(path: Path) -> Any:
    return import_module("onnxruntime").InferenceSession(path)


@pytest.fixture(autouse=True)
def _packages():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)


def run_example(directory: Path, texts: list[str]) -> list[str]:
    """The example of the manual, in a process in which pellucid and torch cannot be imported."""
    code = "import sys, runpy; sys.modules.update(dict.fromkeys(('pellucid', 'torch')))\n"
    code += f"sys.argv[1:] = [{str(directory)!r}]; runpy.run_path({str(EXAMPLE)!r})"
    lines = "".join(f"{text}\n" for text in texts)
    child = subprocess.run(
        [sys.executable, "-c", code], input=lines, capture_output=True, text=True, encoding="utf-8"
    )
    assert child.returncode == 0, child.stderr[-900:]
    return child.stdout.split("\n")[:-1]


def test_a_translator(tmp_path, capsys):
    """The command; then the same greedy texts from the files alone, in one padded batch."""
    parts = directory_of(n_encoder_layers=1, n_decoder_layers=1, max_length=100)
    save_bundle(tmp_path / "run", parts)
    command = ["export", str(tmp_path / "run"), str(tmp_path / "out"), "--to", "onnx"]
    assert main(command) == 0
    message = capsys.readouterr()
    files = "for ONNX Runtime in fp32: decoder_model.onnx, encoder_model.onnx."
    assert message.out == f"Wrote {command[1]} to {command[2]}, {files}\n"
    limit = "max_length=0: transformers has no limit relative to the source; max_length=100 is"
    assert message.err == f"{limit} written instead\ntexts of at most 100 tokens\n"
    verify(tmp_path / "out")
    assert main(command) == 3
    expected = [best.text for best, *_ in translate(parts, TEXTS, GREEDY)]
    assert run_example(tmp_path / "out", TEXTS) == expected
    assert len(set(expected)) == 3, "equal texts prove little"
    assert min(map(len, expected)) > 3, "short texts prove little"


def test_a_language_model(tmp_path):
    """Greedy continuations of prompts that are padded on the left, from the file alone."""
    parts = directory_of(n_encoder_layers=0, n_decoder_layers=1, positions="learned", windows=(5,))
    parts = replace(parts, roles=Roles())
    special = parts.special_ids
    to_onnx(tmp_path / "out", parts)
    prompts = [[5, 9, 7, 30, 11, 8, 21], [8, 4], [17]]
    request = Request(prompts, continues_source=True)
    config = DecodingConfig(beam=1, max_length=20, batch_size=1)
    expected = [list(best.ids) for best, *_ in generate(parts.model, request, special, config)]
    session = open_session(tmp_path / "out" / "model.onnx")
    names = [each.name for each in session.get_inputs()]
    empty = [np.zeros((3, x.shape[1], 0, x.shape[3]), np.float32) for x in session.get_inputs()[2:]]
    mask = np.array([[0] * (7 - len(p)) + [1] * len(p) for p in prompts])
    tokens = np.array([[0] * (7 - len(p)) + p for p in prompts])
    written: list[np.ndarray] = []
    states = empty
    for _ in range(20):
        feeds = dict(zip(names, [tokens, mask, *states], strict=True))
        logits, *states = session.run(None, feeds)
        logits[..., list(special.banned)] = -np.inf
        tokens = logits[:, -1:].argmax(-1)
        mask = np.pad(mask, ((0, 0), (0, 1)), constant_values=1)
        written.append(tokens)
    for row, text in zip(np.concatenate(written, 1).tolist(), expected, strict=True):
        assert (row[: row.index(2)] if 2 in row else row) == text
    assert len(set(map(tuple, expected))) == 3, "equal texts prove little"
    settings = read_json(tmp_path / "out" / "generation_config.json")
    assert settings["suppress_tokens"] == sorted(special.banned)


@pytest.mark.parametrize(
    ("dtype", "limit", "files"),
    [
        ("fp32", 1 << 30, {"model.onnx"}),
        ("int8", 1 << 30, {"model.onnx"}),
        ("fp32", 12_000, {"model.onnx", "model.onnx.data"}),
        ("int8", 12_000, {"model.onnx"}),
        ("int8", 0, {"model.onnx", "model.onnx.data"}),
    ],
)
def test_a_classifier(dtype, limit, files, tmp_path, monkeypatch):
    """More and longer texts than those that were traced, some padded, with segments.

    limit: bytes of weights in one file.
    """
    monkeypatch.setattr(onnx_export, "MAX_FILE", limit)
    config = transformers.BertConfig(**BERT, num_labels=3, id2label={0: "a", 1: "b", 2: "c"})
    reference = vary_weights(transformers.BertForSequenceClassification(config))
    reference.save_pretrained(tmp_path / "imported")
    parts = replace(open_model(tmp_path / "imported"), tokenizers=TOKENIZERS)
    n_bytes = 4 * sum(p.numel() for p in parts.model.parameters())
    assert 12_000 < n_bytes < 4 * 12_000
    notes = to_onnx(tmp_path / "out", parts, dtype)
    assert {path.name for path in (tmp_path / "out").glob("*.onnx*")} == files
    session = open_session(tmp_path / "out" / "model.onnx")
    rng = torch.Generator().manual_seed(1)
    ids = torch.randint(SIZE, (9, 31), generator=rng)
    mask = (torch.arange(31) < torch.tensor([31, 30, 17, 9, 4, 3, 2, 1, 31])[:, None]).long()
    segments = torch.randint(2, (9, 31), generator=rng)
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
    (logits,) = session.run(["logits"], {name: x.numpy() for name, x in feeds.items()})
    with torch.no_grad():
        expected = reference(**feeds).logits
    if dtype == "fp32":
        torch.testing.assert_close(torch.from_numpy(logits), expected, atol=1e-4, rtol=0)
        assert notes == []
    else:
        difference = (torch.from_numpy(logits) - expected).norm() / expected.norm()
        assert 1e-4 < difference < 0.1
        assert notes[0].startswith("int8 changes the outputs by ")
        assert count_products(tmp_path / "out" / "model.onnx") == 0
    settings = read_json(tmp_path / "out" / "config.json")
    assert settings["id2label"] == {"0": "a", "1": "b", "2": "c"}
    assert settings["architectures"] == ["BertForSequenceClassification"]
    assert expected.std(0).min() > 0.1, "equal logits prove little"
    other: Any = randomize(open_model(tmp_path / "imported").model, seed=9)
    graphs = build_graphs(parts, other)
    with pytest.raises(VerificationError, match="gives other numbers than this model"):
        check_outputs(tmp_path / "out", replace(parts, model=other), graphs, dtype)


def count_products(path: Path) -> int:
    """The number of matrix products with weights in floating point."""
    graph = import_module("onnx").load(path).graph
    weights = {each.name for each in graph.initializer}
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    assert products, "attention has products without weights"
    return sum(any(name in weights for name in node.input) for node in products)


def test_refusals_say_why(tmp_path, monkeypatch):
    """Recurrent models, CRFs, an int8 that no format has, and missing packages."""
    parts, out = directory_of(), tmp_path / "out"
    recurrent = replace(parts, model=RecurrentTranslator(RECURRENT), family="rnn")
    with pytest.raises(ConfigError, match=r"family 'rnn' has no export to ONNX.*recurrence"):
        to_onnx(out, recurrent)
    head = HeadConfig(kind="token", outputs=2, crf=True)
    tagger = replace(parts, model=build(parts.model.config, seed=0, heads={"tagger": head}))
    with pytest.raises(ConfigError, match="head tagger has a CRF"):
        to_onnx(out, tagger)
    c = replace(parts.model.config, n_decoder_layers=0, character_ngrams=3)
    with pytest.raises(ConfigError, match="character_ngrams: the number of n-grams depends"):
        to_onnx(out, replace(parts, model=build(c, seed=0, heads={})))
    save_bundle(tmp_path / "run", parts)
    assert main(["export", str(tmp_path / "run"), str(out), "--dtype", "int8"]) == 2
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match=r"pip install 'pellucid\[export\]'"):
        to_onnx(out, parts)
    assert not out.exists()


MORE_CLASSES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "two heads": ("BertForPreTraining", "BertConfig", BERT),
    "spans": ("RobertaForQuestionAnswering", "RobertaConfig", {**BERT, "pad_token_id": 0}),
    "tags": ("ElectraForTokenClassification", "ElectraConfig", {**BERT, "embedding_size": 8}),
    "shared layers": ("AlbertForMaskedLM", "AlbertConfig", {**BERT, "embedding_size": 8}),
    "scores": ("ElectraForPreTraining", "ElectraConfig", {**BERT, "embedding_size": 8}),
    "windows": ("GPTNeoForCausalLM", "GPTNeoConfig", {**GPT_NEO, "window_size": 3}),
    "last token": ("GPT2ForSequenceClassification", "GPT2Config", GPT),
    "end token": ("BartForSequenceClassification", "BartConfig", SMALL),
    "states of a decoder": ("BartModel", "BartConfig", SMALL),
}


@pytest.mark.campaign
@pytest.mark.parametrize("name", [*PUBLISHED_FAMILIES, *MORE_CLASSES])
def test_published_families(name, tmp_path):
    """Written only if ONNX Runtime computes the same as our model, which parity tests compare."""
    kind, config, settings = (PUBLISHED_FAMILIES | MORE_CLASSES)[name]
    made = getattr(transformers, kind)(getattr(transformers, config)(**settings))
    randomize(made).save_pretrained(tmp_path / "imported")
    parts = replace(open_model(tmp_path / "imported"), tokenizers=TOKENIZERS)
    to_onnx(tmp_path / "out", parts)
    verify(tmp_path / "out")


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("module", "config", "pool"),
    [(TextCNN, TextCNNConfig, "max"), (BagOfWords, BagOfWordsConfig, "mean")],
)
def test_baselines(module, config, pool, tmp_path):
    """Written only if ONNX Runtime computes the same as our model."""
    c = config(vocab_size=SIZE)
    heads = {"classifier": HeadConfig(kind="sequence", outputs=3, pool=pool)}
    model = vary_weights(module(c, heads))
    parts = replace(directory_of(), model=model, model_config=c, family=module.__name__)
    assert to_onnx(tmp_path / "out", parts) == []
    assert (tmp_path / "out" / "model.onnx").is_file()


@pytest.mark.campaign
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_vectors_of_texts(pooling, tmp_path):
    """Those of `embed`, after a dense layer, divided by their norms."""
    parts = directory_of(n_decoder_layers=0, positions="learned", norm_place="pre")
    config = EmbeddingConfig(pooling=pooling, normalize=True)
    dense = vary_weights(Dense(16, 12, True, torch.nn.Tanh()))
    model = vary_weights(build(parts.model.config, seed=0))
    parts = replace(parts, model=model, embedding=config, dense=(dense,))
    to_onnx(tmp_path / "out", parts)
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    library.enable_padding(pad_id=0)
    rows = library.encode_batch(TEXTS)
    feeds = {
        "input_ids": np.array([row.ids for row in rows]),
        "attention_mask": np.array([row.attention_mask for row in rows]),
    }
    session = open_session(tmp_path / "out" / "model.onnx")
    (vectors,) = session.run(["sentence_embedding"], feeds)
    torch.testing.assert_close(torch.from_numpy(vectors), embed(parts, TEXTS), atol=1e-5, rtol=0)


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["en-de", "zh-en"])
def test_shipped_translators(name, tmp_path):
    """The same greedy texts of sentences of the built-in corpus."""
    bundle = open_model(locate(name))
    to_onnx(tmp_path / "out", bundle)
    texts = sentences(name, 200)
    expected = [best.text for best, *_ in translate(bundle, texts, GREEDY)]
    assert run_example(tmp_path / "out", texts) == expected
