"""Span corruption and denoising as tasks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from pellucid import garden
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.generate import generate
from pellucid.tasks.catalog import build_task
from pellucid.tasks.protocol import TaskInputs
from pellucid.tasks.span_corruption import SpanCorruptionTask
from pellucid.text.published.open import open_tokenizers
from pellucid.text.train import train_tokenizers
from tasks.small import by_heart, records_of, resumed_and_whole, validation_data_of
from text.published.samples import t5

SENTENCES = [english for english, _ in garden.pairs(180, "en", "de")]
TEXTS = [(" ".join(SENTENCES[i : i + 3]),) for i in range(0, 180, 3)]
RECORDS = records_of([*TEXTS, ("",)])
TASKS = {"span_corruption": "t5-efficient-tiny", "denoising": "bart-tiny"}


def task_of(name, max_length=40, **objective):
    family, preset = SIZES[TASKS[name]]
    model = replace(
        preset, d_model=32, d_head=16, d_ff=64, n_heads=2, n_encoder_layers=1, n_decoder_layers=1
    )
    if name == "denoising":
        model = replace(model, max_length=64)
    config = RunConfig(
        task=name,
        objective=TASK_CONFIGS[name](**objective),
        family=family,
        model=model,
        data=DataConfig(max_length=max_length),
    )
    special = ALL_FAMILIES[family].special_tokens
    tokenizers = train_tokenizers(lambda: TEXTS, TokenizerConfig(vocab_size=600), special)
    return build_task(TaskInputs(config=config, tokenizers=tokenizers, longest=(40, 40)))


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    task = task_of(request.param)
    task.check()
    return task


def batch_of(task, seed=0, n=9):
    examples = validation_data_of(task, RECORDS).examples
    return task.collate([examples[i] for i in range(n)], seed), examples


def test_no_example_is_longer_than_was_promised(task):  # batches are sized by it
    encoded = [e for e in task.encode(RECORDS) if not hasattr(e, "reason")]
    assert max(e.lengths[0] for e in encoded) == 40
    for seed in range(20):
        pairs = task.make_pairs([e.columns for e in encoded], seed)
        for each, (source, target) in zip(encoded, pairs, strict=True):
            n_special = len(task.inputs.tokenizers.source.add_special_tokens([]).ids)
            lengths = len(source) + n_special, len(target) + n_special
            assert all(n <= most for n, most in zip(lengths, each.lengths[-2:] * 2, strict=False))


def test_what_is_noised_comes_from_the_seed(task):
    first, same, other = (batch_of(task, seed)[0] for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True) if a is not None)
    assert not torch.equal(first.source, other.source)


def test_denoising_reads_the_noised_document_and_writes_the_document():
    """Authority: fairseq's layout, in which the decoder starts with the end token."""
    task = task_of("denoising")
    batch, examples = batch_of(task)
    tokenizer = task.inputs.tokenizers.source
    bos, eos, mask = (tokenizer.id(role) for role in ("bos", "eos", "mask"))
    labels = iter(batch.labels.tolist())
    for row in range(9):
        ids = examples[row][0].tolist()
        expected = [bos, *ids, eos]
        assert [next(labels) for _ in expected] == expected
        assert batch.target[row, : len(expected)].tolist() == [eos, *expected[:-1]]
        keep = slice(None) if batch.keep is None else batch.keep[row]
        source = batch.source[row, keep].tolist()
        assert (source[0], source[-1]) == (bos, eos)
        n_kept = sum(i != mask for i in source) - 2
        assert n_kept == len(ids) - round(0.3 * len(ids))
        assert not set(source[1:-1]) - {*ids, mask}


def test_span_corruption_fills_the_gaps():
    """Authority: T5's layout, in which padding starts the decoder."""
    task = task_of("span_corruption")
    batch, examples = batch_of(task)
    tokenizer = task.inputs.tokenizers.source
    sentinels = set(tokenizer.extra.values())
    eos, pad = tokenizer.id("eos"), tokenizer.id("pad")
    labels = iter(batch.labels.tolist())
    for row in range(9):
        keep = slice(None) if batch.keep is None else batch.keep[row]
        source = batch.source[row, keep].tolist()
        target = []
        while not target or target[-1] != eos:
            target.append(next(labels))
        assert batch.target[row, : len(target)].tolist() == [pad, *target[:-1]]
        starts = [i for i, token in enumerate(target) if token in sentinels]
        ends = [*starts[1:], len(target) - 1]
        spans = {target[a]: target[a + 1 : b] for a, b in zip(starts, ends, strict=True)}
        assert not spans[target[-2]]  # the last sentinel has none
        text = [i for token in source[:-1] for i in spans.get(token, [token])]
        assert text == examples[row][0].tolist()


