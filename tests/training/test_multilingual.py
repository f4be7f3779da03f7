"""mBART and M2M-100 from files to a translator.

Authority: the settings of the paper, and transformers.
"""

import json

import pytest

from pellucid import garden
from pellucid.config.read import read_yaml
from pellucid.errors import ConfigError, UsageError
from pellucid.formats.open_model import open_model
from pellucid.training.pipeline import train
from text.published.samples import m2m
from training.test_fine_tuning import Lines

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.timeout(300)  # whole trainings, on a machine that may be shared

SMALL = {
    "device": "cpu",
    "size": "mbart-tiny",
    "tokenizer": {"vocab_size": 500},
    "model": {"d_model": 32, "d_ff": 64, "n_encoder_layers": 1, "n_decoder_layers": 1},
    "training": {"max_updates": 2, "precision": "fp32", "threads": 1, "max_tokens": 400},
}
TUNED = {"device": "cpu", "training": {"max_updates": 2, "precision": "fp32", "threads": 1}}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    pairs = list(garden.pairs(60, "en", "de"))
    for n, language in enumerate(("en", "de")):
        texts = "".join(f"{pair[n]}\n" for pair in pairs)
        (folder / f"news.{language}").write_text(texts, encoding="utf-8")
    return [str(folder / "news.en"), str(folder / "news.de")]


def test_a_translator_starts_from_a_denoiser(files, tmp_path):
    data = {"train": files, "languages": ["en", "de"]}
    heard = Lines()
    run = train(
        {**SMALL, "task": "denoising", "run_dir": str(tmp_path / "a"), "data": data}, reporter=heard
    ).run
    objective = read_yaml(run.path / "config.yaml")["objective"]
    known = ("infilled", "span_length", "whole_words", "permute_sentences", "language_exponent")
    assert [objective[name] for name in known] == [0.35, 3.5, True, True, 0.7]
    assert any("valid loss en" in line and "valid loss de" in line for line in heard.lines)

    pair = {"train": files}
    run = train(
        {**TUNED, "start_from": str(run.path), "run_dir": str(tmp_path / "b"), "data": pair}
    ).run
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.final)
    english, german = tokenizer.convert_tokens_to_ids(["en_XX", "de_XX"])
    assert tokenizer("A dog.").input_ids[-2:] == [tokenizer.eos_token_id, english]
    peer = transformers.MBartForConditionalGeneration.from_pretrained(run.final)
    assert peer.config.decoder_start_token_id == german
    assert json.loads((run.final / "pellucid.json").read_text())["languages"] == ["en", "de"]
    bundle = open_model(run.final)
    assert (bundle.special_ids.start, bundle.family) == (german, "mbart")

    other = {"train": files, "target_language": "fr"}
    with pytest.raises(UsageError, match=r"marked as 'fr' here. Known: en_XX, de_XX"):
        train({**TUNED, "start_from": str(run.path), "run_dir": str(tmp_path / "c"), "data": other})


def test_a_translator_starts_from_m2m_100(files, tmp_path):
    start = m2m(tmp_path)
    ids = transformers.AutoTokenizer.from_pretrained(start)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    sizes |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "d_model": 8}
    kind = transformers.M2M100ForConditionalGeneration
    published = kind(transformers.M2M100Config(vocab_size=len(ids.encoder) + 108, **sizes))
    published.save_pretrained(start)
    settings = {"start_from": str(start), "run_dir": str(tmp_path / "a"), "data": {"train": files}}
    run = train({**TUNED, **settings}).run
    bundle, german = open_model(run.final), ids.get_lang_id("de")
    special_ids = bundle.special_ids
    assert (bundle.family, bundle.languages) == ("m2m_100", ("en", "de"))
    assert (special_ids.start, special_ids.forced_first) == (ids.eos_token_id, german)
    assert kind.from_pretrained(run.final).generation_config.forced_bos_token_id == german
    again = transformers.AutoTokenizer.from_pretrained(run.final)
    assert again("A dog.").input_ids == ids("A dog.").input_ids
    before = published.model.encoder.layers[0].fc1.weight
    assert (kind.from_pretrained(run.final).model.encoder.layers[0].fc1.weight != before).any()


def test_a_new_mbart_needs_languages(files, tmp_path):
    raw = tmp_path / "raw.txt"
    raw.write_text("A dog.\nA cat.\nA hen.\n")
    settings = {**SMALL, "task": "denoising", "run_dir": str(tmp_path / "a")}
    with pytest.raises(ConfigError, match="marked with their language, but none is known"):
        train({**settings, "data": {"train": [str(raw)]}})
    with pytest.raises(ConfigError, match="codes must differ"):
        train({**settings, "data": {"train": files, "languages": ["en", "en"]}})
    with pytest.raises(ConfigError, match="write codes with an underscore"):
        train({**settings, "data": {"train": files, "languages": ["zh-TW"]}})
    objective = {"language_exponent": 1.5}
    with pytest.raises(ConfigError, match=r"language_exponent=1\.5 must be from 0"):
        train({**settings, "data": {"train": files}, "objective": objective})
