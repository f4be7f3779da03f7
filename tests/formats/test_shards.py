"""An index of shards that does not tell the truth.  Authority: what the shards themselves hold."""

import json

import pytest
import torch
from safetensors.torch import save_file

from pellucid.errors import VerificationError
from pellucid.formats.shards import Shards

TRUE = {"a": "1.safetensors", "b": "2.safetensors"}


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"c": "1.safetensors"}, "lists c in 1.safetensors, which lacks"),
        ({"a": "2.safetensors", "b": "1.safetensors"}, "lists b in 1.safetensors, which lacks"),
        ({}, None),
    ],
)
def test_the_index_must_tell_where_tensors_are(expected, message, tmp_path):
    for name, file in TRUE.items():
        save_file({name: torch.ones(2)}, tmp_path / file)
    index = {"weight_map": {**TRUE, **expected}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    if message is None:
        assert Shards(tmp_path).dtypes == {"a": "F32", "b": "F32"}
        return
    with pytest.raises(VerificationError, match=message):
        Shards(tmp_path)
