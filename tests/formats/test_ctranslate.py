"""Export for CTranslate2.  Authority: CTranslate2 itself, opening what was written."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import pellucid
from formats.small_models import (
    LETTERS,
    PUBLISHED_FAMILIES,
    SHAPE,
    SIZE,
    TOKENIZERS,
    directory_of,
)
from parity.peer import randomize, vary_weights
from pellucid.cli.main import main
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.model import ModelConfig
from pellucid.decoding.generate import Request, generate
from pellucid.errors import ConfigError, VerificationError
from pellucid.formats import ctranslate_spec
from pellucid.formats.bundle import Bundle
from pellucid.formats.ctranslate import to_ctranslate2
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.manifest import verify
from pellucid.nn.model import build

ctranslate2 = pytest.importorskip("ctranslate2", reason="CTranslate2 is not installed")


def same_beams(directory: Path, parts: Bundle, **inputs: Any) -> None:
    """The same best text of each of many sources, with the same score."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 9, (24,), generator=rng).tolist()
    sources = [[*torch.randint(4, SIZE, (n,), generator=rng).tolist(), 2] for n in lengths]
    config = DecodingConfig(beam=4, max_length=12, batch_size=24)
    actual = generate(parts.model, Request(sources), parts.special_ids, config)
    translator = ctranslate2.Translator(str(directory), compute_type="float32", intra_threads=1)
    reference = translator.translate_batch(
        [LETTERS.pieces(source) for source in sources],
        beam_size=4,
        max_decoding_length=12,
        min_decoding_length=0,  # else the end is banned at first, and the others gain by it
        return_scores=True,
        **inputs,
    )
    for mine, other in zip(actual, reference, strict=True):
        best, text, score = mine[0], other.hypotheses[0], other.scores[0]
        assert LETTERS.pieces(best.ids) == text
        # Nats per token. CTranslate2 approximates exp by a polynomial of its own for each
        # instruction set, so the last digits depend on the CPU: 1.0e-4 apart on an Intel Xeon.
        assert best.score == pytest.approx(score, abs=1e-3)
    assert len({mine[0].ids for mine in actual}) > 3, "equal texts prove little"


FORMS: dict[str, dict[str, Any]] = {
    "the paper's": {},
    "tied": {"tie_embeddings": "all"},
    "pre-norm": {"norm_place": "pre", "norm_eps": 1e-6},
    "rms, gated, no bias": {
        "norm": "rms",
        "norm_place": "pre",
        "gated": True,
        "bias": "none",
        "activation": "gelu-tanh",
    },
    "learned": {"positions": "learned", "first_position": 2, "embedding_norm": True},
    "buckets": {"positions": "buckets", "attention_scale": "none", "norm_place": "pre"},
    "wide heads": {"d_head": 12, "scale_embeddings": False, "activation": "swish"},
    "sliced heads": {"head_split": "slice", "norm_place": "pre"},
    "wide windows": {"windows": (0, 40), "positions": "learned", "norm_place": "pre"},
    "wide vocabulary": {"target_vocab_size": SIZE + 3},
}


@pytest.mark.parametrize("name", FORMS)
def test_our_translators(name, tmp_path):
    """What no piece has a name for is written there too, so no search: the numbers alone."""
    parts = directory_of(**FORMS[name])
    if name == "tied":
        randomize(parts.model)  # with varied weights it would repeat one word
    to_ctranslate2(tmp_path / "out", parts, parts.special_ids.start)
    verify(tmp_path / "out")
    if name not in ("tied", "wide vocabulary"):
        same_beams(tmp_path / "out", parts)


