"""Traces of published families.  Authority: `output_attentions` and `output_hidden_states` of
transformers, with the same random weights."""

from typing import Any

import numpy as np
import pytest
import torch

from parity.peer import randomize
from pellucid.explain.rows import Rows
from pellucid.explain.trace import Trace, TraceSpec, trace_rows
from pellucid.formats.open_model import open_model
from pellucid.inference.logits import Inputs

transformers: Any = pytest.importorskip("transformers")

IDS = torch.tensor([[5, 9, 7, 3, 11, 2]])
TARGET = torch.tensor([[2, 8, 4, 6, 10]])
WIDTHS = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
GPT_WIDTHS = {"vocab_size": 50, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 20}
BART_WIDTHS = {
    "vocab_size": 50,
    "d_model": 8,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
ONE_STACK = {
    "BertForMaskedLM": ("BertConfig", WIDTHS),
    "RobertaForMaskedLM": ("RobertaConfig", WIDTHS),
    "AlbertForMaskedLM": ("AlbertConfig", {**WIDTHS, "embedding_size": 6}),
    "DistilBertForMaskedLM": (
        "DistilBertConfig",
        {
            "vocab_size": 50,
            "dim": 8,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dim": 16,
            "max_position_embeddings": 20,
        },
    ),
    "ElectraForMaskedLM": ("ElectraConfig", {**WIDTHS, "embedding_size": 6}),
    "OpenAIGPTLMHeadModel": ("OpenAIGPTConfig", GPT_WIDTHS),
    "GPT2LMHeadModel": ("GPT2Config", GPT_WIDTHS),
    "GPTNeoForCausalLM": (
        "GPTNeoConfig",
        {
            "vocab_size": 50,
            "hidden_size": 8,
            "num_layers": 2,
            "num_heads": 2,
            "max_position_embeddings": 20,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 3,
        },
    ),
    "CTRLLMHeadModel": ("CTRLConfig", {**GPT_WIDTHS, "dff": 16}),
}
TWO_STACKS = {
    "BartForConditionalGeneration": ("BartConfig", BART_WIDTHS),
    "MBartForConditionalGeneration": ("MBartConfig", BART_WIDTHS),
    "M2M100ForConditionalGeneration": ("M2M100Config", BART_WIDTHS),
    "MarianMTModel": ("MarianConfig", BART_WIDTHS),
    "PegasusForConditionalGeneration": ("PegasusConfig", BART_WIDTHS),
    "T5ForConditionalGeneration": (
        "T5Config",
        {
            "vocab_size": 50,
            "d_model": 8,
            "d_kv": 4,
            "d_ff": 16,
            "num_layers": 2,
            "num_heads": 2,
            "decoder_start_token_id": 0,
        },
    ),
}


def reference_of(cls: str, kind: str, settings: dict[str, Any]) -> Any:
    config = getattr(transformers, kind)(**settings, attn_implementation="eager")
    return randomize(getattr(transformers, cls)(config))


def trace_of(reference: Any, directory: Any, inputs: Inputs) -> Trace:
    reference.save_pretrained(directory)
    return trace_rows(open_model(directory), Rows(inputs), TraceSpec())


def check_close(actual: np.ndarray, expected: torch.Tensor) -> None:
    assert actual.shape == tuple(expected.shape)
    bound = 1e-5 * max(1.0, float(expected.abs().max()))
    assert np.abs(actual - expected.numpy()).max() <= bound


def check_stack(trace: Trace, stack: str, states: Any, attentions: Any, name: str) -> None:
    """Compare all states and attention weights of one stack."""
    assert len(states) == len(attentions) + 1
    check_close(trace[f"{stack}.embedding.output"], states[0][0])
    for i, expected in enumerate(states[1:-1]):
        check_close(trace[f"{stack}.layers.{i}.feed_forward.output"], expected[0])
    check_close(trace[f"{stack}.output"], states[-1][0])
    for i, expected in enumerate(attentions):
        check_close(trace[f"{stack}.layers.{i}.{name}.weights"], expected[0])


@pytest.mark.parametrize("cls", ONE_STACK)
@torch.no_grad()
def test_one_stack(cls, tmp_path):
    reference = reference_of(cls, *ONE_STACK[cls])
    trace = trace_of(reference, tmp_path, Inputs(IDS))
    expected = reference(IDS, output_attentions=True, output_hidden_states=True)
    stack = "decoder" if trace.model["settings"]["n_decoder_layers"] else "encoder"  # type: ignore[index]
    check_stack(trace, stack, expected.hidden_states, expected.attentions, "attention")
    head = next(iter(trace.model["heads"]))  # type: ignore[call-overload]
    check_close(trace[f"heads.{head}.logits"], expected.logits[0])
    assert trace.prediction is not None
    for position, logits in zip(trace.prediction.positions, expected.logits[0], strict=True):
        values, ids = logits.softmax(-1).topk(10)
        assert [c.id for c in position.candidates] == ids.tolist()
        assert np.allclose([c.probability for c in position.candidates], values, atol=1e-6)
        assert position.rest == pytest.approx(1 - float(values.sum()), abs=1e-5)


@pytest.mark.parametrize("cls", TWO_STACKS)
@torch.no_grad()
def test_two_stacks(cls, tmp_path):
    reference = reference_of(cls, *TWO_STACKS[cls])
    trace = trace_of(reference, tmp_path, Inputs(IDS, target_ids=TARGET))
    expected = reference(
        IDS, decoder_input_ids=TARGET, output_attentions=True, output_hidden_states=True
    )
    check_stack(
        trace, "encoder", expected.encoder_hidden_states, expected.encoder_attentions, "attention"
    )
    check_stack(
        trace, "decoder", expected.decoder_hidden_states, expected.decoder_attentions, "attention"
    )
    for i, weights in enumerate(expected.cross_attentions):
        check_close(trace[f"decoder.layers.{i}.cross.weights"], weights[0])
    check_close(trace["heads.lm.logits"], expected.logits[0])
