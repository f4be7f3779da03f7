"""The shipped translators as PEGASUS.

Authority: transformers and CTranslate2's own converter, which open what was exported.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from pellucid import garden
from pellucid.cli.main import main
from pellucid.config.decoding import DecodingConfig
from pellucid.formats.locate import locate
from pellucid.formats.open_model import open_model
from pellucid.inference.translate import translate

SOURCES = {"en-de": ("en", "de"), "zh-en": ("zh", "en")}
BEAMS = (1, 5)
NUMBERS = (10, pytest.param(200, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)]))
"""How many sentences of the garden are translated, in one batch."""


@pytest.fixture(scope="module", params=SOURCES)
def exported(request, tmp_path_factory) -> tuple[str, Path]:
    directory = tmp_path_factory.mktemp("exported") / request.param
    assert main(["export", request.param, str(directory)]) == 0
    return request.param, directory


def sentences(name: str, n: int) -> list[str]:
    return [source for source, _ in garden.pairs(n, *SOURCES[name])]


def our_texts(name: str, n: int, beam: int) -> list[str]:
    bundle = open_model(locate(name))
    search = DecodingConfig(beam=beam, max_length=60, batch_size=n)
    return [best.text for best, *_ in translate(bundle, sentences(name, n), search)]


@pytest.mark.parametrize("n", NUMBERS)
@pytest.mark.parametrize("beam", BEAMS)
def test_equal_texts_in_transformers(exported, beam, n):
    name, directory = exported
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
    model: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(directory).eval()
    assert type(model).__name__ == "PegasusForConditionalGeneration"
    inputs = tokenizer(sentences(name, n), return_tensors="pt", padding=True)
    ids = model.generate(**inputs, num_beams=beam, max_new_tokens=60, early_stopping=True)
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    expected = our_texts(name, n, beam)
    assert texts == expected
    assert len(set(expected)) > n / 2, "equal texts prove little"


@pytest.mark.parametrize("n", NUMBERS)
def test_equal_texts_in_ctranslate2(exported, n, tmp_path):
    converters = pytest.importorskip("ctranslate2.converters", reason="CTranslate2 is missing")
    import ctranslate2

    name, directory = exported
    converters.TransformersConverter(str(directory)).convert(str(tmp_path / "ct2"))
    # The converter starts every PEGASUS with padding; the shipped models start with <s>.
    path = tmp_path / "ct2" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"decoder_start_token": "<s>"}))
    translator = ctranslate2.Translator(str(path.parent), compute_type="float32", intra_threads=1)
    bundle = open_model(locate(name))
    pieces = [[*bundle.tokenizers.source.encode(s).pieces, "</s>"] for s in sentences(name, n)]
    ids = {piece: i for i, piece in bundle.tokenizers.target.pieces_by_id.items()}
    for beam in BEAMS:
        found = translator.translate_batch(
            pieces,
            beam_size=beam,
            max_decoding_length=60,
            min_decoding_length=0,
            suppress_sequences=[["<pad>"], ["<s>"], ["<unk>"]],
        )
        texts = [bundle.tokenizers.target.decode([ids[p] for p in r.hypotheses[0]]) for r in found]
        assert texts == our_texts(name, n, beam)
