"""Language modeling as a task."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

from pellucid import garden
from pellucid.api.loaded import Loaded
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.config.tasks.language_modeling import CODE, make_code_token
from pellucid.config.training import TrainingConfig
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import save_bundle
from pellucid.tasks.language_modeling import LanguageModelingTask
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.control_codes import find_code_id
from pellucid.text.train import train_tokenizers
from tasks.small import validation_data_of

TEXTS = [english for english, _ in garden.pairs(32, "en", "de")]
RECORDS = [Record("f", line, (text, None)) for line, text in enumerate(TEXTS, start=1)]
CODED = [r._replace(values=(r.values[0], ("old", "new")[r.line % 2])) for r in RECORDS]
CPU = torch.device("cpu")


def inputs_of(size="gpt2-micro", records=RECORDS, kind="char", context=16, **more):
    """Inputs of a decoder of width 32."""
    family, preset = SIZES[size]
    model = replace(
        preset, d_model=32, d_ff=128, n_heads=2, n_decoder_layers=2, max_length=context, dropout=0.0
    )
    model = replace(model, attention_dropout=0.0, activation_dropout=0.0)
    codes = tuple(sorted({r.values[1] for r in records} - {None}))
    special = ALL_FAMILIES[family].special_tokens._replace(extra=tuple(map(make_code_token, codes)))
    config = RunConfig(
        task="language_modeling",
        objective=TASK_CONFIGS["language_modeling"](**more),
        family=family,
        model=model,
        data=DataConfig(max_length=1000),
        training=TrainingConfig(max_tokens=4 * context),
    )
    texts = [(r.values[0],) for r in records]
    return TaskInputs(
        config=config,
        tokenizers=train_tokenizers(
            lambda: texts, TokenizerConfig(kind=kind, vocab_size=400), special
        ),
        labels={CODE: codes},
        longest=(context,),
    )


def stream_of(tokenizer, records):
    """The end token, then each document with one: what is predicted, and what stands before."""
    ids = [tokenizer.id("eos")]
    for record in records:
        if not record.continues and record.values[1] is not None:
            ids.append(find_code_id(tokenizer, record.values[1]))
        ids += tokenizer.encode(record.values[0]).ids
        if record.line == len(records) or not records[record.line].continues:
            ids.append(tokenizer.id("eos"))
    return ids


def test_blocks_are_the_joined_documents():  # authority: slicing
    continued = [*RECORDS[:3], RECORDS[3]._replace(continues=True), *RECORDS[4:]]
    for records in (RECORDS, continued):
        task = LanguageModelingTask(inputs_of(records=records))
        stream = stream_of(task.inputs.tokenizers.source, records)
        blocks = [each.columns[0].tolist() for each in task.encode(records)]
        assert blocks == [stream[i : i + 17] for i in range(0, len(stream) - 1, 16)]
        assert all(each.lengths == (len(each.columns[0]) - 1,) for each in task.encode(records))


def test_blocks_inside_a_document_begin_with_its_code():  # authority: by hand, from the stream
    task = LanguageModelingTask(inputs_of(records=CODED))
    tokenizer = task.inputs.tokenizers.source
    codes = {find_code_id(tokenizer, "new"), find_code_id(tokenizer, "old")}
    stream = stream_of(tokenizer, CODED)
    blocks = [each.columns[0].tolist() for each in task.encode(CODED)]
    assert [i for block in blocks for i in block[1:]] == stream[1:]
    latest = None
    for n, block in enumerate(blocks):
        begin = n * 16 + 1
        latest = next((i for i in reversed(stream[:begin]) if i in codes), None)
        assert block[0] == (stream[begin - 1] if block[1] in codes else latest)


def test_examples_are_windows_of_the_stream():  # authority: slicing; every offset comes up
    task = LanguageModelingTask(inputs_of())
    examples = validation_data_of(task, RECORDS).examples
    stream = stream_of(task.inputs.tokenizers.source, RECORDS)
    begins = set()
    for seed in range(100):
        ids = task.example(examples, 1, seed).tolist()
        begin = next(i for i in range(16, 32) if stream[i : i + 17] == ids)
        begins.add(begin)
    assert begins == set(range(16, 32))
    assert np.array_equal(task.example(examples, len(examples) - 1, 3), examples[-1][0])
    for index in range(len(examples)):  # as long as the store says
        assert len(task.example(examples, index, index)) == examples.lengths[index, 0] + 1


def test_loss_is_the_mean_over_tokens():  # authority: torch, on all logits
    task = LanguageModelingTask(inputs_of())
    module = task.build(3).eval()
    blocks = [each.columns[0] for each in task.encode(RECORDS)]
    batch = task.collate([blocks[0], blocks[-1], blocks[1]], seed=0)
    wanted, count = 0.0, 0
    for block in (blocks[0], blocks[-1], blocks[1]):
        ids = torch.tensor(block).long()
        logits = module.heads["lm"](module(ids[None, :-1]))[0]
        wanted += F.cross_entropy(logits, ids[1:], reduction="sum").item()
        count += len(ids) - 1
    ours = task.loss(module, batch)["language_modeling"].sum
    assert ours.item() == pytest.approx(wanted, rel=1e-5)
    assert task.counts(batch) == {"language_modeling": count}
    assert task.tokens(batch) == count < batch.ids.numel()


@pytest.mark.parametrize("stride", [0, 1, 5, 16])
@pytest.mark.parametrize("size", ["gpt2-micro", "openai-gpt-micro", "gpt_neo-125m", "ctrl-micro"])
def test_sliding_windows_in_transformers(size, stride, tmp_path):
    """Authority: transformers on the saved model, each token scored by itself."""
    records = RECORDS[:4]
    task = LanguageModelingTask(inputs_of(size, stride=stride))
    module = vary(task.build(3)).eval()
    ours = task.validate(module, validation_data_of(task, records), CPU)
    save_bundle(tmp_path / "m", replace(task.export(module)["final"], card="card"))
    peer = AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    ids = torch.tensor(stream_of(task.inputs.tokenizers.source, records))
    n, stride, total = len(ids) - 1, stride or 8, 0.0
    with torch.no_grad():
        for i in range(n):  # predict ids[i + 1] from the window in which it is scored first
            begin = 0 if i < 16 else math.ceil((i + 1 - 16) / stride) * stride
            logits = peer(ids[None, begin : i + 1]).logits[0, -1]
            total -= float(logits.log_softmax(-1)[ids[i + 1]])
    text = "".join(record.values[0] for record in records)
    assert ours["loss"] == pytest.approx(total / n, abs=1e-5)
    assert ours["perplexity"] == pytest.approx(math.exp(total / n), rel=1e-5)
    assert ours["bits_per_byte"] == pytest.approx(
        total / math.log(2) / len(text.encode()), rel=1e-5
    )
    assert ours["bits_per_character"] == pytest.approx(total / math.log(2) / len(text), rel=1e-5)
    assert set(ours) == set(task.inputs.config.objective.metrics)


def test_bits_per_byte_count_bytes():  # authority: UTF-8
    records = [Record("f", 1, ("床前明月光", None)), Record("f", 2, ("疑是地上霜", None))]
    task = LanguageModelingTask(inputs_of(records=records))
    scores = task.validate(task.build(1).eval(), validation_data_of(task, records), CPU)
    assert scores["bits_per_character"] == pytest.approx(3 * scores["bits_per_byte"])


def test_validation_with_codes_reads_the_code():  # authority: each window by itself
    task = LanguageModelingTask(inputs_of(records=CODED, stride=16))
    module = vary(task.build(3)).eval()
    scores = task.validate(module, validation_data_of(task, CODED), CPU)
    total = sum(
        task.loss(module, task.collate([each.columns[0]], 0))["language_modeling"].sum.item()
        for each in task.encode(CODED)
    )
    n = len(stream_of(task.inputs.tokenizers.source, CODED)) - 1
    assert scores["loss"] == pytest.approx(total / n, rel=1e-5)


@pytest.mark.parametrize("kind", ["char", "byte-bpe"])
def test_the_tokenizer_opens_in_transformers(kind, tmp_path):  # authority: transformers
    task = LanguageModelingTask(inputs_of(records=CODED, kind=kind))
    bundle = task.export(task.build(1))["final"]
    save_bundle(tmp_path / "m", replace(bundle, card="card"))
    peer, text = AutoTokenizer.from_pretrained(tmp_path / "m"), TEXTS[0] + " " + TEXTS[1]
    tokenizer = task.inputs.tokenizers.source
    assert peer(text).input_ids == tokenizer.encode(text).ids
    assert peer.decode(peer(text).input_ids) == text == tokenizer.decode(tokenizer.encode(text).ids)
    assert peer.convert_tokens_to_ids("<|old|>") == find_code_id(tokenizer, "old")
    assert peer.eos_token == "<|endoftext|>"
    spelled = tokenizer.encode("<|old|><|endoftext|>").ids  # text is no code
    assert not {find_code_id(tokenizer, "old"), tokenizer.id("eos")} & set(spelled)
    again = open_model(tmp_path / "m")
    assert (again.task, again.family) == ("language_modeling", "gpt2")
    assert again.special_ids.end == again.special_ids.start == tokenizer.id("eos")
    assert tokenizer.id("unk") in again.special_ids.banned
    assert find_code_id(again.tokenizers.source, "new") == find_code_id(tokenizer, "new")


def test_generation_with_a_code_begins_as_documents_do():  # authority: a greedy loop
    task = LanguageModelingTask(inputs_of(records=CODED, context=64))
    bundle, tokenizer = task.export(vary(task.build(3)).eval())["final"], task.inputs.tokenizers
    source, banned = tokenizer.source, torch.tensor(bundle.special_ids.banned)
    end = source.id("eos")
    for code, prompt in (("old", "The "), ("new", "")):
        (result,) = Loaded(bundle, CPU).generate([prompt], code=code, beam=1, max_length=6)
        ids = [end, find_code_id(source, code), *source.encode(prompt).ids]
        n = len(ids)
        with torch.no_grad():
            while len(ids) < n + 6 and ids[n:][-1:] != [end]:
                logits = bundle.model.heads["lm"](bundle.model(torch.tensor([ids])))[0, -1]
                ids.append(int(logits.index_fill(0, banned, -math.inf).argmax()))
        assert [i for i in ids[n:] if i != end] == [i for i in result.ids if i != end]


def test_impossible_inputs_are_refused():
    with pytest.raises(ConfigError, match="stride=17 is more than a window of 16"):
        LanguageModelingTask(inputs_of(stride=17)).check()
    inputs = inputs_of()
    encoder = replace(inputs, config=replace(inputs.config, family="bert"))
    with pytest.raises(ConfigError, match="family bert cannot be trained by language_modeling"):
        LanguageModelingTask(encoder).check()
    task = LanguageModelingTask(inputs_of(records=CODED))
    strange = CODED[4]._replace(values=("A text.", "odd"))
    with pytest.raises(DataError, match=r"f:5: 'odd' is not a control code.*new, old"):
        list(task.encode([strange]))
    for code in ("", "a|b", "endoftext"):
        with pytest.raises(ConfigError, match="cannot be a control code"):
            task.inputs.config.objective.extra_tokens({CODE: (code,)}, DataConfig())


def vary(module):
    """Weights away from their start, so that every part of the model matters."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng) * 0.1)
    return module
