"""Search settings of directories.  Authority: generate() of transformers without arguments."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from parity.peer import vary_weights
from pellucid.cli.main import main
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.token_selection import Rules, TokenDistribution
from pellucid.errors import ConfigError
from pellucid.formats.import_published import import_published
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import export_published
from pellucid.nn.masks import keep_from

PAD, END = 1, 2
IDS = {"pad_token_id": PAD, "eos_token_id": END, "decoder_start_token_id": PAD}
SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "d_model": 8,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 40,
    "activation_function": "swish",
    "scale_embedding": True,
    "tie_word_embeddings": False,
    "forced_eos_token_id": None,  # a config's default would be 0
}
FILES: dict[str, dict[str, Any]] = {
    "greedy": {"max_length": 12},
    "first k": {"num_beams": 4, "early_stopping": True, "length_penalty": 0.6, "max_length": 13},
    "current": {"num_beams": 4, "max_length": 13},
    "current, long": {"num_beams": 3, "early_stopping": False, "length_penalty": 2.0},
    "never": {"num_beams": 3, "early_stopping": "never", "length_penalty": 1.5},
    "undivided": {"num_beams": 4, "length_penalty": 0.0},
    "not too short": {"num_beams": 4, "min_length": 6},
    "new tokens": {"num_beams": 3, "min_new_tokens": 4, "max_new_tokens": 9},
    "penalties": {"num_beams": 3, "no_repeat_ngram_size": 2, "repetition_penalty": 1.3},
    "penalties, greedy": {"no_repeat_ngram_size": 3, "repetition_penalty": 1.3},
    "forced": {"num_beams": 4, "forced_bos_token_id": 9, "forced_eos_token_id": END},
    "forced, greedy": {"forced_eos_token_id": END, "max_length": 6},
    "banned": {"num_beams": 2, "suppress_tokens": [5, 7], "bad_words_ids": [[PAD], [11]]},
}


@pytest.fixture(scope="module")
def marian(tmp_path_factory) -> Path:
    """A random translator of transformers whose texts end."""
    directory = tmp_path_factory.mktemp("marian")
    made: Any = transformers.MarianMTModel(transformers.MarianConfig(**{**SHAPE, **IDS}))
    vary_weights(made, seed=1)
    made.final_logits_bias[0, END] += 1.5
    made.save_pretrained(directory)
    return directory


def update_config(directory: Path, settings: dict[str, Any]) -> None:
    whole = {"bad_words_ids": [[PAD]], "max_length": 14, **IDS, **settings}
    if "max_new_tokens" in settings:
        del whole["max_length"]
    (directory / "generation_config.json").write_text(json.dumps(whole))


def sources() -> tuple[list[list[int]], torch.Tensor, torch.Tensor]:
    """As lists, and as ids (24, 8) with keep (24, 8)."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 9, (24,), generator=rng)
    ids = torch.randint(12, 45, (24, 8), generator=rng)
    keep = keep_from(lengths, 8)
    assert keep is not None
    return [row[:n] for row, n in zip(ids.tolist(), lengths, strict=True)], ids, keep


def generate_actual(directory: Path) -> list[list[int]]:
    result = open_model(directory)
    request = Request(sources()[0])
    texts = generate(result.model, request, result.special_ids, result.decoding)
    return [list(best.ids) for best, *_ in texts]


@torch.no_grad()
def generate_reference(directory: Path) -> list[list[int]]:
    reference: Any = transformers.MarianMTModel.from_pretrained(directory).eval()
    _, ids, keep = sources()
    rows = reference.generate(ids.where(keep, PAD), attention_mask=keep.long()).tolist()
    return [[i for i in row[1:] if i not in (END, PAD)] for row in rows]


@pytest.mark.parametrize("name", FILES)
def test_texts_are_those_of_transformers(name, marian, tmp_path):
    update_config(marian, FILES[name])
    expected = generate_reference(marian)
    assert len({tuple(text) for text in expected}) > 4, "equal texts prove little"
    assert not open_model(marian).notes
    assert generate_actual(marian) == expected
    assert not export_published(tmp_path / "out", open_model(marian))
    assert generate_reference(tmp_path / "out") == expected
    assert open_model(tmp_path / "out").decoding == open_model(marian).decoding


def test_a_directory_that_samples_can_search(marian):  # authority: the words
    update_config(marian, {"do_sample": True, "temperature": 0.7, "top_k": 5})
    reported = open_model(marian).decoding
    assert (reported.method, reported.temperature, reported.top_k) == ("sample", 0.7, 5)
    assert reported.with_settings({"beam": 2}) == replace(reported, beam=2)
    searched = reported.with_settings({"method": "beam", "beam": 3})
    assert (searched.beam, searched.temperature, searched.top_k) == (3, 1.0, 0)
    with pytest.raises(ConfigError, match="top_k=4 does not apply"):
        reported.with_settings({"method": "beam", "top_k": 4})


