"""One translator for several directions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import pellucid
from pellucid import garden
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.config.training import TrainingConfig
from pellucid.data.builtin import garden_readers
from pellucid.data.records import Record
from pellucid.errors import ConfigError, DataError, UsageError
from pellucid.families.sizes import SIZES
from pellucid.formats.save_bundle import save_bundle
from pellucid.inference.languages import choose_languages
from pellucid.inference.score import score
from pellucid.tasks.protocol import TaskInputs
from pellucid.tasks.translation import TranslationTask
from pellucid.text.language_tags import language_tags
from pellucid.text.special_tokens import TRANSLATION_TOKENS
from pellucid.text.train import train_tokenizers
from tasks.small import TRAINING, trained, validation_data_of

DIRECTIONS = ("en-de", "de-en", "zh-en")
EN_DE = [Record("a/x.en-de.tsv", i, pair) for i, pair in enumerate(garden.pairs(16, "en", "de"), 1)]
EN_ZH = [Record("b.en-zh.tsv", i, pair) for i, pair in enumerate(garden.pairs(16, "en", "zh"), 1)]
RECORDS = [*EN_DE, *EN_ZH]
CPU = torch.device("cpu")


def task_of(directions=DIRECTIONS, best_by="", joint=True):
    data = DataConfig(directions=directions)
    objective = TranslationConfig(label_smoothing=0.0)
    special = TRANSLATION_TOKENS._replace(extra=objective.extra_tokens({}, data))
    tokenizers = train_tokenizers(
        lambda: (r.values for r in RECORDS), TokenizerConfig(vocab_size=500, joint=joint), special
    )
    model = replace(
        SIZES["tiny"].config, d_model=32, d_ff=64, n_heads=2, n_encoder_layers=1, n_decoder_layers=1
    )
    config = RunConfig(
        objective=objective,
        family="transformer",
        model=replace(model, dropout=0.0, tie_embeddings="all" if joint else "decoder"),
        data=data,
        decoding=DecodingConfig(beam=1),
        training=TrainingConfig(best_by=best_by),
    )
    return TranslationTask(TaskInputs(config=config, tokenizers=tokenizers, longest=(40, 40)))


def test_each_record_is_read_in_each_direction_that_fits():
    """Authority: the tokenizer; Johnson et al. 2017: the source starts with the target's token."""
    task = task_of()
    task.check()
    tokenizer = task.inputs.tokenizers.source
    assert set(language_tags(tokenizer)) == {"de", "en"}
    wanted = []
    for record in RECORDS:
        first, second = (tokenizer.encode(text).ids for text in record.values)
        if record in EN_DE:
            wanted += [("<2de>", first, second, 0), ("<2en>", second, first, 1)]
        else:
            wanted.append(("<2en>", second, first, 2))
    encoded = list(task.encode(RECORDS))
    assert len(encoded) == len(wanted)
    for each, (tag, source, target, number) in zip(encoded, wanted, strict=True):
        ids = [tokenizer.extra[tag], *source]
        assert [c.tolist() for c in each.columns] == [ids, target, [number]]
        assert each.lengths == (len(ids) + 1, len(target) + 1)
    other = list(task_of(("zh-en",)).encode(EN_DE))
    assert {e.reason for e in other} == {"in other languages"}
    assert not set(language_tags(tokenizer).values()) & set(tokenizer.encode("<2de> a").ids)


