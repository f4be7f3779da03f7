"""Word vectors as a task."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pellucid import garden
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.run import RunConfig
from pellucid.config.skip_gram import SkipGramConfig
from pellucid.config.tasks.word_vectors import WordVectorsConfig
from pellucid.data.batching import evaluation_batches
from pellucid.errors import ConfigError
from pellucid.tasks.protocol import TaskInputs
from pellucid.tasks.word_vectors import WordVectorsTask
from pellucid.text.train import train_tokenizers
from tasks.small import records_of, texts_of, validation_data_of

RECORDS = records_of([(english,) for english, _ in garden.pairs(60, "en", "de")])


@pytest.fixture(scope="module", params=["word", "wordpiece"])
def task(request):
    kind = TokenizerConfig(kind=request.param, vocab_size=200, lowercase=True)
    config = RunConfig(
        task="word_vectors",
        objective=WordVectorsConfig(window=2, negatives=3),
        family="skip-gram",
        model=SkipGramConfig(d_model=8),
        data=DataConfig(max_length=10),
    )
    tokenizers = train_tokenizers(lambda: texts_of(RECORDS), kind)
    task = WordVectorsTask(TaskInputs(config=config, tokenizers=tokenizers, longest=(10,)))
    return task.with_statistics(validation_data_of(task, RECORDS).examples)


def test_blocks_are_known_words(task):  # authority: the tokenizer
    tokenizer = task.inputs.tokenizers.source
    found = [e.columns[0].tolist() for e in task.encode(RECORDS) if not hasattr(e, "reason")]
    whole = [i for r in RECORDS for i in tokenizer.encode(r.values[0]).ids]
    assert (tokenizer.id("unk") in whole) == (tokenizer.kind == "word")
    known = [i for i in whole if i != tokenizer.id("unk")]
    assert len(known) - 60 < sum(map(len, found)) <= len(known)  # single words are left out
    assert all(2 <= len(ids) <= 10 for ids in found)
    counts = np.bincount(np.concatenate(found), minlength=tokenizer.vocab_size)
    assert (task.word_counts == counts).all()


def test_a_batch_is_a_function_of_its_seed(task):
    examples = validation_data_of(task, RECORDS).examples
    rows = [examples[i] for i in range(9)]
    first, same, other = (task.collate(rows, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not torch.equal(first.noise[:5], other.noise[:5])
    assert task.counts(first) == {"word_vectors": len(first.words)}
    assert task.tokens(first) == sum(len(ids) for (ids,) in rows)
    assert first.noise.shape == (len(first.words), 3)


def test_a_batch_is_never_without_pairs(task):
    config = replace(task.inputs.config, objective=WordVectorsConfig(subsample=1e-9))
    rare = replace(task, inputs=replace(task.inputs, config=config))
    examples = validation_data_of(task, RECORDS).examples
    assert len(rare.collate([examples[0]], 0).words) >= 2


def test_validation_is_the_mean_over_pairs(task):  # authority: the loss of its batches
    module, validation = task.build(3), validation_data_of(task, RECORDS)
    found = task.validate(module, validation, torch.device("cpu"))
    total = n = 0
    for seed, indices in enumerate(evaluation_batches(validation.examples.lengths)):
        batch = task.collate([validation.examples[i] for i in indices], seed)
        total += task.loss(module, batch)["word_vectors"].sum.item()
        n += len(batch.words)
    assert found == {"loss": pytest.approx(total / n)}
    assert found["loss"] == pytest.approx(4 * np.log(2), abs=0.3)  # contexts begin as zeros


def test_seen_words_are_exported_by_frequency(task):
    module = task.build(3)
    vectors = task.export(module)["final"]
    ids = task.inputs.tokenizers.source.whole_words
    assert set(vectors.words) == {word for word, i in ids.items() if task.word_counts[i]}
    counts = [task.word_counts[ids[word]] for word in vectors.words]
    assert counts == sorted(counts, reverse=True)
    for word in vectors.words[:5]:
        assert vectors[word].tolist() == module.words[ids[word]].tolist()
    assert not {"<pad>", "<unk>", "</s>"} & set(vectors.words)


def test_a_start_is_refused(task):
    inputs = replace(task.inputs, config=replace(task.inputs.config, start_from="x"))
    with pytest.raises(ConfigError, match="trained from scratch"):
        WordVectorsTask(inputs).check()


def test_a_negative_that_is_the_context_does_not_count(task):  # authority: the pair without it
    module, batch = (
        task.build(3),
        task.collate([validation_data_of(task, RECORDS).examples[i] for i in range(9)], 1),
    )
    with torch.no_grad():
        module.contexts.add_(torch.randn(module.contexts.shape))
    noise = batch.noise.clone()
    noise[:, 1] = batch.contexts
    others = batch._replace(noise=noise[:, [0, 2]])
    actual, expected = (
        task.loss(module, each)["word_vectors"].sum
        for each in (batch._replace(noise=noise), others)
    )
    torch.testing.assert_close(actual, expected, atol=1e-3, rtol=0)