def test_every_setting_has_an_effect(marian):  # else the test above would prove little
    result = set()
    for settings in FILES.values():
        update_config(marian, settings)
        result.add(str(generate_actual(marian)))
    assert len(result) == len(FILES)


@pytest.mark.parametrize("name", ["current", "undivided"])
def test_an_old_directory_says_it_in_its_config(name, marian, tmp_path):
    update_config(marian, FILES[name])
    expected = generate_actual(marian)
    import_published(marian, tmp_path / "old")
    (tmp_path / "old" / "manifest.json").unlink()
    reported = json.loads((tmp_path / "old" / "generation_config.json").read_text())
    (tmp_path / "old" / "generation_config.json").unlink()
    config = tmp_path / "old" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **reported}))
    assert generate_actual(tmp_path / "old") == expected


@torch.no_grad()
@pytest.mark.parametrize(
    "cuts",
    [{}, {"top_k": 0, "top_p": 0.7}, {"temperature": 0.6, "top_k": 5}, {"min_p": 0.1}],
    ids=str,
)
def test_chances_of_a_sample_are_those_of_transformers(cuts, marian):
    update_config(marian, {"do_sample": True, "typical_p": 0.95, **cuts})
    reference: Any = transformers.MarianMTModel.from_pretrained(marian).eval()
    _, ids, _ = sources()
    settings = {"max_new_tokens": 1, "output_scores": True, "output_logits": True}
    reported = reference.generate(ids, return_dict_in_generate=True, **settings)
    result = open_model(marian)
    rules = Rules(result.decoding, result.special_ids, torch.device("cpu"))
    law = TokenDistribution(rules, result.decoding)
    probs = law(reported.logits[0], lambda: torch.full((24, 1, 1), PAD).numpy(), 0).probs
    torch.testing.assert_close(probs, reported.scores[0].softmax(-1), atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_decoder_alone(tmp_path):
    shape = {"vocab_size": 50, "n_positions": 40, "n_embd": 8, "n_layer": 2, "n_head": 2}
    ends = {"pad_token_id": PAD, "eos_token_id": END, "bos_token_id": END}
    config = transformers.GPT2Config(**shape, **ends, tie_word_embeddings=False)
    reference: Any = vary_weights(transformers.GPT2LMHeadModel(config))
    reference.save_pretrained(tmp_path)
    settings = {"max_new_tokens": 9, "min_new_tokens": 3, "repetition_penalty": 1.4, "num_beams": 3}
    (tmp_path / "generation_config.json").write_text(json.dumps({**ends, **settings}))
    reference = transformers.GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    result = open_model(tmp_path)
    rows, _, _ = sources()
    actual = generate(
        result.model, Request(rows, continues_source=True), result.special_ids, result.decoding
    )
    for row, (best, *_) in zip(rows, actual, strict=True):
        expected = reference.generate(torch.tensor([row]))[0, len(row) :].tolist()
        assert list(best.ids) == [i for i in expected if i not in (END, PAD)]
    (tmp_path / "generation_config.json").write_text(json.dumps({"max_length": 30}))
    assert open_model(tmp_path).notes == ("max_length=30 includes the prompt's tokens",)


NOTES = {
    "encoder_no_repeat_ngram_size": 3,
    "num_beam_groups": 2,
    "begin_suppress_tokens": [5],
    "bad_words_ids": [[PAD], [5, 6]],
    "eos_token_id": [END, 5],
    "length_penalty": -1.0,
    "guidance_scale": 0,
    "pad_token_id": 50,
    "bos_token_id": 10**6,
    "wondrous_new_setting": 7,
}


@pytest.mark.parametrize("name", NOTES)
def test_what_is_not_honoured_is_told(name, marian, capsys):
    update_config(marian, {"num_beams": 4, name: NOTES[name]})
    (note,) = open_model(marian).notes
    assert name in note
    assert main(["info", str(marian)]) == 0
    assert note in capsys.readouterr().out


IMPOSSIBLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "min_length": ({"min_length": 30, "max_length": 20}, {"min_length": 18, "max_length": 19}),
    "min_length=9": ({"min_new_tokens": 9, "max_new_tokens": 5}, {"min_length": 4}),
    "min_length=-2": ({"min_new_tokens": -2, "max_new_tokens": 5}, {"min_length": 0}),
    "min_length=-3": ({"min_new_tokens": -3, "max_length": None}, {"min_length": 0}),
    "length_penalty": ({"length_penalty": 100.0}, {"alpha": 30.0}),
    "top_p=0": ({"do_sample": True, "top_p": 0.0}, {"method": "sample", "top_p": 1e-6}),
    "top_p=2": ({"do_sample": True, "top_p": 2.0}, {"top_p": 1.0}),
    "temperature": ({"do_sample": True, "temperature": 0.0}, {"temperature": 1e-6}),
    "top_k": ({"do_sample": True, "top_k": -1}, {"top_k": 0}),
    "typical_p": ({"do_sample": True, "typical_p": 0}, {"typical_p": 1e-6}),
    "min_p": ({"do_sample": True, "min_p": 1.5}, {"min_p": 1.0}),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_model_opens_with_values_that_a_search_cannot_use(name, marian):
    settings, expected = IMPOSSIBLE[name]
    beams = 1 if "do_sample" in settings else 4
    update_config(marian, {"num_beams": beams, **settings})
    transformers.MarianMTModel.from_pretrained(marian)  # opens it
    bundle = open_model(marian)
    assert {field: getattr(bundle.decoding, field) for field in expected} == expected
    (note,) = bundle.notes
    assert name in note
    assert note.endswith("is used instead")


def test_a_longest_length_below_the_shortest_ends_the_texts(marian):
    update_config(marian, {"num_beams": 1, "min_length": 30, "max_length": 9})
    assert {len(text) for text in generate_reference(marian)} == {8}
    assert {len(text) for text in generate_actual(marian)} <= {7, 8}


def test_an_end_outside_the_vocabulary_is_reported_and_not_used(marian):  # authority: the words
    update_config(marian, {"num_beams": 4, "eos_token_id": 50, "max_length": 6})
    assert open_model(marian).notes == ("eos_token_id=50 is outside the model's vocabulary of 50",)
    assert {len(text) for text in generate_actual(marian)} == {5}


FAULTS = {
    "num_beams": ("4", "beam is '4'"),
    " num_beams": (10**9, "num_beams=1000000000 is above 1024"),
    "early_stopping": ("soon", "early_stopping='soon'"),
    "max_length": (1.5, "max_length is '1.5'"),
    "suppress_tokens": ([50], "a banned token is '50'"),
    " suppress_tokens": ([[1]], r"a banned token is '\[1\]'"),
    "bad_words_ids": (7, "must be lists"),
    "forced_eos_token_id": (10**9, "forced_eos_token_id is '1000000000'"),
    "repetition_penalty": (0.0, "repetition_penalty"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_settings_that_cannot_be(name, marian):
    value, message = FAULTS[name]
    update_config(marian, {"num_beams": 4, name.strip(): value})
    with pytest.raises(ConfigError, match=message) as caught:
        open_model(marian)
    assert "generation_config.json" in str(caught.value)


@torch.no_grad()
@pytest.mark.parametrize("file", ["config.json", "generation_config.json", ""])
@pytest.mark.parametrize("kind", ["OpenAIGPTLMHeadModel", "CTRLLMHeadModel"])
def test_families_without_an_end_token_may_be_given_one(kind, file, tmp_path):
    """A text ends at the id that a file names, and goes on to its length if none does."""
    config: Any = getattr(transformers, kind).config_class
    shape = {"vocab_size": 50, "n_positions": 40, "n_embd": 8, "n_layer": 2, "n_head": 2}
    shape |= {"dff": 16, "tie_word_embeddings": False}
    model = vary_weights(getattr(transformers, kind)(config(**shape)), seed=5)
    rng = torch.Generator().manual_seed(0)
    prompts = torch.randint(3, 50, (24, 5), generator=rng)
    free = model.generate(prompts, max_new_tokens=12, do_sample=False, pad_token_id=0)[:, 5:]
    values, counts = free.unique(return_counts=True)
    end = int(values[counts.argmax()])  # what it generates anyway
    model.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").unlink(missing_ok=True)
    if file:
        path = tmp_path / file
        settings = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps({**settings, "eos_token_id": end}))
    reference: Any = getattr(transformers, kind).from_pretrained(tmp_path).eval()
    rows = reference.generate(prompts, max_new_tokens=12, do_sample=False, pad_token_id=0)[:, 5:]
    expected = [row[: row.index(end)] if file and end in row else row for row in rows.tolist()]
    assert (len({len(row) for row in expected}) > 1) == bool(file)
    bundle = open_model(tmp_path)
    assert not bundle.notes
    request = Request(prompts.tolist(), continues_source=True)
    greedy = replace(bundle.decoding, beam=1, max_length=12)
    result = generate(bundle.model, request, bundle.special_ids, greedy)
    assert [list(best.ids) for best, *_ in result] == expected
