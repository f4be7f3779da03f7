"""mBART against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import torch
import transformers
from transformers.models.mbart.modeling_mbart import shift_tokens_right

from parity.classes import logits_of
from parity.encoder_decoder import SIZES
from parity.peer import (
    IDS,
    KEEP,
    assert_close,
    check_both_ways,
    check_texts,
    randomize,
    save_and_open,
    vary_weights,
)
from pellucid.decoding.search import SpecialIds
from pellucid.formats.huggingface import PublishedModel
from pellucid.formats.open_model import open_model
from pellucid.inference.logits import Inputs, logits
from pellucid.nn.heads import pool_states

PAD, END, LANGUAGE = 1, 2, 40
CONFIG: dict[str, Any] = {
    **SIZES,
    "scale_embedding": True,
    "pad_token_id": PAD,
    "eos_token_id": END,
}
TARGET = torch.tensor([[LANGUAGE, 9, 7, 3], [LANGUAGE, 4, 6, 2], [LANGUAGE, 5, 8, 9]])
NAMES = tuple(
    f"MBartFor{kind}"
    for kind in ("ConditionalGeneration", "SequenceClassification", "QuestionAnswering")
)
AGAIN = shift_tokens_right(IDS, PAD)
"""What the decoder of a classifier reads: the text, its last token first."""


def compute_logits(published: PublishedModel, head: str) -> torch.Tensor:
    state = published.model(IDS, KEEP, TARGET if head == "lm" else AGAIN)
    if head == "classifier":
        return published.model.heads[head](pool_states(state, KEEP, IDS == END, "end"))
    actual = published.model.heads[head](state)
    return actual if head == "lm" else actual[KEEP]


def outputs(reference) -> dict[str, torch.Tensor]:
    generates = type(reference).__name__.endswith("ConditionalGeneration")
    inputs = {"decoder_input_ids": TARGET} if generates else {}
    return logits_of(reference, reference(IDS, attention_mask=KEEP.long(), **inputs), KEEP)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("changes", [{}, {"scale_embedding": False, "activation_function": "relu"}])
def test_every_head(kind, changes, tmp_path):
    config = transformers.MBartConfig(**{**CONFIG, **changes})
    check_both_ways(getattr(transformers, kind)(config), tmp_path, outputs, compute_logits)


@torch.no_grad()
def test_the_base_class(tmp_path):
    reference = randomize(transformers.MBartModel(transformers.MBartConfig(**CONFIG)))
    published = save_and_open(reference, tmp_path)
    expected = reference(
        IDS, attention_mask=KEEP.long(), decoder_input_ids=TARGET
    ).last_hidden_state
    assert_close(published.model(IDS, KEEP, TARGET), expected)


@torch.no_grad()
@pytest.mark.parametrize("start", [None, 7])  # a start in the config is for generation alone
def test_the_decoder_reads_the_last_token_first(start, tmp_path):
    """A text to classify is wrapped for the decoder by default."""
    config = transformers.MBartConfig(**CONFIG, decoder_start_token_id=start)
    reference = randomize(transformers.MBartForSequenceClassification(config))
    reference.save_pretrained(tmp_path)
    actual = logits(open_model(tmp_path), Inputs(IDS, KEEP))
    assert_close(actual, reference(IDS, attention_mask=KEEP.long()).logits)


@pytest.mark.parametrize(
    ("special_ids", "settings"),
    [
        (SpecialIds(LANGUAGE, END, (PAD,)), {"decoder_start_token_id": LANGUAGE}),
        (
            SpecialIds(END, END, (PAD,), LANGUAGE),
            {"decoder_start_token_id": END, "forced_bos_token_id": LANGUAGE},
        ),
    ],
    ids=["cc25", "50"],
)
def test_both_ways_to_start_a_translation(special_ids, settings, tmp_path):
    config = transformers.MBartConfig(**CONFIG, tie_word_embeddings=False)
    reference = vary_weights(transformers.MBartForConditionalGeneration(config), seed=1)
    compute_logits = save_and_open(reference, tmp_path).model
    check_texts(
        compute_logits,
        reference,
        special_ids,
        forced_eos_token_id=None,
        bad_words_ids=[[PAD]],
        **settings,
    )