def test_the_command(tmp_path, capsys):
    parts = directory_of(Roles(forced_first="unk"))
    save_bundle(tmp_path / "run", parts)
    assert (
        main(["export", str(tmp_path / "run"), str(tmp_path / "out"), "--to", "ctranslate2"]) == 0
    )
    message = capsys.readouterr()
    assert message.out.endswith("/out, a model directory for CTranslate2.\n")
    assert "suppress_sequences=[['<pad>'], ['<s>'], ['<unk>']]" in message.err
    assert "target_prefix=[['<unk>']]" in message.err
    assert (
        main(["export", str(tmp_path / "run"), str(tmp_path / "out"), "--to", "ctranslate2"]) == 3
    )


SEARCHES: dict[str, tuple[DecodingConfig, list[str]]] = {
    "as CTranslate2": (DecodingConfig(beam=2, min_length=1), []),
    "beams": (
        DecodingConfig(beam=4, alpha=0.6, min_length=1),
        ["beam_size=4", "length_penalty=0.6"],
    ),
    "no shortest": (DecodingConfig(beam=2), ["min_decoding_length=0"]),
    "gnmt": (
        DecodingConfig(beam=2, length_norm="gnmt", alpha=0.6, min_length=1),
        [
            "length_norm=gnmt with alpha=0.6, which CTranslate2 lacks: it divides scores by"
            " |Y|^length_penalty"
        ],
    ),
    "groups": (
        DecodingConfig(beam=4, groups=2, diversity=0.5, stop="exact", min_length=1, n_best=3),
        [
            "beam_size=4",
            "num_hypotheses=3",
            "stop=exact, which CTranslate2 lacks: it stops when beam_size texts are finished",
            "groups=2, which CTranslate2 lacks: it searches a single beam",
        ],
    ),
    "sample": (
        DecodingConfig(method="sample", temperature=0.7, top_k=9, top_p=0.9, min_length=1),
        ["beam_size=1", "sampling_temperature=0.7", "sampling_topk=9", "sampling_topp=0.9"],
    ),
    "sample from all": (
        DecodingConfig(method="sample", min_p=0.1, min_length=1),
        ["beam_size=1", "sampling_topk=0", "min_p=0.1, which CTranslate2 lacks"],
    ),
    "mbr": (
        DecodingConfig(method="mbr", samples=8, min_length=1),
        [
            "beam_size=1",
            "sampling_topk=0",
            "method=mbr, which CTranslate2 lacks: choose among 8 samples by chrf",
        ],
    ),
    "all else": (
        DecodingConfig(
            beam=2, no_repeat_ngram=3, repetition_penalty=1.2, min_length=3, max_length=99
        ),
        [
            "no_repeat_ngram_size=3",
            "repetition_penalty=1.2",
            "min_decoding_length=3",
            "max_decoding_length=99",
        ],
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_what_their_search_must_be_told(name, tmp_path):  # authority: defaults that they document
    decoding, expected = SEARCHES[name]
    defaults = (
        "beam_size: int = 2.* num_hypotheses: int = 1, length_penalty: float = 1.*"
        " min_decoding_length: int = 1,.* sampling_topk: int = 1, sampling_topp: float = 1,"
        " sampling_temperature: float = 1,"
    )
    assert re.search(defaults, ctranslate2.Translator.translate_batch.__doc__)
    parts = replace(directory_of(), decoding=decoding)
    notes = to_ctranslate2(tmp_path / "out", parts, parts.special_ids.start)
    assert notes == [*expected, "texts of at most 40 tokens"]
    changes = {"n_encoder_layers": 0, "positions": "learned"}
    parts = replace(directory_of(**changes), decoding=decoding)
    notes = to_ctranslate2(tmp_path / "alone", parts, parts.special_ids.start)
    if decoding.method == "beam":
        assert f"beam_size={decoding.beam}" in notes
    assert ("min_length=0" in notes, "max_length=99" in notes) == (False, name == "all else")


@pytest.mark.parametrize("name", PUBLISHED_FAMILIES)
def test_published_families(name, tmp_path):
    """Written only if CTranslate2 computes the same from it; here once more, by hand."""
    kind, config, settings = PUBLISHED_FAMILIES[name]
    made = getattr(transformers, kind)(getattr(transformers, config)(**settings))
    reference: Any = vary_weights(made) if "tie" in str(settings) else randomize(made)
    reference.save_pretrained(tmp_path / "imported")
    parts = replace(open_model(tmp_path / "imported"), tokenizers=TOKENIZERS)
    start = parts.special_ids.start if parts.model.decoder is not None else 0
    to_ctranslate2(tmp_path / "out", parts, start)
    rows = [[5, 9, 7, 3, 11, 2], [8, 4, 2]]
    inputs: dict[str, Any] = {"compute_type": "float32", "intra_threads": 1}
    with torch.no_grad():
        if parts.model.decoder is None:
            base = getattr(reference, reference.base_model_prefix, reference)
            result = ctranslate2.Encoder(str(tmp_path / "out"), **inputs).forward_batch(rows)
            expected = [base(torch.tensor([row])) for row in rows]
            near(result.last_hidden_state, [each.last_hidden_state for each in expected])
            if ctranslate_spec.find_pooler(parts.model) == "pooled":
                pooled = torch.from_numpy(np.array(result.pooler_output))
                reference = torch.cat([each.pooler_output for each in expected])
                torch.testing.assert_close(pooled, reference, atol=1e-4, rtol=0)
        elif parts.model.encoder is None:
            result = ctranslate2.Generator(str(tmp_path / "out"), **inputs).forward_batch(rows)
            near(result, [reference(torch.tensor([r])).logits for r in rows])
        else:
            translator = ctranslate2.Translator(str(tmp_path / "out"), **inputs)
            words = [LETTERS.pieces(row) for row in rows]
            scored = translator.score_batch(words, [word[:-1] for word in words])
            for row, each in zip(rows, scored, strict=True):
                read = torch.tensor([[start, *row[:-1]]])
                logits = reference(torch.tensor([row]), decoder_input_ids=read).logits
                expected = logits.log_softmax(-1)[0].gather(-1, torch.tensor(row)[:, None])[:, 0]
                torch.testing.assert_close(
                    torch.tensor(each.log_probs), expected, atol=1e-4, rtol=0
                )


def near(result: Any, expected: list[torch.Tensor]) -> None:
    for mine, reference in zip(torch.from_numpy(np.array(result)), expected, strict=True):
        n = reference.shape[1]
        bound = 1e-4 * max(1.0, float(reference.abs().max()))
        torch.testing.assert_close(mine[:n], reference[0], atol=bound, rtol=0)


@pytest.mark.campaign
@pytest.mark.parametrize("name", PUBLISHED_FAMILIES)
def test_equal_outputs_of_200_texts(name, tmp_path):
    """Equal texts, greedy and of beams; of an encoder, equal states.

    Beams are compared without banned tokens: CTranslate2 gives their probability to the others,
    pellucid and transformers do not, so that other texts may win.
    """
    kind, config, settings = PUBLISHED_FAMILIES[name]
    settings = {**settings, "tie_word_embeddings": False, "forced_eos_token_id": None}
    reference = vary_weights(getattr(transformers, kind)(getattr(transformers, config)(**settings)))
    reference.save_pretrained(tmp_path / "imported")
    parts = replace(open_model(tmp_path / "imported"), tokenizers=TOKENIZERS)
    special = None if parts.model.decoder is None else parts.special_ids
    to_ctranslate2(tmp_path / "out", parts, 0 if special is None else special.start)
    rng = torch.Generator().manual_seed(5)
    lengths = torch.randint(1, 15, (200,), generator=rng).tolist()
    rows = [torch.randint(4, SIZE, (n,), generator=rng).tolist() for n in lengths]
    if special is None:
        encoder = ctranslate2.Encoder(str(tmp_path / "out"), compute_type="float32")
        states = encoder.forward_batch(rows).last_hidden_state
        with torch.inference_mode():
            near(states, [parts.model(torch.tensor([row])) for row in rows])
        return
    has_source = parts.model.encoder is not None
    request = Request(rows, continues_source=not has_source)
    for beam, ids in ((1, special), (4, replace(special, banned=()))):
        texts = generate(parts.model, request, ids, DecodingConfig(beam=beam, max_length=20))
        banned = [LETTERS.pieces([i]) for i in ids.banned] or None
        options = {"beam_size": beam, "suppress_sequences": banned}
        words = [LETTERS.pieces(row) for row in rows]
        expected = write_texts(tmp_path / "out", words, options, has_source=has_source)
        assert [LETTERS.pieces(best.ids) for best, *_ in texts] == expected
        assert len(set(map(tuple, expected))) > 10, "equal texts prove little"


def write_texts(
    directory: Path, rows: Any, options: dict[str, Any], *, has_source: bool
) -> list[list[str]]:
    """CTranslate2's texts of at most 20 tokens."""
    if has_source:
        translator = ctranslate2.Translator(str(directory), compute_type="float32")
        options = options | {"min_decoding_length": 0, "max_decoding_length": 20}
        return [each.hypotheses[0] for each in translator.translate_batch(rows, **options)]
    generator = ctranslate2.Generator(str(directory), compute_type="float32")
    options = options | {
        "min_length": 0,
        "max_length": 20,
        "include_prompt_in_result": False,
    }
    # One by one: in a batch of different lengths it returns the rest of the longer prompts too.
    return [generator.generate_batch([row], **options)[0].sequences[0] for row in rows]


@pytest.mark.parametrize("name", ["en-de", "zh-en"])
def test_shipped_translators(name, tmp_path):
    """Real texts: what is banned here is suppressed there, and hardly ever probable."""
    model = pellucid.load(name, device="cpu")
    parts = model.bundle
    to_ctranslate2(tmp_path / "out", parts, parts.special_ids.start)
    texts = {
        "en-de": ["The old cat sleeps.", "The gardener saw the white chicken.", "It rained."],
        "zh-en": ["老猫在睡觉。", "园丁看见了白色的鸡。"],
    }[name]
    result = model.translate(texts, beam=4, alignment=False)
    source, target = model.tokenizer.source, model.tokenizer.target
    translator = ctranslate2.Translator(str(tmp_path / "out"), compute_type="float32")
    reference = translator.translate_batch(
        [[*source.encode(text).pieces, "</s>"] for text in texts],
        beam_size=4,
        return_scores=True,
        suppress_sequences=[["<pad>"], ["<s>"], ["<unk>"]],
    )
    for mine, other in zip(result, reference, strict=True):
        assert list(mine.tokens) == other.hypotheses[0]
        assert mine.score == pytest.approx(other.scores[0], abs=1e-3)
        assert target.decode(mine.ids) == mine.text


REFUSED: dict[str, dict[str, Any]] = {
    "windows": {"windows": (0, 4)},
    "positions": {"positions": "none"},
    "d_embedding": {"d_embedding": 8, "n_decoder_layers": 0},
    "character_ngrams": {"character_ngrams": 3, "n_decoder_layers": 0},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_there_is_refused(name, tmp_path):
    c = ModelConfig(**{**SHAPE, **REFUSED[name]})
    parts = replace(directory_of(), model=build(c, seed=0, heads={}), model_config=c)
    if c.n_decoder_layers:
        parts = replace(parts, model=build(c, seed=0))
    with pytest.raises(ConfigError, match=f"{name}="):
        to_ctranslate2(tmp_path / "out", parts, 1)
    assert not (tmp_path / "out").exists()


def test_other_numbers_are_noticed(tmp_path, monkeypatch):  # a version that reads it otherwise
    monkeypatch.setitem(ctranslate_spec.ACTIVATIONS, "relu", "SWISH")
    with pytest.raises(VerificationError, match="other numbers than this model"):
        to_ctranslate2(tmp_path / "out", directory_of(), 1)
    assert not (tmp_path / "out").exists()
