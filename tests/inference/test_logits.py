"""`Loaded.logits` on published layouts and on pellucid's own."""

from typing import Any

import pytest
import torch
import transformers

import pellucid
from parity.peer import IDS, KEEP, SEGMENTS, assert_close, randomize
from pellucid.errors import UsageError

BERT: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
BART: dict[str, Any] = {
    "vocab_size": 50,
    "d_model": 8,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 20,
    "num_labels": 4,
}


@pytest.fixture(scope="module")
def save_and_open(tmp_path_factory):
    """A model of transformers with two heads, and its directory opened by pellucid."""
    reference: Any = randomize(transformers.BertForPreTraining(transformers.BertConfig(**BERT)))
    directory = tmp_path_factory.mktemp("bert")
    reference.save_pretrained(directory)
    return reference, pellucid.load(directory, device="cpu")


@torch.no_grad()
def test_open_model_opens_a_published_directory(save_and_open):  # authority: transformers
    reference, model = save_and_open
    expected = reference(IDS, attention_mask=KEEP.long(), token_type_ids=SEGMENTS)
    assert_close(
        model.logits(IDS, KEEP, segments=SEGMENTS, head="nsp"), expected.seq_relationship_logits
    )
    mlm = model.logits(IDS, KEEP, segments=SEGMENTS, head="mlm")
    assert_close(mlm[KEEP], expected.prediction_logits[KEEP])
    assert mlm.dtype == torch.float32


@torch.no_grad()
def test_a_classifying_decoder_reads_the_text_again(tmp_path):  # authority: transformers
    config = transformers.BartConfig(**BART)
    reference: Any = randomize(transformers.BartForSequenceClassification(config))
    reference.save_pretrained(tmp_path)
    expected = reference(IDS, attention_mask=KEEP.long()).logits
    model = pellucid.load(tmp_path, device="cpu")
    assert_close(model.logits(IDS, KEEP), expected)
    with pytest.raises(UsageError, match="segments were given, but this model has no segments"):
        model.logits(IDS, KEEP, segments=SEGMENTS)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no head": (
        {},
        "name one head. Heads of this model: mlm (for fill), nsp.",
    ),
    "unknown head": ({"head": "lm"}, "there is no head 'lm'"),
    "floats": ({"ids": IDS.float()}, "ids is torch.float32"),
    "a list": ({"ids": IDS.tolist()}, "ids is list, but must be a tensor"),
    "a list of keep": ({"keep": KEEP.tolist()}, "keep is list, but must be a tensor"),
    "one axis": ({"ids": IDS[0]}, "give integers"),
    "id too large": ({"ids": IDS + 40}, "this model knows 0 to 49"),
    "negative id": ({"ids": IDS - 40}, "this model knows 0 to 49"),
    "keep of another shape": ({"keep": KEEP[:, 1:]}, "keep is (3, 5), but ids are (3, 6)"),
    "segments out of range": ({"segments": SEGMENTS + 1}, "segments holds 1 to 2"),
    "target of an encoder": ({"target_ids": IDS}, "no encoder-decoder"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_does_not_fit_is_said(name, save_and_open):
    _, model = save_and_open
    changes, message = FAULTS[name]
    inputs: dict[str, Any] = {"ids": IDS, "keep": KEEP, "head": "mlm", **changes}
    if name == "no head":
        del inputs["head"]
    with pytest.raises(UsageError) as caught:
        model.logits(**inputs)
    assert message in str(caught.value)


def test_a_directory_without_tokenizer_says_so(save_and_open):
    _, model = save_and_open
    with pytest.raises(UsageError, match="holds no tokenizer"):
        model.tokenizer.source.encode("text")
