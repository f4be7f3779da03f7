"""Which weights a fine-tuning trains, and at which rates."""

from dataclasses import replace

import pytest
import torch

from pellucid.config.read import merge
from pellucid.config.training import TrainingConfig
from pellucid.config.tuning import TuningConfig
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.formats.open_model import open_model
from pellucid.nn.model import materialize
from pellucid.training.average import average_checkpoints, find_checkpoints
from pellucid.training.optimizers import build_optimizer, set_rate
from pellucid.training.pipeline import train
from pellucid.training.tuning import choose_trained, rate_factors
from training.test_start_from import settings

pytestmark = pytest.mark.timeout(300)  # whole trainings, on a machine that may be shared


def model(size="tiny"):
    family, preset = SIZES[size]
    c = replace(preset, d_model=16, d_ff=24, n_heads=2, vocab_size=30)
    with torch.device("meta"):
        module = ALL_FAMILIES[family].module(c)
    return materialize(module, 1)


def test_rates_fall_from_layer_to_layer():  # authority: Howard and Ruder 2018, by hand
    module = model()
    n = module.config.n_encoder_layers
    assert n > 2
    factors = rate_factors(module, 0.5)
    assert factors["encoder.embedding.weight"] == 0.5 ** (n + 1)
    for stack in ("encoder", "decoder"):
        for layer in range(n):
            name = f"{stack}.layers.{layer}.attention.inner.q.weight"
            assert factors[name] == 0.5 ** (n - layer)
    optimizer = build_optimizer(module, TrainingConfig(weight_decay=0.1), factors)
    set_rate(optimizer, 8.0)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    seen = set()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            assert group["lr"] == 8.0 * factors[name]
            assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0.0)
            seen.add(name)
    assert seen == set(factors)
    assert set(rate_factors(module, 1.0).values()) == {1.0}


def test_frozen_weights():  # authority: the names
    module = choose_trained(model(), TuningConfig(freeze_layers=2, freeze_embeddings=True), 1)
    for name, parameter in module.named_parameters():
        lower = ".layers.0." in name or ".layers.1." in name
        assert parameter.requires_grad == (not lower and ".embedding." not in name), name
    n = module.config.n_encoder_layers
    with pytest.raises(ConfigError, match="no weight is left to train"):
        choose_trained(model(), TuningConfig(freeze_layers=n, freeze_embeddings=True), 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_decay": 0.0}, "layer_decay=0.0 must be above 0"),
        ({"lora_alpha": 0.0}, "lora_alpha=0.0"),
        ({"lora_rank": 2, "freeze_layers": 1}, "lora_rank already freezes"),
        ({"lora_linears": ("query",)}, "lora_linears=query: use some of q, k, v"),
    ],
)
def test_impossible_settings(changes, message):
    with pytest.raises(ConfigError, match=message):
        TuningConfig(**changes)


def test_settings_that_do_not_fit_the_model():
    shared = SIZES["albert-base"][1]
    with pytest.raises(ConfigError, match="share their weights"):
        TuningConfig(layer_decay=0.9).check_model(shared)
    with pytest.raises(ConfigError, match=r"freeze_layers=9, but the model has \d layers"):
        TuningConfig(freeze_layers=9).check_model(SIZES["tiny"][1])


def tuned(chinese_bert, chinese_conll, run, updates, **tuning):
    more = {"tuning": tuning, "training": {"max_updates": updates, "schedule": "constant"}}
    more["training"] |= {"warmup": 1, "validate_every": 2, "checkpoint_every": 2}
    return train(merge(settings("tagging", chinese_bert, chinese_conll, run), more)).run


def test_lora_resumes_exactly_and_is_saved_as_a_plain_model(chinese_bert, chinese_conll, tmp_path):
    lora = {"lora_rank": 2, "lora_linears": ["q", "v", "up"]}
    whole = tuned(chinese_bert, chinese_conll, tmp_path / "whole", 6, **lora)
    tuned(chinese_bert, chinese_conll, tmp_path / "cut", 3, **lora)
    resumed = tuned(chinese_bert, chinese_conll, tmp_path / "cut", 6, **lora)
    start, one, other = (
        dict(open_model(path).model.named_parameters())
        for path in (chinese_bert, whole.final, resumed.final)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    changed = {n for n in one if n in start and not torch.equal(one[n], start[n])}
    expected = {
        f"encoder.layers.{i}.{part}.weight"
        for i in range(3)
        for part in ("attention.inner.q", "attention.inner.v", "feed_forward.inner.up")
    }
    assert changed == expected
    for name in expected:
        assert torch.linalg.matrix_rank(one[name] - start[name], atol=1e-5) <= 2
    import transformers

    reference = transformers.AutoModelForTokenClassification.from_pretrained(whole.final).eval()
    ids = torch.tensor([[2, 10, 6, 12, 3]])
    actual = open_model(whole.final).model
    with torch.no_grad():
        assert (reference(ids).logits - actual.heads["tagger"](actual(ids))).abs().max() < 1e-5
    mean = average_checkpoints(find_checkpoints(whole.path)[-1:])
    last = dict(mean.model.named_parameters())
    assert last.keys() == one.keys()


def test_frozen_layers_stay_and_lower_rates_change_less(chinese_bert, chinese_conll, tmp_path):
    start = dict(open_model(chinese_bert).model.named_parameters())

    def changes(run, **tuning):
        final = open_model(
            tuned(chinese_bert, chinese_conll, tmp_path / run, 2, **tuning).final
        ).model
        return {
            name: (p - start[name]).abs().max().item()
            for name, p in final.named_parameters()
            if name in start
        }

    frozen = changes("frozen", freeze_layers=1, freeze_embeddings=True)
    for name, change in frozen.items():
        assert (change == 0) == ("layers.0." in name or ".embedding." in name), name
    decayed = changes("decayed", layer_decay=0.1)
    q = [decayed[f"encoder.layers.{i}.attention.inner.q.weight"] for i in range(3)]
    assert q[0] < q[1] / 5 < q[2] / 25
