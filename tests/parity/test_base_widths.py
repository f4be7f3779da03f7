"""Every family at the widths of its base against transformers, in float32 with random weights.

Authority: its classes. A wrong epsilon, scale or order of sums that tiny shapes forgive shows here.
Vocabularies of 1,000 words; layers as the base has them, or 4 where those would take over 3 GB.
"""

import gc
import math
from typing import Any, NamedTuple

import pytest
import torch
import transformers
from torch import Tensor, nn

from parity.peer import assert_close, save_and_open
from pellucid.nn import kernels

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

PAD, WORDS = 1, 1000


class Base(NamedTuple):
    kind: str  # their class, and the beginning of their config's
    config: str
    settings: dict[str, Any] = {}  # noqa: RUF012 (read only): where the class differs from the base
    length: int = 64


WIDE = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
BART = {
    "d_model": 768,
    **{f"{side}_layers": 6 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 12 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 3072 for side in ("encoder", "decoder")},
}
MARIAN = {
    "d_model": 512,
    **{f"{side}_layers": 6 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 8 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 2048 for side in ("encoder", "decoder")},
}
NEO = {
    "hidden_size": 768,
    "num_layers": 12,
    "num_heads": 12,
    "attention_types": [[["global", "local"], 6]],
}
BASES = {
    "bert": Base("BertForMaskedLM", "Bert"),
    "roberta": Base(
        "RobertaForMaskedLM", "Roberta", {"max_position_embeddings": 514, "type_vocab_size": 1}
    ),
    "xlm-roberta": Base(
        "XLMRobertaForMaskedLM",
        "XLMRoberta",
        {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
    ),
    "camembert": Base(
        "CamembertForMaskedLM",
        "Camembert",
        {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
    ),
    "distilbert": Base("DistilBertForMaskedLM", "DistilBert"),
    "electra": Base("ElectraForMaskedLM", "Electra", {**WIDE, "embedding_size": 768}),
    "albert": Base("AlbertForMaskedLM", "Albert", WIDE),
    "openai-gpt": Base("OpenAIGPTLMHeadModel", "OpenAIGPT"),
    "gpt2": Base("GPT2LMHeadModel", "GPT2"),
    "gpt_neo": Base("GPTNeoForCausalLM", "GPTNeo", NEO, 300),  # its bands are of 256
    "ctrl": Base("CTRLLMHeadModel", "CTRL", {"n_layer": 4}),
    "bart": Base("BartForConditionalGeneration", "Bart", BART),
    "mbart": Base(
        "MBartForConditionalGeneration", "MBart", {"encoder_layers": 4, "decoder_layers": 4}
    ),
    "m2m_100": Base(
        "M2M100ForConditionalGeneration", "M2M100", {"encoder_layers": 4, "decoder_layers": 4}
    ),
    "marian": Base("MarianMTModel", "Marian", MARIAN),
    "pegasus": Base("PegasusForConditionalGeneration", "Pegasus", BART),
    "t5": Base(
        "T5ForConditionalGeneration",
        "T5",
        {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
    ),
    "mt5": Base(
        "MT5ForConditionalGeneration",
        "MT5",
        {"d_model": 768, "d_ff": 2048, "num_layers": 12, "num_heads": 12},
    ),
}


@torch.no_grad()
def randomize(model: nn.Module) -> nn.Module:
    """Matrices and biases N(0, 0.02), as trained models begin; gains 1 + N(0, 0.1)."""
    rng = torch.Generator().manual_seed(0)
    for name, parameter in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith("final_logits_bias") or parameter.requires_grad:
            is_gain = parameter.dim() == 1 and not name.endswith("bias")
            parameter.normal_(float(is_gain), 0.1 if is_gain else 0.02, generator=rng)
    return model.eval()


def texts(length: int) -> tuple[Tensor, Tensor]:
    """Ids (3, T) padded on the right, and which are real."""
    rng = torch.Generator().manual_seed(1)
    ids = torch.randint(4, WORDS, (3, length), generator=rng)
    keep = torch.arange(length) < torch.tensor([length, length // 2, 7])[:, None]
    return ids.where(keep, PAD), keep


@pytest.mark.parametrize("name", BASES)
@torch.no_grad()
def test_base_widths(name, tmp_path, monkeypatch):
    # oneDNN rounds elsewhere: its error against float64 is 1.2 to 1.6 times that of transformers.
    monkeypatch.setattr(kernels, "SMALL_PRODUCT", math.inf)
    base = BASES[name]
    config = getattr(transformers, f"{base.config}Config")(
        **{"vocab_size": WORDS, "pad_token_id": PAD, "decoder_start_token_id": 2, **base.settings}
    )
    reference: Any = randomize(getattr(transformers, base.kind)(config))
    ids, keep = texts(base.length)
    target = texts(40)[0]
    both = config.is_encoder_decoder
    inputs = {"decoder_input_ids": target} if both else {}
    expected = reference(ids, attention_mask=keep.long(), **inputs).logits
    model = save_and_open(reference, tmp_path).model
    del reference
    gc.collect()
    (head,) = model.heads.values()
    actual = head(model(ids, keep, target if both else None))
    # After its end a target has no state that counts; M2M-100 gives padding no position there.
    real = target != PAD if both else keep
    actual, expected = actual[real], expected[real]
    error, most = float((actual - expected).abs().max()), float(expected.abs().max())
    c = model.config
    print(
        f"\n| {name} | {c.d_model} | {c.n_encoder_layers}+{c.n_decoder_layers} |"
        f" {sum(p.numel() for p in model.parameters()) / 1e6:.0f}M | {most:.2g} | {error:.1e} |"
    )
    assert_close(actual, expected)
