"""Check that ONNX Runtime computes the same outputs from files as our model."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.errors import VerificationError
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import Inputs, add_decoder_ids, embed_states, head_logits
from pellucid.formats.onnx_graphs import STATES, VECTOR, Graph, name_outputs
from pellucid.formats.special_ids import find_token_id

TOLERANCES = {"fp32": 1e-4, "int8": 0.3}
"""fp32: largest difference, absolute, and relative to the largest output if that is above 1. int8:
root mean square of the differences relative to the standard deviation of the outputs."""
BATCHES = ((7, 1, 4), (1,))
"""Real tokens of each text of a batch: padding, other sizes than those that were traced, and 1."""


class Pair(NamedTuple):
    """An output of our model and that of the files, at real tokens."""

    expected: Tensor
    actual: Tensor


@torch.inference_mode()
def check_outputs(
    directory: Path, bundle: Bundle, graphs: Sequence[Graph], dtype: str
) -> list[str]:
    """Compare the outputs of both for random texts, padded in a batch; return notes.

    Raises: VerificationError if the outputs differ.
    """
    files = {graph.name: File(directory, graph) for graph in graphs}
    compare = _compare_steps if graphs[-1].has_cache else _compare_heads
    pairs = [pair for lengths in BATCHES for pair in compare(bundle, files, lengths)]
    difference, bound = _measure(pairs, dtype)
    if not difference <= bound:
        fix = "Export it in fp32." if dtype == "int8" else "Try another version of its packages."
        raise VerificationError(
            f"ONNX Runtime gives other numbers than this model ({difference:.2g} apart, {bound:.2g}"
            f" allowed), so nothing was written. {fix}"
        )
    note = f"int8 changes the outputs by {difference:.1%} of their standard deviation"
    return [note] if dtype == "int8" else []


def _measure(pairs: Sequence[Pair], dtype: str) -> tuple[float, float]:
    """Return the difference, and the largest one that is allowed."""
    expected, actual = (torch.cat([x.flatten() for x in side]) for side in zip(*pairs, strict=True))
    if dtype == "int8":
        spread = expected - expected.mean()
        return float((expected - actual).norm() / spread.norm()), TOLERANCES[dtype]
    bound = TOLERANCES[dtype] * max(1.0, float(expected.abs().max()))
    return float((expected - actual).abs().max()), bound


class File:
    """An exported file, opened in ONNX Runtime."""

    def __init__(self, directory: Path, graph: Graph) -> None:
        runtime: Any = import_module("onnxruntime")
        path = str(directory / f"{graph.name}.onnx")
        self.session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.graph = graph

    def __call__(self, *tensors: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name."""
        names = [each.name for each in self.graph.inputs]
        feeds = {n: x.numpy() for n, x in zip(names, tensors, strict=True)}
        outputs = self.session.run(list(self.graph.outputs), feeds)
        return dict(zip(self.graph.outputs, map(torch.from_numpy, outputs), strict=True))


def _compare_heads(
    bundle: Bundle, files: Mapping[str, File], lengths: Sequence[int]
) -> Iterator[Pair]:
    """Yield the outputs of all heads, or the states and the vectors of texts."""
    file = files["model"]
    ids, keep = _random_texts(lengths, bundle.model_config.vocab_size)  # (B, T)
    end = find_token_id(bundle, "eos")
    if end is not None:  # a head may read its state
        ids[torch.arange(len(ids)), keep.sum(1) - 1] = end
    segments = [(ids + keep.cumsum(1)) % each.n_ids for each in file.graph.inputs[2:]]
    inputs = add_decoder_ids(bundle, Inputs(ids, keep, None, *segments))
    outputs = file(ids, keep.long(), *segments)
    if STATES in outputs:
        states = bundle.model(*inputs)
        yield Pair(states[keep], outputs[STATES][keep])
        if VECTOR in outputs:
            yield Pair(embed_states(bundle, states, keep), outputs[VECTOR])
    for name, output in name_outputs(bundle).items():
        is_pooled = bundle.model.head_configs[name].kind == "sequence"
        chosen = slice(None) if is_pooled else keep
        yield Pair(head_logits(bundle, inputs, name)[chosen], outputs[output][chosen])


def _compare_steps(
    bundle: Bundle, files: Mapping[str, File], lengths: Sequence[int]
) -> Iterator[Pair]:
    """Yield the logits of a first call on several tokens, and of a second one on one token."""
    model, c = bundle.model, bundle.model.config
    has_source = model.encoder is not None
    step = files["decoder_model" if has_source else "model"]
    ids, keep = _random_texts(lengths, c.target_vocab_size or c.vocab_size)  # (B, T)
    following = ids[:, :1]
    empty = torch.zeros(len(ids), c.n_heads, 0, c.head_width)
    if has_source:
        source, source_keep = _random_texts(lengths, c.vocab_size)
        of_source = list(files["encoder_model"](source, source_keep.long()).values())
        cache = model.prefill(source, source_keep, len(source))
        expected = model.step(ids, cache).logits
        keep = torch.ones_like(keep)  # a batch of targets has one length
        masks = [source_keep.long()] * 2
    else:
        of_source, keep = [], keep.flip(1)  # prompts are padded on the left
        expected = model.heads["lm"](model(ids, keep))
        cache = model.prefill(ids, keep, len(ids))
        masks = [keep.long(), F.pad(keep.long(), (0, 1), value=1)]
    outputs = step(ids, masks[0], *_interleave([empty] * 2 * c.n_decoder_layers, of_source))
    yield Pair(expected[keep], outputs.pop("logits")[keep])
    present = _interleave(list(outputs.values()), of_source)
    logits = model.step(following, cache).logits
    yield Pair(logits, step(following, masks[1], *present)["logits"])


def _interleave(of_text: Sequence[Tensor], of_source: Sequence[Tensor]) -> list[Tensor]:
    """Return keys and values of each layer: of the text, then of the source if there is one."""
    layers = range(0, len(of_text), 2)
    return [x for i in layers for x in (*of_text[i : i + 2], *of_source[i : i + 2])]


def _random_texts(lengths: Sequence[int], vocab_size: int) -> tuple[Tensor, Tensor]:
    """Return ids (B, T) and keep (B, T), padded on the right."""
    rng = torch.Generator().manual_seed(0)
    ids = torch.randint(vocab_size, (len(lengths), max(lengths)), generator=rng)
    return ids, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
