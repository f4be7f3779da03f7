"""Summarization as a task, and documents to summaries."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

import pellucid
from pellucid import garden
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.summarization import SummarizationConfig
from pellucid.errors import UsageError
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.generate import generate
from pellucid.inference.summarize import summarize
from pellucid.metrics.summarization import rouge
from pellucid.tasks.evaluation import evaluate
from pellucid.tasks.protocol import TaskInputs
from pellucid.tasks.summarization import SummarizationTask
from pellucid.text.train import train_tokenizers
from tasks.small import (
    TRAINING,
    by_heart,
    records_of,
    resumed_and_whole,
    trained,
)

SENTENCES = [english for english, _ in garden.pairs(120, "en", "de")]
PAIRS = [("\n".join(SENTENCES[i : i + 3]), SENTENCES[i]) for i in range(0, 120, 3)]
RECORDS = records_of(PAIRS)
SMALL = {"d_model": 32, "d_ff": 64, "n_encoder_layers": 1, "n_decoder_layers": 1, "dropout": 0.0}


def task_of(size, max_length=48, **objective):
    family, preset = SIZES[size]
    heads = {} if size == "rnn" else {"n_heads": 2}
    small = {k: v for k, v in SMALL.items() if size != "rnn" or k != "d_ff"}
    config = RunConfig(
        task="summarization",
        objective=SummarizationConfig(**objective),
        family=family,
        model=replace(preset, **small, **heads),
        data=DataConfig(max_length=max_length),
        decoding=DecodingConfig(beam=1, max_length=24),
    )
    special = ALL_FAMILIES[family].special_tokens
    tokenizers = train_tokenizers(lambda: PAIRS, TokenizerConfig(vocab_size=500), special)
    return SummarizationTask(TaskInputs(config=config, tokenizers=tokenizers, longest=(48, 24)))


@pytest.fixture(scope="module", params=["tiny", "rnn", "bart-tiny", "t5-efficient-tiny"])
def task(request):
    task = task_of(request.param, source_prefix="summarize: ")
    task.check()
    return task


def test_documents_are_cut_and_summaries_are_not(task):  # authority: the tokenizer
    tokenizer = task.inputs.tokenizers.source
    n = len(tokenizer.add_special_tokens([]).ids)
    rows = records_of([*PAIRS, ("A dog.", "Dog."), ("a", "long " * 300), ("x", "")])
    encoded = list(task.encode(rows))
    assert [each.reason for each in encoded[-2:]] == ["with too long a summary", "blank"]
    for (document, summary), each in zip([*PAIRS, ("A dog.", "Dog.")], encoded, strict=False):
        ids = tokenizer.encode("summarize: " + document.replace("\n", " ")).ids
        assert each.columns[0].tolist() == ids[: 48 - n]
        assert each.columns[1].tolist() == tokenizer.encode(summary).ids
        assert each.is_cut == (len(ids) > 48 - n)
        assert each.lengths == (len(each.columns[0]) + n, len(each.columns[1]) + n)
    assert {e.is_cut for e in encoded[:-2]} == {True, False}


def test_summarize_reads_what_training_read(task):
    """Authority: `generate` of the prefixed line, and of the document as it is cut."""
    bundle = task.export(task.build(3).eval())["final"]
    document = PAIRS[0][0]
    ((found,),) = summarize(bundle, [document])
    cut = task.inputs.tokenizers.source.decode(next(task.encode(RECORDS)).columns[0].tolist())
    assert found.source_cut > 0
    ((wanted,),) = generate(bundle, [cut], bundle.decoding)
    assert (found.text, found.ids) == (wanted.text, wanted.ids)
    texts = ["", SENTENCES[0], "  ", SENTENCES[4]]
    together = [best.text for best, *_ in summarize(bundle, texts)]
    assert together == [summarize(bundle, [text])[0][0].text for text in texts]
    assert together[0] == together[2] == ""


def test_models_without_encoder_or_decoder_are_refused(task):
    bundle = task.export(task.build(3))["final"]
    bundle.model.encoder = None
    with pytest.raises(UsageError, match="this model cannot summarize"):
        summarize(bundle, ["a"])


def test_learns_by_heart(tmp_path):  # authority: 32 summaries, whose ROUGE is then 100
    task = task_of("bart-tiny", label_smoothing=0.0)
    scores = by_heart(task, RECORDS[:32], tmp_path, max_updates=150, rate=0.01)
    assert scores["rougeL"] > 90, scores
    assert set(scores) == set(SummarizationConfig.metrics)


def test_resumes_exactly(tmp_path):
    whole, parts = resumed_and_whole(task_of("bart-tiny"), RECORDS[:16], tmp_path)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("size", ["bart-tiny", "t5-efficient-tiny", "tiny"])
def test_a_saved_model_summarizes_the_same(size, tmp_path):
    """Authority: transformers' search, and the model before it was saved."""
    task = task_of(size, source_prefix="tl;dr ")
    training = replace(TRAINING, max_updates=60, rate=0.01)
    module = trained(task, RECORDS, tmp_path / "run", training).module.eval()
    bundle = replace(task.export(module)["final"], card="card")
    save_bundle(tmp_path / "m", bundle)
    documents = [document for document, _ in PAIRS[:5]]
    wanted = [best.ids for best, *_ in summarize(bundle, documents)]
    again = pellucid.load(tmp_path / "m")
    assert [each.ids for each in again.summarize(documents)] == wanted
    assert again.bundle.source_prefix == "tl;dr "
    scores = [[e.score for e in again.summarize(documents, source_prefix=p)] for p in ("", None)]
    assert scores[0] != scores[1]
    file = tmp_path / "d.jsonl"
    file.write_text("".join(json.dumps({"document": d, "summary": s}) + "\n" for d, s in PAIRS))
    data = DataConfig(valid=(str(file),), max_length=48)
    scores = evaluate(again.bundle, data, torch.device("cpu")).metrics
    texts = [each.text for each in again.summarize([d for d, _ in PAIRS])]
    assert scores["rouge1"] == pytest.approx(rouge(texts, [s for _, s in PAIRS])[0].value)
    intervals = scores.intervals()
    assert list(intervals) == ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    assert all(low <= scores[n] <= high for n, (low, high, _) in intervals.items())
    if size != "tiny":
        peer = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "m").eval()
        row = bundle.tokenizers.source.encode("tl;dr " + documents[1].replace("\n", " ")).ids
        ids = bundle.tokenizers.source.add_special_tokens(row[: 48 - (2 if size[0] == "b" else 1)])
        theirs = peer.generate(torch.tensor([ids.ids]), num_beams=1, max_length=25)[0].tolist()
        special = {bundle.tokenizers.source.id(role) for role in ("pad", "eos")}
        assert [i for i in theirs if i not in special] == [i for i in wanted[1] if i not in special]


def test_the_prefix_of_a_published_t5_is_read(tmp_path):
    task = task_of("t5-efficient-tiny")
    save_bundle(tmp_path / "m", replace(task.export(task.build(1))["final"], card="card"))
    path = tmp_path / "m" / "config.json"
    config = json.loads(path.read_text())
    config["task_specific_params"] = {"summarization": {"prefix": "summarize: ", "num_beams": 4}}
    path.write_text(json.dumps(config))
    for name in ("pellucid.json", "manifest.json"):
        (tmp_path / "m" / name).unlink()
    assert open_model(tmp_path / "m").source_prefix == "summarize: "
