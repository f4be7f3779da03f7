"""mBART as a task: denoising several languages, and translation with language codes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, MBart50Tokenizer, MBartForConditionalGeneration
from transformers import MBartTokenizer as MBart25Tokenizer
from transformers.convert_slow_tokenizer import MBart50Converter, MBartConverter
from transformers.models.mbart.modeling_mbart import shift_tokens_right

import pellucid
from pellucid import garden
from pellucid.config.columns import DOCUMENT
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data.builtin import garden_readers
from pellucid.data.language_sampling import SampledExamples
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError, UsageError
from pellucid.families.mbart import MBART
from pellucid.families.sizes import SIZES
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.tasks.catalog import build_task
from pellucid.tasks.evaluation import evaluate
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.pair import Tokenizers
from pellucid.text.published.language import language_token
from pellucid.text.published.open import open_tokenizers
from pellucid.text.special_tokens import BART_TOKENS, MBART_TOKENS
from pellucid.text.train import train_tokenizers
from tasks.small import TRAINING, by_heart, resumed_and_whole, trained, validation_data_of
from text.published import samples as published

LANGUAGES = ("en", "de", "zh")
PAIRS = list(garden.pairs(40, "en", "de"))
SOME = list(garden.pairs(12, "zh", "en"))
TEXTS = [
    *(
        Record(f"news.{language}", i, (pair[n], None))
        for n, language in enumerate(("en", "de"))
        for i, pair in enumerate(PAIRS, 1)
    ),
    *(Record("more.tsv", i, (pair[0], "zh")) for i, pair in enumerate(SOME, 1)),
]
DIRECTIONS = ("en-de", "de-en")
RECORDS = [Record("x.en-de.tsv", i, pair) for i, pair in enumerate(PAIRS[:16], 1)]
END = "eos"


def new_tokenizers(languages=LANGUAGES) -> Tokenizers:
    special = MBART_TOKENS._replace(extra=tuple(map(language_token, languages)))
    texts = [(record.values[0],) for record in TEXTS]
    return train_tokenizers(lambda: texts, TokenizerConfig(vocab_size=600), special)


def task_of(name: str, tokenizers: Tokenizers | None = None, best_by: str = "", **data: Any) -> Any:
    """A small mBART. data: settings of the data."""
    model = replace(
        SIZES["mbart-tiny"].config, d_model=32, d_ff=64, n_heads=2,
        n_encoder_layers=1, n_decoder_layers=1, max_length=64, dropout=0.0,
    )  # fmt: skip
    objective = MBART.objectives.get(name, {"label_smoothing": 0.0})
    config = RunConfig(
        task=name,
        objective=TASK_CONFIGS[name](**objective),
        family="mbart",
        model=model,
        data=DataConfig(max_length=40, **data),
        decoding=DecodingConfig(beam=1),
        training=replace(TRAINING, best_by=best_by),
    )
    tokenizers = tokenizers or new_tokenizers()
    return build_task(TaskInputs(config=config, tokenizers=tokenizers, longest=(40, 40)))


def codes_of(tokenizers: Tokenizers) -> dict[str, int]:
    return {language: tokenizers.source.extra[language_token(language)] for language in LANGUAGES}


@pytest.fixture(scope="module")
def denoiser():
    task = task_of("denoising", languages=LANGUAGES)
    task.check()
    return task


def test_texts_end_with_their_language_and_targets_begin_with_it(denoiser):
    """Authority: the paper, section 2.2, and transformers' shift of the labels."""
    tokenizer, codes = denoiser.inputs.tokenizers.source, codes_of(denoiser.inputs.tokenizers)
    examples = list(denoiser.encode(TEXTS))
    assert [e.columns[0].tolist() for e in examples[:3]] == [
        tokenizer.encode(r.values[0]).ids for r in TEXTS[:3]
    ]
    wanted = ["en"] * 40 + ["de"] * 40 + ["zh"] * 12
    assert [LANGUAGES[e.columns[1][0]] for e in examples] == wanted
    chosen = [0, 41, 85, 90]
    batch = denoiser.collate([examples[i].columns for i in chosen], 3)
    pad, end, mask = (tokenizer.id(role) for role in ("pad", END, "mask"))
    labels = torch.full_like(batch.target, pad)
    labels.view(-1)[batch.real] = batch.labels
    real = labels != pad
    assert torch.equal(batch.target[real], shift_tokens_right(labels, pad)[real])
    for row, i in enumerate(chosen):
        ids, code = examples[i].columns[0].tolist(), codes[wanted[i]]
        assert labels[row, real[row]].tolist() == [*ids, end, code]
        keep = slice(None) if batch.keep is None else batch.keep[row]
        source = batch.source[row, keep].tolist()
        assert source[-2:] == [end, code]
        assert mask in source
        assert not set(source[:-2]) - {*ids, mask}


