"""What the measuring verbs print is right."""

import json
import math
import random
import shutil
import sys

import numpy as np
import pytest
import sacrebleu
import torch
from safetensors.numpy import load_file

import pellucid as package
from pellucid.cli import evaluate_translations
from pellucid.manifest import verify


def rows(done):
    assert done.code == 0, done
    return done.out.removesuffix("\n").split("\n")


def test_scores_are_those_of_sacrebleu(pellucid, ready, tmp_path):
    """Authority: sacreBLEU called directly on the kept file; a blank pair is no sentence of it."""
    references = ready.target.read_text().split("\n")[:60]
    shuffled = random.Random(1)
    words = [line.split() for line in references]
    for line in words[::3]:
        shuffled.shuffle(line)
    outputs = [" ".join(line) for line in words]
    source, target, output = (tmp_path / name for name in ("s.en", "t.de", "out.de"))
    source.write_text("\n".join(ready.source.read_text().split("\n")[:60]) + "\n\n")
    target.write_text("\n".join(references) + "\n\n")
    output.write_text("\n".join(outputs) + "\nnoise beside a blank pair\n")
    args = ["evaluate", "--hypotheses", output, "--data", source, target, "--json"]
    actual = json.loads(rows(pellucid(*args))[0])["scores"]
    expected = [
        sacrebleu.corpus_bleu(outputs, [references]).score,
        sacrebleu.corpus_chrf(outputs, [references]).score,
        sacrebleu.corpus_ter(outputs, [references]).score,
    ]
    assert [score["value"] for score in actual] == pytest.approx(expected, abs=1e-9)
    assert [score["name"] for score in actual] == ["BLEU", "chrF2", "TER"]
    (score,) = json.loads(rows(pellucid(*args, "--tokenised"))[0])["scores"]
    assert score["name"] == "tokenised BLEU"
    assert "tok:none" in score["signature"]


def test_an_unknown_language_is_named(pellucid, ready):
    """Authority: the table of ISO 639 has no `jp`; Japan's language is `ja`."""
    args = ["evaluate", "--hypotheses", ready.target, "--data", ready.source, ready.target]
    assert "'jp' is not a language code" in pellucid(*args, "--language", "jp").out
    assert "'jp' is not" in json.loads(pellucid(*args, "--language", "jp", "--json").out)["note"]
    assert "language code" not in pellucid(*args).out


def test_two_systems_are_compared(pellucid, ready):
    """Authority: the references against themselves (BLEU 100) and against a poor model."""
    data = ["--data", ready.source, ready.target]
    better = ["evaluate", "--hypotheses", ready.target, *data, "--against", ready.run]
    actual = json.loads(rows(pellucid(*better, "--max-length", "9", "--json"))[0])["comparison"]
    assert actual["b"] == pytest.approx(100)
    assert actual["delta"] > 50
    assert actual["p_value"] < 0.05
    same = json.loads(rows(pellucid(*better[:-1], ready.target, "--json"))[0])["comparison"]
    assert (same["delta"], same["p_value"]) == (0, 1)
    assert "may be chance" in pellucid(*better[:-1], ready.target).out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--against", "nowhere"], 3),
        (["--against", "SHORT"], 3),
        (["--output", "/proc/out"], 5),
        (["--output", "/dev/null"], 5),
        (["--language", "ja"], 5),
        (["--alignment-layer", "7"], 2),
    ],
)
def test_what_cannot_be_is_known_before_the_work(
    words, code, pellucid, ready, tmp_path, monkeypatch
):
    """Authority: exit codes of docs/cli.md; nothing is translated."""
    monkeypatch.setitem(sys.modules, "MeCab", None)  # as where the extra is not installed
    monkeypatch.delitem(sys.modules, "sacrebleu.tokenizers.tokenizer_ja_mecab", raising=False)
    begun = []
    monkeypatch.setattr(evaluate_translations, "progress", lambda *_: begun.append(True))
    short = tmp_path / "short"
    short.write_text("one line\n")
    words = [str(short) if word == "SHORT" else word for word in words]
    done = pellucid("evaluate", ready.run, "--data", ready.source, ready.target, *words)
    assert (done.code, done.out, begun) == (code, "", [])


def test_evaluated_text_is_translated_text(pellucid, ready, tmp_path):
    """Authority: `translate` of the same lines."""
    args = ["--max-length", "12", "--beam", "2"]
    data = ["--data", ready.source, ready.target]
    done = pellucid("evaluate", ready.run, *data, *args, "--output", tmp_path / "kept")
    assert done.code == 0
    translated = pellucid("translate", ready.run, *args, stdin=ready.source.read_bytes())
    assert (tmp_path / "kept").read_text() == translated.out


def test_a_score_is_the_sum_of_the_decoders_steps(pellucid, ready):
    """Authority: the decoder's own cached steps, token after token, each source by itself."""
    model = package.load(ready.run)
    source, target = model.tokenizer.source, model.tokenizer.target
    files = (ready.source, ready.target)
    pairs = list(zip(*(file.read_text().split("\n")[:12] for file in files), strict=True))
    lines = rows(pellucid("score", ready.run, "--data", *files, "--jsonl"))
    with torch.inference_mode():
        for line, (text, translation) in zip(lines, pairs, strict=False):
            ids = torch.tensor([[*source.encode(text).ids, source.id("eos")]])
            cache = model.model.prefill(ids, None, 1)
            last, log_prob = target.id("bos"), 0.0
            labels = [*target.encode(translation).ids, target.id("eos")]
            for label in labels:
                logits = model.model.step(torch.tensor([[last]]), cache).logits[0, -1]
                log_prob += float(logits.double().log_softmax(-1)[label])
                last = label
            scored = json.loads(line)
            assert scored["tokens"] == len(labels)
            assert scored["log_prob"] == pytest.approx(log_prob, abs=1e-3)
            assert scored["perplexity"] == pytest.approx(math.exp(-log_prob / len(labels)), 1e-5)


