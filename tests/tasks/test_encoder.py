"""What tasks on encoders share."""

from dataclasses import replace

import pytest
import torch

from pellucid.config.baselines import BASELINES
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.families.sizes import SIZES
from pellucid.tasks.encoder import build_encoder, get_family_head
from pellucid.tasks.masked_lm import HEAD as MLM
from pellucid.tasks.tagging import HEAD as TAGGER
from tasks.small import encoder_inputs, records_of

RECORDS = records_of([("the dog sees the cat",), ("a cat sees a dog",)])


@pytest.mark.parametrize(
    ("task", "head", "size"),
    [("masked_lm", MLM, s) for s in TASK_CONFIGS["masked_lm"].sizes]
    + [("tagging", TAGGER, s) for s in TASK_CONFIGS["tagging"].sizes if s not in BASELINES],
)
def test_every_size_builds_a_model_with_the_head(task, head, size):  # authority: its shapes
    inputs = encoder_inputs(task, RECORDS, size)
    config = get_family_head(SIZES[size].family, head)
    outputs = inputs.tokenizers.source.vocab_size
    if task == "tagging":
        outputs, config = 3, replace(config, outputs=3, labels=("a", "b", "c"))
    model = build_encoder(inputs, {head: config}, seed=1).eval()
    with torch.no_grad():
        state = model(torch.tensor([[1, 2, 3]]))
    assert model.heads[head](state).shape == (1, 3, outputs)
