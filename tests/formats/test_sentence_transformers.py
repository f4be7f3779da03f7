"""Directories of sentence embeddings.  Authority: sentence-transformers' files, by their names."""

import json
from pathlib import Path

import pytest
import torch
import transformers

import pellucid
from parity.peer import close, randomized
from pellucid.cli.main import main
from pellucid.errors import ConfigError
from pellucid.formats.sentence_transformers import read_embedding
from text.published.samples import wordpiece

TYPE = "sentence_transformers.models."
WIDTHS = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
LONG = "The dog sleeps under a table because it was tired and the night was long."


def tell(directory: Path, pooling: object, steps: object, cut: object) -> None:
    """The three files that say how tokens become a vector."""
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (directory / "modules.json").write_text(json.dumps(steps))
    (directory / "sentence_bert_config.json").write_text(json.dumps(cut))


def steps(*names: str) -> list[dict[str, str]]:
    return [{"type": TYPE + name} for name in ("Transformer", "Pooling", *names)]


def test_import_and_export_keep_the_vectors(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    wordpiece(source, tokenizer_class="BertTokenizer")
    size = len((source / "vocab.txt").read_text().split("\n")) - 1
    config = transformers.BertConfig(vocab_size=size, intermediate_size=16, **WIDTHS)
    theirs = randomized(transformers.BertModel(config))
    theirs.save_pretrained(source)
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    tell(source, pooling, steps("Normalize"), {"max_seq_length": 9})
    ids = pellucid.load(source, device="cpu").tokenizer.source.encode(LONG).ids
    assert len(ids) > 9
    for number, command in enumerate(("import", "export")):
        out = tmp_path / command
        assert main([command, str(source if not number else tmp_path / "import"), str(out)]) == 0
        read = [2, *ids[:7], 3]
        with torch.no_grad():
            state = theirs(torch.tensor([read])).last_hidden_state[:, 0]
        wanted = state / state.norm()
        close(torch.as_tensor(pellucid.load(out, device="cpu").embed([LONG])), wanted)


@pytest.mark.parametrize(
    ("pooling", "modules", "cut", "message"),
    [
        ({"pooling_mode_cls_token": True}, steps(), [], r"config\.json holds no settings"),
        ({"pooling_mode_weightedmean_tokens": True}, steps(), {}, "a pooling that is not one of"),
        ({"pooling_mode_cls_token": True}, steps("Dense"), {}, "asks for Dense, Pooling"),
    ],
)
def test_what_is_not_honoured_is_refused(pooling, modules, cut, message, tmp_path):
    tell(tmp_path, pooling, modules, cut)
    with pytest.raises(ConfigError, match=message):
        read_embedding(tmp_path)