def test_a_score_does_not_depend_on_its_neighbours(pellucid, ready, tmp_path):
    """Authority: each pair scored alone; a blank pair keeps its line."""
    sources = ready.source.read_text().split("\n")[:7]
    targets = ready.target.read_text().split("\n")[:7]
    sources[3] = targets[3] = ""
    files = [tmp_path / "s.en", tmp_path / "t.de"]
    for file, lines in zip(files, (sources, targets), strict=True):
        file.write_text("".join(f"{line}\n" for line in lines))
    together = rows(pellucid("score", ready.run, "--data", *files))
    assert len(together) == 7
    assert together[3] == ""
    for i in (0, 1, 2, 4, 5, 6):
        for file, lines in zip(files, (sources, targets), strict=True):
            file.write_text(lines[i] + "\n")
        (alone,) = rows(pellucid("score", ready.run, "--data", *files))
        numbers = [[float(n) for n in line.split("\t")] for line in (alone, together[i])]
        assert numbers[0] == pytest.approx(numbers[1], abs=2e-3)


def test_the_mean_of_checkpoints(pellucid, ready, tmp_path):
    """Authority: numpy over the checkpoints' own files."""
    paths = sorted((ready.run / "checkpoints").glob("step-*"))
    assert len(paths) == 2
    for chosen in (paths, paths[:1]):
        assert pellucid("average", *chosen, "--out", tmp_path / "model").code == 0
        actual = load_file(tmp_path / "model" / "model.safetensors")
        each = [load_file(path / "weights.safetensors") for path in chosen]
        for name, tensor in actual.items():
            np.testing.assert_allclose(tensor, np.mean([e[name] for e in each], 0), atol=1e-7)
    assert pellucid("average", ready.run, "--out", tmp_path / "all").code == 0
    whole = package.load(tmp_path / "all").bundle
    final = package.load(ready.run).bundle
    assert whole.longest_source == final.longest_source
    assert (whole.languages, whole.roles) == (final.languages, final.roles)


def test_a_checkpoint_counts_but_once(pellucid, ready, tmp_path):
    for again in (ready.run, next((ready.run / "checkpoints").glob("step-*"))):
        done = pellucid("average", ready.run, again, "--out", tmp_path / "model")
        assert (done.code, (tmp_path / "model").exists()) == (2, False)
        assert "named twice" in done.err


def test_checkpoints_of_two_runs_do_not_mix(pellucid, ready, tmp_path):
    other = shutil.copytree(ready.run, tmp_path / "other")
    done = pellucid("average", ready.run, other, "--out", tmp_path / "model")
    assert (done.code, (tmp_path / "model").exists()) == (2, False)


def test_verify_names_every_part(pellucid, ready, tmp_path):
    """Authority: the manifests themselves."""
    run = shutil.copytree(ready.run, tmp_path / "run")
    parts = {path.parent for path in run.rglob("manifest.json")}
    lines = rows(pellucid("verify", run))
    assert {line.split()[1] for line in lines} == set(map(str, parts))
    assert all(line.startswith("sound") for line in lines)
    broken = sorted(parts)[-1]
    victim = broken / next(iter(verify(broken)["files"]))
    victim.write_bytes(victim.read_bytes()[:-1])
    done = pellucid("verify", run)
    assert done.code == 6
    assert [line.split()[1] for line in done.out.split("\n") if line.startswith("damaged")] == [
        str(broken)
    ]
    assert str(victim) in done.err


def test_info_counts_the_parameters(pellucid, ready):
    """Authority: the sizes of the tensors in the file; a tied one is saved once."""
    actual = json.loads(rows(pellucid("info", ready.run, "--json"))[0])
    tensors = load_file(ready.run / "final" / "model.safetensors")
    assert actual["parameters"]["all"] == sum(tensor.size for tensor in tensors.values())
    assert actual["shapes"] == {name: list(tensors[name].shape) for name in actual["shapes"]}
    assert actual["languages"] == "en-de"
    machine = json.loads(rows(pellucid("info", "--json"))[0])
    assert all(choice["means"] for choice in machine["kernels"].values())


def test_a_config_to_begin_with_trains(pellucid, ready, tmp_path):
    """Authority: what is given is in the file, the rest is left to `train`."""
    inputs = ["--data.train", ready.source, ready.target, "--tokenizer.vocab-size", "300"]
    done = pellucid("init", "translation", *inputs, "--training.max-updates", "2")
    file = tmp_path / "my.yaml"
    file.write_text(done.out)
    small = ["--model.d-model", "16", "--model.d-ff", "32", "--run-dir", tmp_path / "run"]
    assert pellucid("train", file, *small, "--training.max-updates", "3").code == 0
    message = (tmp_path / "run" / "config.yaml").read_text()
    assert "max_updates: 3" in message
    assert "vocab_size: 300" in message
    assert "size: tiny" in message  # chosen from the data: the file leaves it open
