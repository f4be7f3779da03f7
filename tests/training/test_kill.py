"""A1, A2: a training killed or told to stop anywhere ends as one never touched, to the last bit."""

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import time

import pytest

from kill_points import install
from pellucid.training.checkpoints import checkpoint_step
from training.conftest import figures

TASKS = {
    "memory": {
        "task": "language_modeling",
        "size": "transfo-xl-micro",
        "data": {"columns": {"text": 1}},
        "model": {"n_encoder_layers": 0, "max_length": 16, "mem_len": 24},
    },
    "two models": {
        "task": "replaced_token",
        "size": "electra-tiny",
        "data": {"columns": {"text": 1}},
        "model": {"n_decoder_layers": 0, "d_embedding": 16},
    },
    "windows": {  # a record has several examples, and validation joins them
        "task": "question_answering",
        "size": "bert-tiny",
        "data": {"columns": {"question": 2, "context": 1, "answers": 3}, "max_length": 16},
        "objective": {"question_tokens": 4, "stride": 2},
        "model": {"n_decoder_layers": 0},
    },
}
KINDS = {
    "plain": {},
    "ema, workers": {"training": {"ema": 0.9, "workers": 2, "keep": 3}},
    "accumulate 4": {"training": {"accumulate": 4, "max_updates": 8, "max_tokens": 200}},
    **TASKS,
}
POINTS = [
    "publish:empty",
    "publish:written",
    "publish:manifest",
    "publish:before-rename",
    "publish:done",
    "write:before-rename",
    "write:after-rename",
    "remove:renamed",
    "remove:partly",
]


def child(run_dir, data, over, kill_at):
    """A training process that dies by SIGKILL at a named point, if one is named."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if kill_at:
        install(kill_at)
    from training.run_small import run

    os._exit(run(str(run_dir), str(data), over))


@pytest.fixture(scope="module")
def context():
    """Processes forked from one that has torch imported already: a kill costs half a second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.run_small"])
    return context


def digest(run_dir):
    """What must be equal: metrics, the newest checkpoint's weights, the finished models."""
    newest = max((run_dir / "checkpoints").glob("step-*"))
    files = [newest / "weights.safetensors", newest / "optimizer.safetensors"]
    files += newest.glob("buffers.safetensors")  # the memory of a Transformer-XL
    finished = sorted(run_dir.glob("*/model.safetensors"))
    assert finished[0].parent.name == "final"
    files += finished  # of ELECTRA also the generator
    return figures(run_dir), [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.fixture(scope="module")
def data_of(pairs_file, tmp_path_factory):
    """data_of(kind) -> its file: pairs; for other tasks also the last word of the first text."""
    texts = tmp_path_factory.mktemp("texts") / "texts.tsv"
    rows = (line.split("\t") for line in pairs_file.read_text(encoding="utf-8").split("\n")[:-1])
    lines = (f"{a}\t{b}\t{a.rstrip('.').split()[-1]}\n" for a, b in rows)
    texts.write_text("".join(lines), encoding="utf-8")
    return lambda kind: texts if kind in TASKS else pairs_file


def newest_step(run_dir):
    checkpoints = (run_dir / "checkpoints").glob("step-*")
    return max(map(checkpoint_step, checkpoints), default=0)


def campaign(context, data, tmp_path, kind, kills, seed):
    """Kill a run so many times, and once at least between two checkpoints; then let it end.

    Returns kills that hit, and both digests.
    """
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    start = time.monotonic()
    process = context.Process(target=child, args=(whole, data, KINDS[kind], ""))
    process.start()
    process.join()
    assert process.exitcode == 0
    seconds = time.monotonic() - start
    rng, last = random.Random(seed), newest_step(whole)
    hits = resumed = 0
    while hits < kills or not resumed:
        anywhere = not resumed or rng.random() < 0.5
        at = "" if anywhere else f"{rng.choice(POINTS)}@{rng.randint(1, 3)}"
        process = context.Process(target=child, args=(cut, data, KINDS[kind], at))
        process.start()
        while not resumed and process.is_alive() and not 0 < newest_step(cut) < last:
            time.sleep(0.005)  # until there is a checkpoint from which it goes on
        process.join(None if at else rng.uniform(0.1, 0.9) * seconds if resumed else 0)
        if process.is_alive():
            process.kill()
        process.join()
        hits += process.exitcode == -9
        resumed += process.exitcode == -9 and 0 < newest_step(cut) < last
        if process.exitcode == 0:  # it ended before it was hit: begin anew
            assert digest(cut) == digest(whole)
            shutil.rmtree(cut)
    process = context.Process(target=child, args=(cut, data, KINDS[kind], ""))
    process.start()
    process.join()
    assert process.exitcode == 0
    return hits, digest(cut), digest(whole)


@pytest.mark.timeout(400)  # how many runs end before they are hit depends on the machine
@pytest.mark.parametrize(
    ("kind", "kills"),
    [("plain", 4), *((kind, 2) for kind in KINDS if kind != "plain")],
)
def test_killed_runs_end_the_same(context, data_of, tmp_path, kind, kills):  # authority: itself
    hits, cut, whole = campaign(context, data_of(kind), tmp_path, kind, kills, seed=7)
    assert hits >= kills
    assert cut == whole


def lines_in(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def told_to_stop(context, data, tmp_path, times, seed):
    """Signals at so many random moments of a run, then its end.

    Returns the longest time from a signal to the process's end, and both digests.
    """
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    process = context.Process(target=child, args=(whole, data, {}, ""))
    process.start()
    process.join()
    rng = random.Random(seed)
    longest, hits = 0.0, 0
    while hits < times:
        process = context.Process(target=child, args=(cut, data, {}, ""))
        process.start()
        before = lines_in(cut / "metrics.jsonl")
        while process.is_alive() and lines_in(cut / "metrics.jsonl") == before:
            time.sleep(0.005)  # until it listens
        process.join(rng.uniform(0.0, 0.2))
        if process.is_alive():
            number = rng.choice([signal.SIGTERM, signal.SIGINT])
            began = time.monotonic()
            os.kill(process.pid, number)
            process.join()
            longest = max(longest, time.monotonic() - began)
            hits += process.exitcode == 128 + number
        # Past its last update, where it only publishes, a run is killed like any process.
        assert process.exitcode in (0, 130, 143) or figures(cut)[-1]["step"] == 12
        if process.exitcode == 0:  # it ended before it was told
            assert digest(cut) == digest(whole)
            shutil.rmtree(cut)
    process = context.Process(target=child, args=(cut, data, {}, ""))
    process.start()
    process.join()
    assert process.exitcode == 0
    return longest, digest(cut), digest(whole)


@pytest.mark.parametrize(
    "times", [3, pytest.param(50, marks=[pytest.mark.campaign, pytest.mark.timeout(3600)])]
)
def test_stopped_runs_end_the_same(context, pairs_file, tmp_path, times):  # authority: itself
    longest, cut, whole = told_to_stop(context, pairs_file, tmp_path, times, seed=3)
    print(f"A2: {times} signals, at most {longest:.2f} s from one to the saved state")
    assert cut == whole


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_three_hundred_kills(context, data_of, tmp_path, kind, seed):
    hits, cut, whole = campaign(context, data_of(kind), tmp_path, kind, 13, seed)
    print(f"A1: {kind}, seed {seed}: {hits} kills")
    assert hits >= 13
    assert cut == whole
