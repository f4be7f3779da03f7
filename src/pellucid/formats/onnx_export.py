"""Export a model to ONNX, then compare the outputs of ONNX Runtime with the model's."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch

from pellucid.errors import ConfigError, UsageError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.files import publish
from pellucid.formats.bundle import Bundle
from pellucid.formats.generation_config import NAME as GENERATION
from pellucid.formats.huggingface import build_hf_config
from pellucid.formats.label_settings import write_labels
from pellucid.formats.onnx_check import check_outputs
from pellucid.formats.onnx_graphs import VECTOR, Graph, build_graphs
from pellucid.formats.special_ids import NO_END
from pellucid.formats.to_published import to_published
from pellucid.formats.write_generation import to_generation_config
from pellucid.json_files import dump_json
from pellucid.nn.base import Model
from pellucid.nn.baseline import BagOfWords
from pellucid.nn.cnn import TextCNN
from pellucid.nn.model import Transformer

Precision = Literal["fp32", "int8"]
MISSING = "ONNX needs onnx, onnxscript and onnxruntime: pip install 'pellucid[export]'."
SUPPORTED = (Transformer, TextCNN, BagOfWords)
MAX_FILE = 1 << 30
"""Bytes of weights in one file; more go to a second file, because protobuf ends at 2 GiB."""
TRACED_SIZES = {"batch": 2, "length": 3, "past": 4, "source": 5, "total": 7}
"""Sizes of the example that is traced. All differ, and none is 0 or 1, which would be constants."""


def to_onnx(directory: Path, bundle: Bundle, dtype: Precision = "fp32") -> list[str]:
    """Write a model for ONNX Runtime with its tokenizer files and settings; return notes.

    A translator becomes encoder_model.onnx and decoder_model.onnx, any other model model.onnx.
    dtype: int8 stores the weights of linear layers and embeddings in 8 bits.
    Raises: UsageError if a package or the tokenizer is missing; ConfigError if the model cannot be
    traced; VerificationError if the outputs differ; DataError if the directory exists.
    """
    try:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            import_module(name)
    except ImportError as error:
        raise UsageError(MISSING) from error
    model = _check_supported(bundle)
    settings, notes = _list_settings(bundle)
    with publish(directory) as temp, _no_messages():
        bundle.tokenizers.save(temp)
        graphs = build_graphs(bundle, model)
        for graph in graphs:
            path = temp / f"{graph.name}.onnx"
            n_bytes = sum(p.numel() * p.element_size() for p in graph.module.parameters())
            _write_graph(graph, path, separate=n_bytes > MAX_FILE)
            if dtype == "int8":
                _quantize(path, separate=n_bytes // 4 > MAX_FILE)
        for name, content in settings.items():
            (temp / name).write_bytes(dump_json(content))
        notes += _list_omissions(bundle, graphs)
        return [*check_outputs(temp, bundle, graphs, dtype), *notes]


def _check_supported(bundle: Bundle) -> Model:
    """Raises: ConfigError naming what has no form in ONNX."""
    model = bundle.model
    if type(model) not in SUPPORTED:
        raise ConfigError(
            f"a model of family {bundle.family!r} has no export to ONNX: a recurrence over tokens,"
            " or a memory of earlier segments, is no graph of tensors of any length."
        )
    if getattr(model.config, "character_ngrams", 0):
        raise ConfigError(
            "character_ngrams: the number of n-grams depends on the words of a text, but the sizes"
            " in an ONNX graph depend on batch and length alone. Train with character_ngrams=0."
        )
    for name, head in model.head_configs.items():
        if head.crf:
            raise ConfigError(
                f"head {name} has a CRF, which finds the best sequence of tags after the model; an"
                " ONNX graph has no such search. Train the tagger with crf=false."
            )
    return model


def _write_graph(graph: Graph, path: Path, *, separate: bool) -> None:
    """Trace a graph with symbols for the sizes that differ between calls, and write it.

    separate: whether the weights go to a second file, with `.data` after its name.
    """
    tensors = tuple(
        torch.ones(shape, dtype=torch.int64) if each.n_ids else torch.zeros(shape)
        for each in graph.inputs
        for shape in [[TRACED_SIZES[n] if isinstance(n, str) else n for n in each.shape]]
    )
    axes = tuple(
        {i: n for i, n in enumerate(each.shape) if isinstance(n, str)} for each in graph.inputs
    )
    program: Any = torch.onnx.export(
        graph.module,
        tensors,
        input_names=[each.name for each in graph.inputs],
        output_names=list(graph.outputs),
        dynamic_shapes={"tensors": axes},
        dynamo=True,
        verbose=False,
    )
    program.save(path, external_data=separate)


def _quantize(path: Path, *, separate: bool) -> None:
    """Replace a file by one with 8-bit weights; activations are quantized at each call.

    separate: as of `_write_graph`.
    """
    quantization: Any = import_module("onnxruntime.quantization")
    graph: Any = import_module("onnx").load(path)
    path.with_name(f"{path.name}.data").unlink(missing_ok=True)  # it is in memory
    del graph.graph.value_info[:]  # the exporter's shapes of weights before it transposed them
    weight_type = quantization.QuantType.QUInt8  # 8-bit products that no CPU saturates
    quantization.quantize_dynamic(
        graph,
        path,
        weight_type=weight_type,
        per_channel=True,
        use_external_data_format=separate,
    )


def _list_settings(bundle: Bundle) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the content of config.json and, if the model generates, generation_config.json.

    config.json is that of the published class if there is one, else it has the labels alone.
    With them come notes on search settings that generation_config.json cannot express.
    """
    model = bundle.model
    config: dict[str, Any] = {"model_type": bundle.family}
    for head in model.head_configs.values():
        config |= write_labels(head)
    if bundle.family in PUBLISHED_FAMILIES:
        with suppress(ConfigError):  # no published class has these heads
            config = build_hf_config(to_published(bundle))
    files, notes = {"config.json": config}, list[str]()
    if model.decoder is not None and "lm" in model.head_configs:
        search, notes = to_generation_config(
            model.config, bundle.decoding, bundle.special_ids.banned
        )
        files[GENERATION] = search | _list_token_ids(bundle)
    return files, notes


def _list_token_ids(bundle: Bundle) -> dict[str, int]:
    """Return the ids that a search needs by their names in generation_config.json."""
    special = bundle.special_ids
    first = "bos_token_id" if bundle.model.encoder is None else "decoder_start_token_id"
    ids = {
        "pad_token_id": bundle.tokenizers.target.roles.get("pad"),
        "eos_token_id": None if special.end == NO_END else special.end,
        first: special.start,
        "forced_bos_token_id": special.forced_first,
        "forced_eos_token_id": special.forced_last,
    }
    return {name: i for name, i in ids.items() if i is not None}


def _list_omissions(bundle: Bundle, graphs: list[Graph]) -> list[str]:
    """Return notes on what the files cannot do that the model can."""
    c, notes = bundle.model.config, list[str]()
    if VECTOR in graphs[-1].outputs and not bundle.embedding.pool_prompt:
        notes.append(f"{VECTOR} includes the tokens of a prompt, which this model leaves out")
    if graphs[-1].has_cache:
        omitted = [name for name in bundle.model.head_configs if name != "lm"]
        notes += [f"head {name} is not exported: it reads whole texts" for name in omitted]
    if isinstance(bundle.model, Transformer) and c.positions.startswith("sinusoid"):
        notes.append(f"texts of at most {c.max_length} tokens")
    return notes


@contextmanager
def _no_messages() -> Iterator[None]:
    """Silence the progress reports of the exporter and the quantizer, which log as warnings."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
