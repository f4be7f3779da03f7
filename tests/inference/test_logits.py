"""`Loaded.logits` on published layouts and on ours."""

from typing import Any

import pytest
import torch
import transformers

import pellucid
from parity.peer import IDS, KEEP, SEGMENTS, close, randomized
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
def opened(tmp_path_factory):
    """Their model with two heads, and ours of its directory."""
    theirs: Any = randomized(transformers.BertForPreTraining(transformers.BertConfig(**BERT)))
    directory = tmp_path_factory.mktemp("bert")
    theirs.save_pretrained(directory)
    return theirs, pellucid.load(directory, device="cpu")


@torch.no_grad()
def test_one_door_opens_a_published_directory(opened):  # authority: transformers
    theirs, model = opened
    wanted = theirs(IDS, attention_mask=KEEP.long(), token_type_ids=SEGMENTS)
    close(model.logits(IDS, KEEP, segments=SEGMENTS, head="nsp"), wanted.seq_relationship_logits)
    mlm = model.logits(IDS, KEEP, segments=SEGMENTS, head="mlm")
    close(mlm[KEEP], wanted.prediction_logits[KEEP])
    assert mlm.dtype == torch.float32


@torch.no_grad()
def test_a_classifying_decoder_reads_the_text_again(tmp_path):  # authority: transformers
    config = transformers.BartConfig(**BART)
    theirs: Any = randomized(transformers.BartForSequenceClassification(config))
    theirs.save_pretrained(tmp_path)
    wanted = theirs(IDS, attention_mask=KEEP.long()).logits
    model = pellucid.load(tmp_path, device="cpu")
    close(model.logits(IDS, KEEP), wanted)
    with pytest.raises(UsageError, match="segments were given, but this model has no segments"):
        model.logits(IDS, KEEP, segments=SEGMENTS)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no head": (
        {},
        "name one head. Heads of this model: mlm, nsp",
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
def test_what_does_not_fit_is_said(name, opened):
    _, model = opened
    changes, message = FAULTS[name]
    given: dict[str, Any] = {"ids": IDS, "keep": KEEP, "head": "mlm", **changes}
    if name == "no head":
        del given["head"]
    with pytest.raises(UsageError) as caught:
        model.logits(**given)
    assert message in str(caught.value)


def test_a_directory_without_tokenizer_says_so(opened):
    _, model = opened
    with pytest.raises(UsageError, match="holds no tokenizer"):
        model.tokenizer.source.encode("text")
