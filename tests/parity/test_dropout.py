"""Dropout in heads: where, and how much.

Authority: transformers' classes in training with the same weights and the same random stream, for
which our dropout is torch's own here. A place too many or too few shifts the whole stream.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor

from parity.classes import fields_of, logits_of
from parity.peer import IDS, KEEP, assert_close, export_and_open, randomize, save_and_open
from pellucid.errors import ConfigError
from pellucid.formats.huggingface import PublishedModel, open_published
from pellucid.nn import kernels
from pellucid.nn.heads import pool_states

BERTS = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
    "attention_probs_dropout_prob": 0.0,
}
DISTIL = {"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 16, "attention_dropout": 0.0}
GPTS = {"n_positions": 20, "n_embd": 8, "n_layer": 2, "n_head": 2, "attn_pdrop": 0.0}
NEO = {"hidden_size": 8, "num_layers": 2, "num_heads": 2, "attention_types": [[["global"], 2]]}
BARTS = {
    "d_model": 8,
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 16 for side in ("encoder", "decoder")},
    "max_position_embeddings": 20,
    "eos_token_id": 2,
}


class Kind(NamedTuple):
    config: str
    shape: dict[str, Any]
    stack: tuple[str, ...]  # their settings of the layers' dropout
    own: dict[str, str]  # head -> their setting of its dropout
    classes: tuple[str, ...]  # their classes, by what follows NAMEFor


LABELS = ("SequenceClassification", "TokenClassification")
WITH_SPAN = (*LABELS, "QuestionAnswering")
CLASSIFIER = dict.fromkeys(("classifier", "tagger"), "classifier_dropout")
KINDS = {
    "Bert": Kind("Bert", BERTS, ("hidden_dropout_prob",), CLASSIFIER, WITH_SPAN),
    "Roberta": Kind("Roberta", BERTS, ("hidden_dropout_prob",), CLASSIFIER, WITH_SPAN),
    "Electra": Kind("Electra", BERTS, ("hidden_dropout_prob",), CLASSIFIER, WITH_SPAN),
    "Albert": Kind(
        "Albert",
        {**BERTS, "embedding_size": 6},
        ("hidden_dropout_prob",),
        dict.fromkeys(("classifier", "tagger"), "classifier_dropout_prob"),
        WITH_SPAN,
    ),
    "DistilBert": Kind(
        "DistilBert",
        DISTIL,
        ("dropout",),
        {"classifier": "seq_classif_dropout", "span": "qa_dropout"},
        WITH_SPAN,
    ),
    "GPT2": Kind(
        "GPT2",
        GPTS,
        ("resid_pdrop", "embd_pdrop"),
        {"tagger": "classifier_dropout"},
        ("TokenClassification",),
    ),
    "GPTNeo": Kind(
        "GPTNeo",
        NEO,
        ("resid_dropout", "embed_dropout"),
        {"tagger": "classifier_dropout"},
        ("TokenClassification",),
    ),
    "Bart": Kind("Bart", BARTS, ("dropout",), CLASSIFIER, ("SequenceClassification",)),
    "MBart": Kind("MBart", BARTS, ("dropout",), CLASSIFIER, ("SequenceClassification",)),
}
CASES = [(name, kind) for name in KINDS for kind in KINDS[name].classes]
WITHOUT = [(name, kind) for name in ("Bert", "Roberta", "Electra") for kind in LABELS]


def head_of(name: str, kind: str) -> str:
    (head,) = fields_of(f"{name}For{kind}")
    return head


def made(name: str, kind: str, **settings: Any) -> Any:
    k = KINDS[name]
    inputs = {**k.shape, "vocab_size": 50, "pad_token_id": 1, **settings}
    inputs |= {} if kind == "QuestionAnswering" else {"num_labels": 3}
    config = getattr(transformers, f"{k.config}Config")(**inputs)
    return randomize(getattr(transformers, f"{name}For{kind}")(config))


def compute_logits(published: PublishedModel, head: str) -> Tensor:
    model, h = published.model, published.heads[head]
    again = torch.cat([torch.full((len(IDS), 1), 2), IDS[:, :-1]], 1)
    again = again.masked_fill(again == published.token_ids.get("pad_token_id", 1), 1)
    both = model.config.n_encoder_layers and model.config.n_decoder_layers
    state = model(IDS, KEEP, again if both else None)
    if h.kind == "sequence":
        return model.heads[head](pool_states(state, KEEP, IDS == 2, h.pool))
    return model.heads[head](state)[KEEP]


def compute_reference(model: Any, head: str) -> Tensor:
    return logits_of(model, model(IDS, attention_mask=KEEP.long()), KEEP)[head]


@torch.no_grad()
def same_stream(name: str, kind: str, directory: Path, **settings: Any) -> float:
    """Compare reference, import and export in training; return the effect of dropout."""
    peer, head = made(name, kind, **settings), head_of(name, kind)
    published = save_and_open(peer, directory / "imported")
    again = export_and_open(published, type(peer), directory / "exported")
    still = compute_reference(peer, head)
    torch.manual_seed(5)
    expected = compute_reference(peer.train(), head)
    torch.manual_seed(5)
    published.model.train()
    assert_close(compute_logits(published, head), expected)
    torch.manual_seed(5)
    assert_close(compute_reference(again.train(), head), expected)
    return float((expected - still).abs().max())


@pytest.fixture
def torchs_dropout(monkeypatch):
    monkeypatch.setattr(kernels, "dropout", lambda x, p: F.dropout(x, p, training=True))


@pytest.mark.usefixtures("torchs_dropout")
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_head_drops_where_transformers_does(name, kind, tmp_path):
    own = KINDS[name].own.get(head_of(name, kind))
    settings = {**dict.fromkeys(KINDS[name].stack, 0.0), **({own: 0.4} if own else {})}
    moved = same_stream(name, kind, tmp_path, **settings)
    assert (moved > 1e-3) == (own is not None)


@pytest.mark.usefixtures("torchs_dropout")
@pytest.mark.parametrize(("name", "kind"), WITHOUT)
def test_a_head_without_a_rate_of_its_own_has_the_layers(name, kind, tmp_path):
    assert same_stream(name, kind, tmp_path, hidden_dropout_prob=0.3) > 1e-3


def test_a_distilled_tagger_has_the_layers_rate(tmp_path):  # its layers have dropout elsewhere
    peer = made("DistilBert", "TokenClassification", dropout=0.35)
    assert save_and_open(peer, tmp_path).heads["tagger"].dropout == peer.dropout.p == 0.35


@pytest.mark.parametrize("value", ["x", -0.1, 1.5, [0.1]])
def test_a_rate_that_cannot_be_is_refused(value, tmp_path):
    made("Roberta", "SequenceClassification").save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    whole = path.read_text()
    assert '"classifier_dropout": null' in whole
    path.write_text(json.dumps({**json.loads(whole), "classifier_dropout": value}))
    with pytest.raises(ConfigError, match=r"config\.json: head classifier.*dropout"):
        open_published(tmp_path)