def test_the_garden_has_a_part_for_each_language():  # authority: the garden
    readers = garden_readers(DOCUMENT, DataConfig(languages=("zh", "en")), 3)
    assert [reader.file for reader in readers] == ["garden.zh", "garden.en"]
    chinese = [first for first, _ in garden.pairs(3, "zh", "zh")]
    assert [row.fields[0] for row in readers[0]] == chinese


def test_a_language_is_named_and_known():
    task = task_of("denoising", languages=("en", "de"))
    other = list(task.encode(TEXTS[-3:]))
    assert [each.reason for each in other] == ["in other languages"] * 3
    with pytest.raises(DataError, match=r"a\.txt:4: the language of this text is not known"):
        list(task.encode([Record("a.txt", 4, ("A dog.", None))]))
    with pytest.raises(UsageError, match=r"marked as 'fr' here. Known: en_XX, de_XX, zh_XX"):
        task_of("denoising", languages=("en", "fr")).check()
    plain = train_tokenizers(lambda: [("a dog",)], TokenizerConfig(vocab_size=300), BART_TOKENS)
    with pytest.raises(ConfigError, match=r"has no codes of languages. Use a size such as mbart"):
        task_of("denoising", plain, languages=("en",)).check()
    with pytest.raises(ConfigError, match=r"languages of source and target are not known"):
        task_of("translation").check()


def test_small_languages_are_read_more_often(denoiser):  # authority: exponents 0.7, 1 and 0
    train = validation_data_of(denoiser, TEXTS).examples
    numbers = np.array([train[i][-1][0] for i in range(len(train))])
    tokens = np.bincount(numbers, train.lengths[:, 0])
    for exponent in (0.7, 0.0):
        objective = replace(denoiser.inputs.config.objective, language_exponent=exponent)
        config = replace(denoiser.inputs.config, objective=objective)
        task = build_task(replace(denoiser.inputs, config=config))
        sampled = task.sample(train)
        assert isinstance(sampled, SampledExamples)
        drawn = [task.example(sampled, i, seed) for i in range(len(sampled)) for seed in range(20)]
        read = np.bincount([e[-1][0] for e in drawn], [len(e[0]) + 2 for e in drawn])
        wanted = tokens**exponent / (tokens**exponent).sum()
        assert read / read.sum() == pytest.approx(wanted, abs=0.03)
    objective = replace(denoiser.inputs.config.objective, language_exponent=1.0)
    config = replace(denoiser.inputs.config, objective=objective)
    assert build_task(replace(denoiser.inputs, config=config)).sample(train) is train