def test_sentinels_and_masks_in_a_text_are_text(task):
    """Authority: the ids of special tokens."""
    tokenizer = task.inputs.tokenizers.source
    special = {*tokenizer.roles.values(), *tokenizer.extra.values()}
    assert not special & set(tokenizer.encode("<extra_id_0> <mask> </s>").ids)


@pytest.mark.parametrize("kind", ["unigram", "word", "bpe", "wordpiece"])
def test_sentinels_are_special_in_every_kind_of_tokenizer(kind):
    special = ALL_FAMILIES["t5"].special_tokens
    pair = train_tokenizers(lambda: TEXTS, TokenizerConfig(kind=kind, vocab_size=300), special)
    sentinels = [f"<extra_id_{i}>" for i in range(100)]
    assert {*sentinels} <= pair.source.extra.keys()
    encoded = set(pair.source.encode("a <extra_id_7> b").ids)
    assert not encoded & {pair.source.extra[s] for s in sentinels}


def test_the_sentinels_of_a_published_t5_are_used(tmp_path):
    """Authority: T5's layout, in which sentinel 0 has the last id and the others count down."""
    opened = open_tokenizers(t5(tmp_path))
    inputs = task_of("span_corruption").inputs
    task = build_task(replace(inputs, tokenizers=opened))
    task.check()
    (source, target), *_ = task.make_pairs([(np.arange(3, 43),)], seed=0)
    last = opened.source.vocab_size - 1
    assert [i for i in source if i > last - 100] == [last, last - 1]
    assert [i for i in target if i > last - 100] == [last, last - 1, last - 2]


def test_too_few_sentinels_are_refused():
    with pytest.raises(ConfigError, match=r"needs 101 sentinels .* has 100"):
        task_of("span_corruption", max_length=1793).check()
    task_of("span_corruption", max_length=1792).check()


def test_transformers_opens_what_is_saved(task, tmp_path):  # authority: transformers' logits
    torch.manual_seed(0)
    module = task.build(3).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    peer = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "m").eval()
    batch, _ = batch_of(task)
    keep = torch.ones_like(batch.source) if batch.keep is None else batch.keep.long()
    with torch.no_grad():
        reference = peer(
            input_ids=batch.source, attention_mask=keep, decoder_input_ids=batch.target
        ).logits
        actual = module.heads["lm"](module(batch.source, batch.keep, batch.target))
    torch.testing.assert_close(actual, reference, atol=1e-4, rtol=0)
    text = TEXTS[0][0]
    encoded = AutoTokenizer.from_pretrained(tmp_path / "m")(text).input_ids
    tokenizer = task.inputs.tokenizers.source
    assert encoded == tokenizer.add_special_tokens(tokenizer.encode(text).ids).ids
    again = open_model(tmp_path / "m")
    assert (again.task, again.family) == (task.inputs.config.task, task.inputs.config.family)
    assert again.tokenizers.source.extra == tokenizer.extra
    ((best,),) = generate(again, [text], again.decoding.with_settings({"beam": 1, "max_length": 9}))
    written = peer.generate(
        torch.tensor([encoded]), num_beams=1, max_length=10, suppress_tokens=[tokenizer.id("pad")]
    )[0].tolist()
    assert list(best.ids) == [i for i in written[1:] if i != tokenizer.id("eos")]


def test_validation_is_the_same_each_time(task):
    module, validation = task.build(3).eval(), validation_data_of(task, RECORDS)
    first, again = (task.validate(module, validation, torch.device("cpu")) for _ in range(2))
    assert first == again
    assert set(first) == set(task.inputs.config.objective.metrics)


class SameSpans(SpanCorruptionTask):
    """Corrupts the same spans of a text each time."""

    def make_pairs(self, examples, seed):
        return [super(SameSpans, self).make_pairs([e], int(e[0].sum()))[0] for e in examples]


@pytest.mark.parametrize("name", TASKS)
def test_learns_by_heart(name, tmp_path):  # authority: 32 texts, whose first loss is log(600)
    task = task_of(name)
    if name == "span_corruption":  # other spans are other examples
        task = SameSpans(task.inputs)
    records = records_of([(text,) for text in SENTENCES[:32]])
    scores = by_heart(task, records, tmp_path, max_updates=130, rate=0.01)
    assert scores["loss"] < 0.5, scores


@pytest.mark.parametrize("name", TASKS)
def test_resumes_exactly(name, tmp_path):
    whole, parts = resumed_and_whole(task_of(name), RECORDS[:16], tmp_path)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