def test_languages_in_columns_come_before_those_of_the_name():  # authority: the same pairs
    task = task_of()
    plain = [Record("a.jsonl", r.line, (*r.values, "en", "de")) for r in EN_DE]
    swapped = [Record("x.en-de.tsv", r.line, (*r.values[::-1], "de", "en")) for r in EN_DE]
    half = [Record("x.en-de.tsv", r.line, (*r.values, None, "de")) for r in EN_DE]
    expected = sorted(str(e.columns) for e in task.encode(EN_DE))
    for records in (plain, swapped, half):
        assert sorted(str(e.columns) for e in task.encode(records)) == expected
    with pytest.raises(DataError, match=r"a\.jsonl:7: the languages of this pair are not known"):
        list(task.encode([Record("a.jsonl", 7, (*EN_DE[0].values, "en", None))]))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that has memorized 16 pairs of each file."""
    task, path = task_of(best_by="bleu"), tmp_path_factory.mktemp("run")
    training = replace(TRAINING, max_updates=300, rate=0.005, best_by="bleu", validate_every=300)
    trainer = trained(task, RECORDS, path / "run", training)
    save_bundle(path / "m", replace(task.export(trainer.module.eval())["final"], card="card"))
    return task, trainer.module, pellucid.load(path / "m")


def test_learns_all_directions_by_heart(learned):
    """Authority: the texts. Source and direction decide the target: en-de and zh-en."""
    task, module, model = learned
    scores = task.validate(module, validation_data_of(task, RECORDS), CPU)
    assert {f"{name}_{d}" for name in ("loss", "bleu") for d in DIRECTIONS} < set(scores)
    assert scores["bleu"] == pytest.approx(np.mean([scores[f"bleu_{d}"] for d in DIRECTIONS]))
    assert all(scores[f"bleu_{d}"] > 90 for d in DIRECTIONS), scores
    english, german = zip(*(r.values for r in EN_DE[:4]), strict=True)
    assert [t.text for t in model.translate(english, to="de")] == list(german)
    assert [t.text for t in model.translate(german, to="en")] == list(english)
    assert [t.text for t in model.translate([r.values[1] for r in EN_ZH[:4]], to="en")] == [
        r.values[0] for r in EN_ZH[:4]
    ]


def test_losses_of_directions_make_up_the_loss(learned):  # authority: the weighted mean
    task, module, _ = learned
    validation = validation_data_of(task, RECORDS)
    scores = task.validate(module, validation, CPU)
    tokens = dict.fromkeys(DIRECTIONS, 0)
    for i in range(len(validation.examples)):
        _, target, (number,) = validation.examples[i]
        tokens[DIRECTIONS[number]] += len(target) + 1
    mean = sum(scores[f"loss_{d}"] * n for d, n in tokens.items()) / sum(tokens.values())
    assert scores["loss"] == pytest.approx(mean, rel=1e-5)


def test_a_language_must_be_chosen_and_known(learned):
    _, _, model = learned
    with pytest.raises(UsageError, match=r"translates into de, en, and none is chosen.*--to de"):
        model.translate(["A dog."])
    with pytest.raises(UsageError, match="not into 'fr'"):
        model.translate(["A dog."], to="fr")
    pair = EN_DE[0].values
    right, wrong = (
        score(choose_languages(model.bundle, to), [pair])[0].log_prob for to in ("de", "en")
    )
    assert right > wrong
    with pytest.raises(UsageError, match="cannot be marked as 'de'"):
        choose_languages(replace(model.bundle, tokenizers=plain()), "de")


def plain():
    return train_tokenizers(lambda: (r.values for r in RECORDS), TokenizerConfig(vocab_size=300))


def test_tokenizers_without_the_tokens_are_refused():
    task = task_of()
    other = replace(task.inputs, tokenizers=plain())
    with pytest.raises(ConfigError, match="no token for de, en, but for no language"):
        TranslationTask(other).check()
    with pytest.raises(ConfigError, match=r"tokenizer\.joint=true"):
        task_of(joint=False).check()
    for wrong in ("ende", "en-en", "-de", "en-de-fr"):
        with pytest.raises(ConfigError, match="is not two different languages"):
            DataConfig(directions=(wrong,))


def test_the_garden_has_a_part_for_each_pair():  # authority: the garden
    readers = garden_readers(TranslationConfig.columns, DataConfig(directions=DIRECTIONS), 3)
    assert [reader.file for reader in readers] == ["garden.de-en", "garden.en-zh"]
    assert [tuple(row.fields) for row in readers[1]] == list(garden.pairs(3, "en", "zh"))