@torch.no_grad()
def vary(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
    return module.eval()


@torch.no_grad()
def test_transformers_opens_what_is_saved(denoiser, tmp_path):  # authority: transformers' logits
    module = vary(denoiser.build(3))
    save_bundle(tmp_path / "m", replace(denoiser.export(module)["final"], card="card"))
    peer = MBartForConditionalGeneration.from_pretrained(tmp_path / "m").eval()
    examples = validation_data_of(denoiser, TEXTS).examples
    batch = denoiser.collate([examples[i] for i in (0, 41, 85)], 0)
    reference = peer(
        input_ids=batch.source,
        attention_mask=torch.ones_like(batch.source) if batch.keep is None else batch.keep.long(),
        decoder_input_ids=batch.target,
    ).logits
    actual = module.heads["lm"](module(batch.source, batch.keep, batch.target))
    torch.testing.assert_close(actual, reference, atol=1e-4, rtol=0)
    tokenizer = denoiser.inputs.tokenizers.source
    text = PAIRS[0][0]
    encoded = AutoTokenizer.from_pretrained(tmp_path / "m")(text).input_ids
    assert encoded == [*tokenizer.encode(text).ids, tokenizer.id(END), tokenizer.extra["en_XX"]]


def test_evaluation_reads_the_languages_of_files(denoiser, tmp_path):  # authority: the task
    module = denoiser.build(3).eval()
    bundle = replace(denoiser.export(module)["final"], card="card")
    paths = []
    for language in LANGUAGES:
        texts = [r.values[0] for r in TEXTS if language in (r.file[-2:], r.values[1])]
        paths.append(tmp_path / f"news.{language}")
        paths[-1].write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    save_bundle(tmp_path / "m", bundle)
    again = open_model(tmp_path / "m")
    files = DataConfig(max_length=40, valid=tuple(map(str, paths)))
    scores = evaluate(again, files, torch.device("cpu")).metrics
    data = validation_data_of(denoiser, TEXTS)
    expected = denoiser.validate(module, data, torch.device("cpu"))
    assert scores == pytest.approx(expected)
    assert set(scores) == {"loss", "perplexity", "loss_en", "loss_de", "loss_zh"}


def test_learns_by_heart(denoiser, tmp_path):  # authority: 32 texts, whose first loss is log(600)
    records = [*TEXTS[:12], *TEXTS[40:52], *TEXTS[-8:]]
    scores = by_heart(denoiser, records, tmp_path, max_updates=130, rate=0.01)
    assert scores["loss"] < 0.6, scores


def test_resumes_exactly(denoiser, tmp_path):
    whole, parts = resumed_and_whole(denoiser, TEXTS[20:60], tmp_path)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


STYLES = {
    "cc25": ("MBartTokenizer", MBart25Tokenizer, MBartConverter),
    "50": ("MBart50Tokenizer", MBart50Tokenizer, MBart50Converter),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("languages", [{"directions": ("en-de", "de-ro")}, {
    "source_language": "en", "target_language": "de_DE"}])  # fmt: skip
def test_a_translation_is_read_as_transformers_reads_it(style, languages, tmp_path):
    """Authority: the ids of its tokenizer for source and target, and its shift of the labels."""
    name, kind, converter = STYLES[style]
    published.mbart(tmp_path, tokenizer_class=name)
    task = task_of("translation", open_tokenizers(tmp_path), **languages)
    task.check()
    vocab = converter.convert_from_spm(
        vocab=published_pieces(tmp_path / "sentencepiece.bpe.model")
    )["vocab"]
    rows = [("A dog.", "Ein Hund."), ("It sleeps here.", "Es schläft.")]
    records = [Record("x.en-de.tsv", 1, rows[0])]
    codes = [("en_XX", "de_DE")]
    if "directions" in languages:
        records.append(Record("x.de-ro.tsv", 1, rows[1]))
        codes.append(("de_DE", "ro_RO"))
    examples = [each.columns for each in task.encode(records)]
    batch = task.collate(examples, 0)
    pad = task.inputs.tokenizers.source.id("pad")
    for row, (pair, (source, target)) in enumerate(zip(rows, codes, strict=False)):
        peer = kind(vocab=vocab, src_lang=source, tgt_lang=target)
        expected = peer(pair[0], text_target=pair[1], return_tensors="pt")
        n, m = expected.input_ids.shape[1], expected.labels.shape[1]
        assert torch.equal(batch.source[row, :n], expected.input_ids[0])
        assert (batch.source[row, n:] == pad).all()
        assert torch.equal(batch.target[row, :m], shift_tokens_right(expected.labels, pad)[0])


def published_pieces(path):
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [(model.id_to_piece(i), model.get_score(i)) for i in range(len(model))]


@pytest.fixture(scope="module")
def translator(denoiser, tmp_path_factory):
    """A model that has memorized 16 pairs in both directions, from a denoiser."""
    path = tmp_path_factory.mktemp("run")
    start = denoiser.export(denoiser.build(3))["final"]
    task = task_of("translation", denoiser.inputs.tokenizers, "bleu", directions=DIRECTIONS)
    task = build_task(replace(task.inputs, start=start, heads=start.model.head_configs))
    task.check()
    training = replace(TRAINING, max_updates=250, rate=0.005, best_by="bleu", validate_every=250)
    trainer = trained(task, RECORDS, path / "run", training)
    save_bundle(path / "m", replace(task.export(trainer.module.eval())["final"], card="card"))
    return task, trainer, path / "m"


def test_both_directions_are_memorized(translator):  # authority: the texts
    _, trainer, path = translator
    scores = trainer.scores()
    assert all(scores[f"bleu_{d}"] > 90 for d in DIRECTIONS), scores
    model = pellucid.load(path)
    english, german = zip(*PAIRS[:4], strict=True)
    back = model.translate(german, to="en", source_language="de")
    assert [t.text for t in back] == list(english)
    forth = model.translate(english, to="de", source_language="en")
    assert [t.text for t in forth] == list(german)
    choices: list[Any] = [{}, {"to": "de"}, {"source_language": "en"}]
    for chosen in choices:
        with pytest.raises(UsageError, match="in several directions, and none is chosen"):
            model.translate(english, **chosen)
    with pytest.raises(UsageError, match=r"marked as 'fr' here. Known: en_XX, de_XX, zh_XX"):
        model.translate(english, to="fr", source_language="en")


@torch.no_grad()
def test_transformers_translates_alike(translator, tmp_path):
    """Authority: its greedy search, from the directory alone; the model has one direction."""
    task, trainer, _ = translator
    one = task_of("translation", task.inputs.tokenizers, source_language="de", target_language="en")
    save_bundle(tmp_path / "m", replace(one.export(trainer.module.eval())["final"], card="card"))
    peer: Any = MBartForConditionalGeneration.from_pretrained(tmp_path / "m").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    codes = codes_of(task.inputs.tokenizers)
    assert peer.config.decoder_start_token_id == codes["en"]
    assert peer.config.pad_token_id == tokenizer.pad_token_id
    model = pellucid.load(tmp_path / "m")
    assert model.bundle.languages == ("de", "en")
    german = [pair[1] for pair in PAIRS[:4]]
    for text, result in zip(german, model.translate(german), strict=True):
        ids = tokenizer(text, return_tensors="pt").input_ids
        assert ids[0, -1] == codes["de"]
        written = peer.generate(ids, num_beams=1, max_length=60)[0, 1:].tolist()
        assert list(result.ids) == written[: written.index(tokenizer.eos_token_id)]
        assert result.text == PAIRS[german.index(text)][0]
