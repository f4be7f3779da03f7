"""Padding, causality and rows without any real token, in every family that the shared blocks build.

Authority: algebra. What may not be seen changes nothing, to the bit; a batch is its rows alone.
Families with a module of their own have the same in its test.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from parity.peer import assert_close, randomize, vary_weights
from pellucid.config.decoding import DecodingConfig
from pellucid.config.head import HeadConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.search import SpecialIds
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.gpt3 import SMALL as GPT3
from pellucid.families.transformer import PRESETS
from pellucid.nn.model import Transformer, build
from pellucid.taps import record

SIZE, LONGEST = 50, 24
LENGTHS = (7, 3, 5, 1)
CONFIGS = {
    "transformer": PRESETS["base"],
    "gpt3": GPT3,
    **{name: f.preset for name, f in PUBLISHED_FAMILIES.items() if f.module is Transformer},
}
ENCODERS = [name for name, c in CONFIGS.items() if not c.n_decoder_layers]
DECODERS = [name for name, c in CONFIGS.items() if not c.n_encoder_layers]
BOTH = [name for name, c in CONFIGS.items() if c.n_encoder_layers and c.n_decoder_layers]
WRITERS = [*DECODERS, *BOTH]
RNG = torch.Generator().manual_seed(0)
SOURCE = torch.randint(2, SIZE, (4, 7), generator=RNG)
TARGET = torch.randint(2, SIZE, (4, 6), generator=RNG)
KEEP = torch.arange(7) < torch.tensor(LENGTHS)[:, None]  # (B, S)
LM = HeadConfig(kind="lm", activation="gelu", norm=True)  # narrows states where vectors are narrow


def made(name: str, **changes: Any) -> Transformer:
    """The family's kinds of parts in small, every parameter random."""
    c = CONFIGS[name]
    c = replace(
        c,
        vocab_size=SIZE,
        d_model=12,
        d_embedding=6 if c.d_embedding else 0,
        d_ff=20,
        n_heads=3,
        d_head=5 if c.d_head else 0,
        max_length=LONGEST,
        n_encoder_layers=2 if c.n_encoder_layers else 0,
        n_decoder_layers=2 if c.n_decoder_layers else 0,
        windows=tuple(min(window, 3) for window in c.windows[:2]),
        **changes,
    )
    return randomize(build(c, seed=0, heads={"lm": LM}))


def logits(model: Transformer, source: Tensor, keep: Tensor | None, target: Tensor) -> Tensor:
    """(B, T, V) of what the model writes, or, of an encoder alone, (B, S, V)."""
    both = model.encoder is not None and model.decoder is not None
    return model.heads["lm"](model(source, keep, target if both else None))


def test_each_family_is_in_one_of_the_three():
    assert {*ENCODERS, *DECODERS, *BOTH} == set(CONFIGS)
    assert min(len(ENCODERS), len(DECODERS), len(BOTH)) >= 4


@pytest.mark.parametrize("name", WRITERS)
@torch.no_grad()
def test_no_token_sees_a_later_one(name):
    model = made(name)
    written = TARGET if name in BOTH else SOURCE
    for keep in (None, KEEP):
        before = logits(model, SOURCE, keep, TARGET)
        for place in range(1, written.shape[1]):
            changed = written.clone()
            changed[:, place:] = (changed[:, place:] + 17) % SIZE
            inputs = (SOURCE, keep, changed) if name in BOTH else (changed, keep, TARGET)
            after = logits(model, *inputs)
            assert torch.equal(after[:, :place], before[:, :place])
            assert (after[0, place:] != before[0, place:]).any(-1).all()


@pytest.mark.parametrize("name", [*ENCODERS, *BOTH])
@torch.no_grad()
def test_an_encoder_sees_all_and_no_padding(name):
    model = made(name)
    before = logits(model, SOURCE, KEEP, TARGET)
    garbage = SOURCE.where(KEEP, (SOURCE + 17) % SIZE)
    after = logits(model, garbage, KEEP, TARGET)
    real = KEEP if name in ENCODERS else torch.ones_like(TARGET, dtype=torch.bool)
    assert torch.equal(after[real], before[real])
    for row, n in enumerate(LENGTHS):
        alone = logits(model, SOURCE[row : row + 1, :n], None, TARGET[row : row + 1])
        assert_close(before[row, : alone.shape[1]][None], alone)
    for place in range(LENGTHS[0]):  # whatever is real reaches every place
        changed = SOURCE.clone()
        changed[0, place] = (changed[0, place] + 17) % SIZE
        moved = logits(model, changed, KEEP, TARGET)[0] != before[0]
        assert moved.any(-1).all()


@pytest.mark.parametrize(
    "name", [name for name in ENCODERS if CONFIGS[name].positions == "learned-real"]
)
@torch.no_grad()
def test_padding_on_the_left_where_positions_follow_real_tokens(name):
    model = made(name)  # others count positions from the start of the row, like transformers
    order = KEEP.int().argsort(dim=1, stable=True)
    left = logits(model, SOURCE.gather(1, order), KEEP.gather(1, order), TARGET)
    assert_close(left[KEEP.gather(1, order)], logits(model, SOURCE, KEEP, TARGET)[KEEP])


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seen", [False, True])
def test_a_text_without_a_real_token(name, seen):
    """It gives zeros where it is attended to, finite gradients, and leaves other texts alone."""
    model = made(name)
    keep = KEEP.clone()
    keep[2] = False
    others = [0, 1, 3]
    if seen:  # a listener forces the explicit path, else the fused one runs
        part = "cross" if name in BOTH else "attention"
        with record(model, f"*.{part}.inner.*") as taps:
            out = logits(model, SOURCE, keep, TARGET)
        for tap in ("weights", "context"):
            actual = [x for key, xs in taps.items() if key.endswith(tap) for x in xs]
            assert len(actual) == 2
            assert all(not x[2].any() and x[others].any() for x in actual)
    else:
        out = logits(model, SOURCE, keep, TARGET)
    assert out.isfinite().all()
    with torch.no_grad():
        before = logits(model, SOURCE, KEEP, TARGET)
    real = KEEP[others] if name not in BOTH else slice(None)
    assert_close(out.detach()[others][real], before[others][real])
    out.square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("name", WRITERS)
@torch.no_grad()
def test_prompts_and_sources_of_all_lengths_give_what_each_gives_alone(name):
    """A batch of prompts is padded on the left, of sources on the right; alone there is none."""
    model = vary_weights(
        made(name, tie_embeddings="none")
    ).double()  # where rounding decides nothing
    texts = [SOURCE[row, :n].tolist() for row, n in enumerate(LENGTHS)]
    special_ids = SpecialIds(start=1, end=0, banned=())
    continued = name in DECODERS
    config = DecodingConfig(beam=1, max_length=8)

    def written(some: list[list[int]]) -> list[tuple[int, ...]]:
        request = Request(some, continues_source=continued)
        return [tuple(best.ids) for best, *_ in generate(model, request, special_ids, config)]

    actual = written(texts)
    assert actual == [written([text])[0] for text in texts]
    assert len(set(actual)) > 1, "equal texts prove little"
    if continued:  # padded on the right instead: what follows each prompt's last real token
        first = logits(model, SOURCE, KEEP, TARGET).argmax(-1)
        assert [row[0] for row in actual] == [
            int(first[row, n - 1]) for row, n in enumerate(LENGTHS)
        ]
