"""Transformer-XL against the last transformers that has it, 4.38.2: run by hand, not by CI.

    pip install transformers==4.38.2 "numpy<2" torch      (in an environment of its own: OTHER)
    python tests/parity/transformer_xl_reference.py write DIR            (here)
    OTHER tests/parity/transformer_xl_reference.py compare DIR           (there)
    python tests/parity/transformer_xl_reference.py read DIR             (here)

`write` saves random models of ours in their layout, with what they say of two segments in a row.
`compare` opens them there, with no key missing or left over, says how far apart the two are, and
saves random models of transformers with their outputs; `read` opens these in pellucid.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

COMMON = {
    "model_type": "transfo-xl",
    "architectures": ["TransfoXLLMHeadModel"],
    "vocab_size": 40,
    "d_model": 8,
    "d_embed": 8,
    "n_layer": 3,
    "n_head": 2,
    "d_head": 5,
    "d_inner": 16,
    "cutoffs": [10, 20],
    "div_val": 2,
    "mem_len": 6,
    "clamp_len": -1,
    "tie_projs": [False, True, True],
}
CASES: dict[str, dict[str, Any]] = {
    "as published": {"clamp_len": 4},
    "all lengths": {"same_length": False, "clamp_len": 7},
    "shared biases": {"untie_r": False, "same_length": False},
    "one table": {"div_val": 1},
    "one narrow table": {"div_val": 1, "d_embed": 4},
    "no clusters": {"cutoffs": [], "div_val": 1, "tie_projs": [False]},
    "all projections tied": {"tie_projs": [True, True, True], "d_embed": 12},
    "no projection tied": {"tie_projs": [False, False, False]},
    "untied": {"tie_word_embeddings": False},
    "short memory": {"mem_len": 2, "n_layer": 2},
    "classifier": {"architectures": ["TransfoXLForSequenceClassification"], "pad_token_id": 39},
}


def segments() -> tuple[Tensor, Tensor]:
    """Ids of two segments, (3, 5) and (3, 4)."""
    rng = torch.Generator().manual_seed(7)
    return torch.randint(0, 39, (3, 9), generator=rng).split([5, 4], 1)  # type: ignore[return-value]


@torch.no_grad()
def randomize(model: nn.Module) -> None:
    """Make every parameter random, gains and biases too."""
    rng = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.normal_(0, 0.3, generator=rng)


@torch.no_grad()
def run_segments(model: Any) -> dict[str, Tensor]:
    """Return the output of the head for two segments, and the memory after the second."""
    first, second = segments()
    one = model.segment(first)
    two = model.segment(second, one.memory)
    ((name, head),) = model.heads.items()
    states = [s.state if name == "lm" else s.state[:, -1] for s in (one, two)]
    return {"first": head(states[0]), "second": head(states[1]), "memory": two.memory}


@torch.no_grad()
def run_reference_segments(model: Any) -> dict[str, Tensor]:
    """Return the same from the class in transformers."""
    first, second = segments()
    one = model(first)
    two = model(second, mems=one.mems)
    memory = torch.stack(two.mems).transpose(1, 2)  # (L, B, M, D)
    message = [s.logits if "logits" in s else s.prediction_scores for s in (one, two)]
    return {"first": message[0], "second": message[1], "memory": memory}


def max_difference(actual: dict[str, Tensor], expected: dict[str, Tensor], name: str) -> float:
    """Print the differences and return the largest."""
    each = {k: float((actual[k] - expected[k]).abs().max()) for k in expected}
    print(f"{name:24}" + "  ".join(f"{k} {v:.2g}" for k, v in each.items()))
    return max(each.values())


def write(directory: Path) -> float:
    """Write models of pellucid and their outputs."""
    from pellucid.families.transformer_xl.family import TRANSFO_XL
    from pellucid.formats.huggingface import PublishedModel, write_published

    for name, changes in CASES.items():
        settings = {**COMMON, **changes}
        c, (kind,) = TRANSFO_XL.read_config(settings, name), settings["architectures"]
        heads = {head.name: head.config for head in TRANSFO_XL.heads[kind]}
        model = TRANSFO_XL.build(c, seed=0, heads=heads).eval()
        randomize(model)
        place = directory / "exported" / name
        place.mkdir(parents=True)
        ids = {k: v for k, v in settings.items() if k == "pad_token_id"}
        write_published(place, PublishedModel(TRANSFO_XL, model, heads, kind, ids))
        save_file({k: v.contiguous() for k, v in run_segments(model).items()}, place / "outputs")
    return 0.0


def compare(directory: Path) -> float:
    """Compare them in transformers, and write models of transformers."""
    warnings.filterwarnings("ignore")
    import transformers

    plain = torch.Tensor.type_as
    # The class calls type_as(dtype=...), which torch does not have, instead of to(dtype=...).
    torch.Tensor.type_as = lambda x, other=None, dtype=None: (
        x.to(dtype) if dtype else plain(x, other)
    )  # type: ignore
    worst = 0.0
    for name, changes in CASES.items():
        place = directory / "exported" / name
        settings = {k: v for k, v in {**COMMON, **changes}.items() if k != "model_type"}
        kind = getattr(transformers, settings["architectures"][0])
        model, info = kind.from_pretrained(place, output_loading_info=True)
        assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), (
            info
        )
        worst = max(
            worst,
            max_difference(
                run_reference_segments(model.eval()), load_file(place / "outputs"), name
            ),
        )
        other = kind(transformers.TransfoXLConfig(**settings)).eval()
        randomize(other)
        place = directory / "reference" / name
        other.save_pretrained(place)
        save_file(
            {k: v.contiguous() for k, v in run_reference_segments(other).items()}, place / "outputs"
        )
    return worst


def read(directory: Path) -> float:
    """Compare those in pellucid."""
    from pellucid.formats.huggingface import open_published

    worst = 0.0
    for name in CASES:
        place = directory / "reference" / name
        published = open_published(place)
        assert list(published.heads) == ["classifier" if name == "classifier" else "lm"]
        worst = max(
            worst, max_difference(run_segments(published.model), load_file(place / "outputs"), name)
        )
    return worst


if __name__ == "__main__":
    step = {"write": write, "compare": compare, "read": read}[sys.argv[1]]
    print(f"largest difference: {step(Path(sys.argv[2])):.2g}")
